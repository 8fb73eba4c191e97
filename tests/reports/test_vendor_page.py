"""The page of a vendor's report and its files: who may, what is noted, what is masked."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from asgi_client import Client
from browser.world import OPERATOR, VIEWER, World
from patience import PATIENCE_S
from switchhook.reports.vendor_page import ENDINGS, OPERATIONS, SCHEMAS, file_name
from switchhook.streams.openapi import SCHEMAS as OTHERS
from switchhook.web.app import create_app
from switchhook.web.openapi import describe

BOT = "वाणी"
NUMBER = "09876512345"


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("report"))
    for cause in ("bot", "refused", "throttled", "early"):
        world.tell(cause, number=NUMBER)
    world.tell("refused", host="asha.bots.example")
    assert world.writer.flush(PATIENCE_S)
    assert world.folder.reach(world.reader.last_seq(), 10)
    yield world
    world.close()


@pytest.fixture
def client(world):
    world.viewer = OPERATOR
    world.noted.clear()
    inner = create_app([world.pages])

    async def app(scope, receive, send):
        await inner(scope | {"viewer": world.viewer}, receive, send)

    yield Client(app, follow_redirects=False)
    world.viewer = None


def ask(client, path="/api/v1/report", **query):
    return client.get(f"{path}?{urlencode({'bot': BOT, 'week': 'this', **query})}")


def test_the_page_shows_the_week_and_is_noted(client, world):
    text = ask(client, "/report").text
    assert "What went wrong" in text
    assert "refused the connection" in text
    assert "Not measured" in text
    assert NUMBER[-8:-2] not in text
    (deed,) = world.noted
    assert (deed.who, deed.what, deed.subject) == (
        OPERATOR.name,
        "made a report for a vendor",
        BOT,
    )
    assert deed.details["form"] == "page"
    assert re.fullmatch(r"[0-9]{4}-W[0-9]{2}", deed.details["week"])


def test_without_a_bot_the_page_asks_for_one(client, world):
    reply = client.get("/report")
    assert reply.status_code == 200
    assert f'<option value="{BOT}"' in reply.text
    assert "What went wrong" not in reply.text
    assert not world.noted


@pytest.mark.parametrize(
    ("query", "said"),
    [({"bot": "nobody"}, "there is no bot"), ({"week": "soon"}, "is no week")],
)
def test_what_is_asked_wrongly_is_said(client, world, query, said):
    page = ask(client, "/report", **query)
    assert page.status_code == 400
    assert said in page.text
    reply = ask(client, **query)
    assert reply.status_code == 400
    assert said in reply.json()["error"]["problem"]


def test_a_viewer_makes_none(client, world):
    world.viewer = VIEWER
    assert ask(client, "/report").status_code == 403
    assert ask(client).status_code == 403
    assert not world.noted


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_file_has_the_failures_and_no_number(client, world, ending):
    reply = ask(client, format=ending)
    assert reply.status_code == 200
    assert "no-store" in reply.headers["cache-control"]
    said = ask(client).json()
    sids = [each["call_sid"] for group in said["groups"] for each in group["failures"]]
    assert len(sids) == 3
    assert all(sid in reply.text for sid in sids)
    assert NUMBER[-8:-2] not in reply.text
    assert world.noted[0].details["form"] == ending
    if ending != "json":
        name = f'attachment; filename="report-bot-{said["week"]}.{ending}"'
        assert reply.headers["content-disposition"] == name


def test_the_html_file_loads_nothing(client):
    text = ask(client, format="html").text
    assert not re.search(r"<(?:script|link|img|iframe|a)\b|src=|url\(", text)
    assert "default-src 'none'" in text


def test_the_page_leads_to_its_files_and_calls(client):
    text = ask(client, "/report").text
    for ending in ENDINGS:
        assert f"format={ending}" in text
    (sid, *_) = re.findall(r'href="/calls/([0-9a-f]{32})"', text)
    assert client.get(f"/calls/{sid}").status_code == 200


def test_one_comes_to_it_from_where_a_bot_is_shown(client):
    issue = next(
        each["id"]
        for each in client.get("/api/v1/issues").json()["issues"]
        if each["cause"] == "connect_failed"
    )
    assert "/report?bot=" in client.get(f"/causes/{issue}").text
    assert 'href="/report"' in client.get("/endpoints").text


def test_a_time_instead_of_a_week(client):
    said = client.get(f"/api/v1/report?{urlencode({'bot': BOT, 'since': '2h'})}").json()
    assert said["week"] is None
    assert said["streams"] == 4
    assert said["over"] is True
    assert said["until"] <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))


def test_what_is_said_is_as_described(client):
    said = ask(client).json()
    document = describe("1", OPERATIONS, {**OTHERS, **SCHEMAS})
    assert set(said) == set(document["components"]["schemas"]["VendorReport"]["required"])
    assert json.dumps(said)


def test_the_api_is_as_described(client, world):
    """Whatever is asked, the answer is one of those described."""
    document = describe("1", OPERATIONS, {**OTHERS, **SCHEMAS})
    schema = schemathesis.openapi.from_dict(document)

    @given(case=schema["/api/v1/report"]["GET"].as_strategy())
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def check(case):
        reply = client.get("/api/v1/report", params=case.query or {})
        assert reply.status_code in (200, 400)

    check()


def test_a_bots_file_has_a_harmless_name():
    class Named:
        bot = "../../Asha's Bot"

        class stretch:  # noqa: N801
            week = ""

    assert file_name(Named, "csv") == "report-asha-s-bot-from-to.csv"  # type: ignore[arg-type]

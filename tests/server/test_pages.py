"""Pages and their API without a browser: what they answer, and what is refused."""

from __future__ import annotations

import time
from urllib.parse import quote_plus

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response

from asgi_client import Client
from browser.world import OPERATOR, SECRET, VIEWER, World
from patience import PATIENCE_S
from switchhook.access.roles import EVERYTHING, Role, Viewer
from switchhook.calls.promised import Callback, CallPromise, PromiseMove
from switchhook.calls.sources import KeptDetails
from switchhook.journal.receipt import HeartbeatReceived, RecordKind, Sample, StatusReceived, encode
from switchhook.overview.api import SHOWN, SHOWN_SCHEMAS
from switchhook.streams.openapi import ENDPOINT_SCHEMAS, ENDPOINTS, SCHEMAS
from switchhook.web.openapi import describe
from switchhook.web.parameters import RefusedParameter


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("pages"))
    for cause in ("bot", "refused", "throttled", "early"):
        world.tell(cause)
    yield world
    world.close()


@pytest.fixture
def client(world):
    world.viewer = None
    yield Client(world.app(), follow_redirects=False)
    world.viewer = None


def reach(world):
    assert world.writer.flush(PATIENCE_S)
    assert world.folder.reach(world.reader.last_seq(), 10)


def test_pages_carry_their_policy_and_are_not_kept(client):
    reply = client.get("/")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/streams?q=%22%00%ff:::!!&cols=,,x,time&before=zz&tz=../../etc/passwd",
        "/streams?q=" + "a" * 5000,
        "/causes?page=99999&state=x&bot=%F0%9F%92%A9",
        "/capacity?range=forever",
        "/calls/%00",
        "/calls/" + "a" * 3000,
        "/?tz=" + "x" * 2000,
    ],
)
def test_any_address_is_answered(client, path):
    assert client.get(path).status_code in (200, 404)


def test_what_is_not_there_is_said(client):
    assert client.get("/calls/none").status_code == 404
    assert "No such call" in client.get("/calls/none").text
    assert client.get("/causes/none").status_code == 404


def test_a_viewer_changes_no_issue(client, world):
    issue = client.get("/api/v1/issues").json()["issues"][0]["id"]
    world.viewer = VIEWER
    assert client.post(f"/causes/{issue}", data={"act": "resolve"}).status_code == 403
    assert client.post(f"/api/v1/issues/{issue}", json={"act": "resolve"}).status_code == 403


def test_an_operator_acts_by_the_api(client, world):
    world.viewer = OPERATOR
    issue = client.get("/api/v1/issues").json()["issues"][0]["id"]
    path = f"/api/v1/issues/{issue}"
    done = client.post(path, json={"act": "acknowledge", "note": "ticket 7"}).json()
    assert (done["state"], done["mark"]["by"], done["mark"]["note"]) == (
        "acknowledged",
        OPERATOR.name,
        "ticket 7",
    )
    assert client.post(path, json={"act": "acknowledge"}).status_code == 409
    assert client.get(path).json()["history"] == [done["mark"]]


def test_a_view_keeps_search_and_columns_and_nothing_else(client, world):
    world.viewer = OPERATOR
    form = {"name": "Mine", "state": "q=is%3Afailed&cols=time&before=9&csrf=x", "shared": "1"}
    saved = client.post("/views", data=form)
    assert saved.headers["location"] == "/streams?q=is%3Afailed&cols=time"
    (view,) = client.get("/api/v1/views").json()["views"]
    assert view == {
        "name": "Mine",
        "query": "q=is%3Afailed&cols=time",
        "by": OPERATOR.name,
        "shared": True,
    }
    world.viewer = VIEWER
    client.post("/views", data={**form, "name": "Also"})
    assert [each["shared"] for each in client.get("/api/v1/views").json()["views"]] == [False, True]
    assert client.post("/views/1/remove").status_code == 404


def test_a_view_under_a_name_that_is_in_use_asks_first(client, world):
    world.viewer = OPERATOR
    form = {"name": "Bad day", "state": "q=is%3Afailed"}

    def kept():
        views = client.get("/api/v1/views").json()["views"]
        return [(each["query"], each["shared"]) for each in views if each["name"] == "Bad day"]

    for _ in range(2):
        assert "taken" not in client.post("/views", data=form).headers["location"]
    other = form | {"state": "q=option%3AB", "shared": "1"}
    page = client.get(client.post("/views", data=other).headers["location"]).text
    assert "You have a view" in page
    assert 'name="replace"' in page
    assert kept() == [("q=is%3Afailed", False)]
    client.post("/views", data=other | {"replace": "1"})
    assert kept() == [("q=option%3AB", True)]


def test_a_search_says_what_it_understood_and_how_many_there_are(client, world):
    world.viewer = Viewer("asha", Role.OPERATOR, "s", revealed=frozenset({EVERYTHING}))
    for number in ("09812345601", "09812345602"):
        world.tell("bot", number=number)
    world.writer.flush(PATIENCE_S)
    world.folder.reach(world.reader.last_seq(), 10)
    page = client.get("/streams", params={"q": "+91 (0) 98123-45601"}).text
    assert "the caller&#39;s number or the one called is +91 98123 45601" in page
    assert ">1 stream<" in page
    page = client.get("/streams", params={"q": "from:+91 98123 45601 duration>1:00:00"}).text
    assert "No stream fits all of this" in page
    assert "it lasted more than 3600 s" in page
    assert 'href="/streams?q=from%3A%2B919812345601">Without it</a>' in page
    assert (
        "Export" not in client.get("/streams", params={"q": "cuase:x"}).text.partition("exports")[2]
    )
    assert "Nothing is exported" in client.get("/streams", params={"q": "cuase:x"}).text


def test_the_form_of_an_export_leads_to_the_file_or_says_why_not(client, world):
    asked = {"q": "is:failed", "columns": "customer,bot", "numbers": "e164", "rows": "callers"}
    world.viewer = Viewer("asha", Role.OPERATOR, "s", revealed=frozenset({EVERYTHING}))
    answer = client.get("/streams/export", params=asked)
    assert answer.headers["location"].startswith("/api/v1/streams/export?q=is%3Afailed")
    wrong = client.get("/streams/export", params=asked | {"columns": "custommer"})
    assert wrong.status_code == 400
    assert "did you mean customer?" in wrong.text
    world.viewer = OPERATOR
    assert "numbers are masked for you now" in client.get("/streams/export", params=asked).text
    world.viewer = VIEWER
    assert client.get("/streams/export", params=asked).status_code == 403


def test_a_call_is_told_by_all_who_tell_of_it(client, world):
    call, now_us = world.tell("bot"), time.time_ns() // 1000
    said = f"CallSid={call}&Status=completed&From=09811112222&EventType=terminal".encode()
    status = StatusReceived(now_us, "Acme Bank", said, "application/x-www-form-urlencoded")
    beat = b'{"timestamp":"x","status_type":"WARNING"}'
    for kind, body in (
        (RecordKind.STATUS, status),
        (RecordKind.HEARTBEAT, HeartbeatReceived(now_us, "Acme Bank", beat)),
    ):
        world.writer.append(kind, now_us // 1000, encode(body))
    reach(world)
    page = client.get(f"/calls/{call}").text
    assert "Status completed" in page
    assert "The sources disagree" in page
    assert "Exotel said WARNING for the account" in page
    assert "EventType=terminal" in page


def test_promised_callbacks_are_part_of_a_calls_story_and_of_the_callbacks_own(client, world):
    call = world.tell("throttled")
    moves = (
        PromiseMove(1_795_000_000_000, "Promised a callback"),
        PromiseMove(1_795_000_060_000, "Exotel was asked to call", attempt=1),
    )
    promise = CallPromise(
        id=12,
        state="ringing",
        level="live",
        why="",
        reason="nobody free for 09811112222",
        class_="sales",
        made_for=call,
        moves=moves,
        callbacks=(Callback(1, 1_795_000_060_000, "back1", "on its way"),),
    )
    world.promised = {call: [promise], "back1": [promise]}
    reach(world)
    world.viewer = VIEWER
    text = client.get(f"/calls/{call}").text
    for shown in ("Promised a callback", "Exotel was asked to call", "as class", "ringing"):
        assert shown in text
    assert 'href="/promises/12"' in text
    assert 'href="/calls/back1"' in text
    assert "09811112222" not in text
    # Nothing else has told of that one yet.
    text = client.get("/calls/back1").text
    assert f'href="/calls/{call}"' in text
    assert "A callback that was promised" in text
    world.viewer = None
    world.promised = {}
    assert client.get("/calls/back1").status_code == 404


def test_a_call_that_only_a_callback_names_has_a_page(client, world):
    said = b"CallSid=onlycallback1&Status=no-answer"
    at = time.time_ns() // 1000
    received = StatusReceived(at, "Acme Bank", said, "application/x-www-form-urlencoded")
    world.writer.append(RecordKind.STATUS, at // 1000, encode(received))
    reach(world)
    assert "no-answer" in client.get("/calls/onlycallback1").text


def test_details_of_a_call_are_part_of_its_story(client, world):
    call = world.tell("bot")
    body = f'{{"Call":{{"Sid":"{call}","Status":"completed","Price":"1.20"}}}}'
    world.details[call] = [KeptDetails("Acme Bank", call, 4_000_000_000_000, body)]
    reach(world)
    text = client.get(f"/calls/{call}").text
    assert "says completed" in text
    assert "1.20" in text
    assert "with what was done and told of it later" in text


ADMINISTRATOR = Viewer("meera@acme.example", Role.ADMINISTRATOR, "s3")


def test_rules_are_shown_with_text_and_hits_and_lead_to_their_streams(client, world):
    world.tell("refused", endpoint="reception")
    reach(world)
    page = client.get("/endpoints").text
    assert "stream.cause in [&#34;throttled&#34;, &#34;connect_failed&#34;]" in page
    assert "did you mean" in page  # what is wrong with the file of the other one, whole
    found = {each["name"]: each for each in client.get("/api/v1/endpoints").json()["endpoints"]}
    rules = {each["name"]: each for each in found["reception"]["rules"]}
    assert [*rules] == ["it went wrong", "all went well", "default", "safe option", "repeat"]
    hit = rules["it went wrong"]
    assert hit["hits"] >= 2
    assert hit["last_hit_at"] is not None
    assert rules["safe option"] == {
        "name": "safe option",
        "when": "deciding failed",
        "option": "B",
        "select": None,
        "pool": None,
        "class": None,
        "promise": None,
        "written": True,
        "stands_in": True,
        "hits": 0,
        "hits_before": 0,
        "last_hit_at": None,
        "last_hit_before": False,
    }
    search = 'endpoint:reception rule:"it went wrong" since:1d'
    link = f"/streams?q={quote_plus(search)}"
    assert link in page
    assert client.get(link).text.partition("data-rows")[2].count("<tr") == hit["hits"]
    assert "no such name: strem" in found["sales"]["configured"]["file_problem"]
    assert found["reception"]["configured"]["file_problem"] is None


def test_the_url_is_revealed_to_an_administrator_and_noted(client, world):
    world.viewer = OPERATOR
    assert SECRET not in client.get("/endpoints").text
    assert client.post("/endpoints/sales/url").status_code == 403
    world.viewer = ADMINISTRATOR
    world.noted.clear()
    page = client.post("/endpoints/sales/url")
    assert f"https://calls.acme.example/passthru/sales/{SECRET}" in page.text
    assert page.headers["cache-control"] == "no-store"
    (deed,) = world.noted
    assert (deed.who, deed.what, deed.subject) == (
        ADMINISTRATOR.name,
        "read the URL of an endpoint",
        "sales",
    )
    assert client.post("/endpoints/nobody/url").status_code == 404
    assert len(world.noted) == 1
    assert SECRET not in client.get("/endpoints").text


def test_refused_requests_are_shown_with_what_they_would_have_said(client, world):
    raw = b"CallSid=refused1&CallFrom=09811117777&secret=fp_1&Stream[Status]=failed"
    raw += b"&Stream[DetailedStatus]=Streaming_call_throttled"
    for sample in (
        Sample("sales", "secret wrong", raw, "203.0.113.9"),
        Sample("", "no request line", b"\x16\x03\x01", "203.0.113.10"),
    ):
        world.writer.append(RecordKind.SAMPLE, time.time_ns() // 1_000_000, encode(sample))
    reach(world)
    page = client.get("/endpoints/refused").text
    assert "an old, a cut or an altered one" in page
    assert "203.0.113.9" in page
    assert "throttled" in page
    assert "9811117777" in page
    newest, before = client.get("/api/v1/refused").json()["refused"][:2]
    assert (newest["endpoint"], newest["passthru"], newest["raw"]) == (None, None, "\x16\x03\x01")
    assert before["passthru"]["call_sid"] == "refused1"
    assert before["passthru"]["cause"] == "throttled"
    world.viewer = VIEWER
    page = client.get("/endpoints/refused").text
    assert "9811117777" not in page
    assert "203.0.113.9" in page
    assert "/endpoints/refused" in client.get("/endpoints").text


def refused(request, error):
    return Response(status_code=error.status_code if isinstance(error, HTTPException) else 400)


def test_the_api_is_what_its_description_says(world):
    world.viewer = None
    document = describe("0", (*SHOWN, *ENDPOINTS), SCHEMAS | SHOWN_SCHEMAS | ENDPOINT_SCHEMAS)
    handlers = {RefusedParameter: refused, HTTPException: refused}
    app = Starlette(routes=world.pages.routes(), exception_handlers=handlers)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=10, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            reply = case.call()
            assert reply.status_code < 500
            if reply.status_code == 200:
                case.validate_response(reply)

        check()


def test_a_call_that_only_a_callback_told_of_is_listed_found_and_shown(client, world):
    raw = (
        b"CallSid=4c1888cf5d9f430b8dd424dd85aa1abt&Status=no-answer&From=08047112233&To=09123450067"
    )
    body = StatusReceived(1, "main", raw, "application/x-www-form-urlencoded")
    world.writer.append(RecordKind.STATUS, time.time_ns() // 1_000_000, encode(body))
    reach(world)
    sid = "4c1888cf5d9f430b8dd424dd85aa1abt"
    for path in ("/calls", "/calls?number=%2B91+91234-50067"):
        page = client.get(path).text
        assert sid in page
        assert "+919123450067" in page
        assert "no-answer" in page
    assert sid not in client.get("/calls?number=98111").text
    assert "no telephone number" in client.get("/calls?number=nobody").text
    [call] = client.get("/api/v1/calls?number=09123450067").json()["calls"]
    assert (call["call_sid"], call["status"], call["to"]) == (sid, "no-answer", "+919123450067")
    with pytest.raises(RefusedParameter):
        client.get("/api/v1/calls?number=x")
    whole = client.get(f"/calls/{sid}").text
    assert "+919123450067" in whole
    assert "Only status callbacks told of this call" in whole


def test_numbers_of_calls_by_callback_are_masked_by_role(client, world):
    world.viewer = VIEWER
    assert "9123450067" not in client.get("/calls").text
    asked = client.get("/calls?number=09123450067").text
    assert "your role may not look for numbers" in asked
    assert "4c1888cf" not in asked
    world.viewer = OPERATOR
    assert "9123450067" not in client.get("/calls").text
    noted = len(world.noted)
    assert "4c1888cf" in client.get("/calls?number=09123450067").text
    assert len(world.noted) == noted + 1

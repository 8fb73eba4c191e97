"""The API of accounts: unknown is null, and what is asked wrongly is refused in words."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient

from switchhook.access.roles import Role, Viewer
from switchhook.calls.other_sources import Note, Told
from switchhook.calls.sources import Beat, Source, Telling, call_sources
from switchhook.capacity.api import OPERATIONS, SCHEMAS, CapacityApi
from switchhook.capacity.forecast import Forecast
from switchhook.capacity.ledger import SqliteCapacity
from switchhook.capacity.readings import Reading
from switchhook.capacity.status import CapacityNow
from switchhook.server.tables import open_ledger
from switchhook.streams.openapi import SCHEMAS as OTHERS
from switchhook.web.app import create_app
from switchhook.web.openapi import describe

NOW = 1_780_000_000_000
AT = "2026-05-28T20:26:40.000000Z"
FORECAST = Forecast(NOW, NOW + 300_000, None, None, 0.3, 12.3456, 95.04, ((NOW, 1.0, 2.04, 3.0),))


class Watch:
    def __init__(self, *standing):
        self.standing = standing

    def now(self, now_ms):
        return list(self.standing)

    def complaints(self):
        return ["the disk is full"]


def told(call_sid):
    if call_sid != "c1":
        return None
    tellings = [
        Telling(Source.PASSTHRU, NOW * 1000, {"from": "09811100001", "status": "completed"}),
        Telling(Source.DETAILS, NOW * 1000, {"from": "09811100002", "status": "failed"}),
    ]
    beats = [Beat(NOW * 1000, "CRITICAL")]
    notes = (Note(NOW * 1000, "Heartbeat CRITICAL", "{}"),)
    return Told((), notes, call_sources(tellings, beats, begun_us=NOW * 1000))


@pytest.fixture
def history(tmp_path):
    ledger = open_ledger(tmp_path)
    yield SqliteCapacity(ledger)
    ledger.close()


def asking(history, *standing):
    """A client of an app that has this part alone."""
    api = CapacityApi(Watch(*standing), history, lambda: NOW, told)

    app = create_app([api])
    return TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1))


def test_accounts_are_told_as_they_stand(history):
    known = CapacityNow("मुख्य", 71, 100, 29, 2.5, forecast=FORECAST, at_ms=NOW - 2500)
    unknown = CapacityNow("other", None, None, None, None, "no answer", unread=3)
    found = asking(history, known, unknown).get("/api/v1/capacity").json()
    assert found["problems"] == ["the disk is full"]
    first, second = found["accounts"]
    assert first["account"] == "मुख्य"
    assert (first["active"], first["headroom"], first["age_s"]) == (71, 29, 2.5)
    forecast = first["forecast"]
    assert forecast["words"] == "perhaps within the hour (30 %), not before 5 min"
    assert (forecast["likely_at"], forecast["chance"]) == (None, 0.3)
    assert forecast["expected"][0]["middle"] == 2.0
    assert second == {
        "account": "other",
        "active": None,
        "allowed": None,
        "headroom": None,
        "at": None,
        "age_s": None,
        "problem": "no answer",
        "unread": 3,
        "forecast": None,
    }


def test_the_history_is_told_with_its_holes(history):
    history.add([Reading("मुख्य", NOW - 2000, 3, 100), Reading("मुख्य", NOW - 1000, None)])
    client = asking(history)
    found = client.get("/api/v1/capacity/मुख्य", params={"since": "1h"}).json()
    assert found["now"] is None
    assert [(each["mean"], each["unread"]) for each in found["spans"]] == [(3, 0), (None, 1)]
    found = client.get("/api/v1/capacity/मुख्य").json()
    (span,) = found["spans"]
    assert (span["width_s"], span["lowest"], span["readings"]) == (60, 3, 1)


@pytest.mark.parametrize(
    "path, status",
    [
        ("/api/v1/capacity?x=1", 400),
        ("/api/v1/capacity/main?since=soon", 400),
        ("/api/v1/capacity/main?since=2020-01-01T00:00:00Z", 200),
        ("/api/v1/capacity/main?limit=1", 400),
        ("/api/v1/capacity/main", 200),
        ("/api/v1/capacity/other", 404),
        ("/api/v1/calls/c2/sources", 404),
        ("/api/v1/calls/c1/sources?x=1", 400),
    ],
)
def test_what_is_asked_wrongly_is_refused(history, path, status):
    reply = asking(history, CapacityNow("main", 1, 2, 1, 0.0)).get(path)
    assert reply.status_code == status
    if status != 200:
        assert reply.json()["error"]["problem"]


def test_what_sources_say_of_a_call_is_told(history):
    found = asking(history).get("/api/v1/calls/c1/sources").json()
    assert found["fields"]["status"]["believed"] == "call details"
    assert found["disagreements"][0] == "status: completed by passthru, failed by call details"
    assert found["heard"] == [{"at": found["heard"][0]["at"], "what": "Heartbeat CRITICAL"}]
    assert found["troubles"] == ["heartbeat: Exotel said CRITICAL for the account"]


def test_who_may_not_see_numbers_sees_none(history):
    client = asking(history)
    inner = client.app

    async def masked(scope, receive, send):
        scope["viewer"] = Viewer(role=Role.VIEWER, name="v")
        await inner(scope, receive, send)

    client = TestClient(masked, base_url="http://127.0.0.1", client=("127.0.0.1", 1))
    text = client.get("/api/v1/calls/c1/sources").text
    assert "0981110000" not in text
    assert "01" in text


def test_it_does_what_its_description_says(history):
    history.add([Reading("main", NOW - 2000, 3, 100), Reading("main", NOW - 1000, None)])
    known = CapacityNow("main", 71, 100, 29, 2.5, forecast=FORECAST, at_ms=NOW - 2500)
    unknown = CapacityNow("other", None, None, None, None, "no answer", unread=3)
    app = asking(history, known, unknown).app
    document = describe("0", OPERATIONS, OTHERS | SCHEMAS)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        tried += 1

        @settings(max_examples=25, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(headers={"Host": "127.0.0.1"}, base_url="http://127.0.0.1")

        check()
    assert tried == len(OPERATIONS)
    for path, identifier in (("capacity/{account}", "main"), ("calls/{call_sid}/sources", "c1")):
        case = schema[f"/api/v1/{path}"]["GET"].Case(
            path_parameters={path[path.index("{") + 1 : path.index("}")]: identifier}
        )
        reply = case.call_and_validate(headers={"Host": "127.0.0.1"}, base_url="http://127.0.0.1")
        assert reply.status_code == 200

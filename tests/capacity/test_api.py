"""The API of accounts: unknown is null, and what is asked wrongly is refused in words."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from asgi_client import Client
from switchhook.capacity.api import OPERATIONS, SCHEMAS, CapacityApi
from switchhook.capacity.forecast import Forecast
from switchhook.capacity.ledger import LedgerCapacity
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


@pytest.fixture
def history(tmp_path):
    ledger = open_ledger(tmp_path)
    yield LedgerCapacity(ledger)
    ledger.close()


def asking(history, *standing):
    """A client of an app that has this part alone."""
    app = create_app([CapacityApi(Watch(*standing), history, lambda: NOW)])
    return Client(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1))


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
        ("/api/v1/capacity/main?since=0001-01-01T00:00:00%2B00:01", 200),
        ("/api/v1/capacity/main?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59-23:59", 200),
        ("/api/v1/capacity/main?since=9999-12-31T23:59:59-00:01&until=0001-01-01T00:00:00Z", 200),
        ("/api/v1/capacity/main?since=2026-02-29T00:00:00Z", 400),
        ("/api/v1/capacity/main?limit=1", 400),
        ("/api/v1/capacity/main", 200),
        ("/api/v1/capacity/other", 404),
    ],
)
def test_what_is_asked_wrongly_is_refused(history, path, status):
    reply = asking(history, CapacityNow("main", 1, 2, 1, 0.0)).get(path)
    assert reply.status_code == status
    if status != 200:
        assert reply.json()["error"]["problem"]


@pytest.mark.parametrize("parameter", ["since", "until"])
@pytest.mark.parametrize("no_time", ["0000-01-01T00:00:00Z", "2026-01-01T00:00:00+24:00"])
def test_a_time_that_is_on_no_calendar_is_refused_with_what_can_be(history, parameter, no_time):
    client = asking(history, CapacityNow("main", 1, 2, 1, 0.0))
    reply = client.get("/api/v1/capacity/main", params={parameter: no_time})
    assert reply.status_code == 400
    assert reply.json()["error"] == {
        "parameter": parameter,
        "problem": "not a time that there is",
        "hint": "a day of the years 1 to 9999, and time and zone of at most 23:59",
    }


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
    case = schema["/api/v1/capacity/{account}"]["GET"].Case(path_parameters={"account": "main"})
    reply = case.call_and_validate(headers={"Host": "127.0.0.1"}, base_url="http://127.0.0.1")
    assert reply.status_code == 200

"""What four sources say of a call, as programs get it."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from asgi_client import Client
from switchhook.access.roles import Role, Viewer
from switchhook.calls.api import OPERATIONS, SCHEMAS, CallsApi
from switchhook.calls.other_sources import Note, OtherSources
from switchhook.calls.sources import HeartbeatReport, Source, SourceReport, call_sources
from switchhook.streams.openapi import SCHEMAS as OTHERS
from switchhook.web.app import create_app
from switchhook.web.openapi import describe

NOW = 1_780_000_000_000


def told(call_sid):
    if call_sid != "c1":
        return None
    tellings = [
        SourceReport(Source.PASSTHRU, NOW * 1000, {"from": "09811100001", "status": "completed"}),
        SourceReport(Source.DETAILS, NOW * 1000, {"from": "09811100002", "status": "failed"}),
    ]
    beats = [HeartbeatReport(NOW * 1000, "CRITICAL")]
    notes = (Note(NOW * 1000, "Heartbeat CRITICAL", "{}"),)
    return OtherSources((), notes, call_sources(tellings, beats, begun_us=NOW * 1000))


def client():
    app = create_app([CallsApi(told)])
    return Client(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1))


@pytest.mark.parametrize(
    "path, status",
    [("/api/v1/calls/c2/sources", 404), ("/api/v1/calls/c1/sources?x=1", 400)],
)
def test_what_is_asked_wrongly_is_refused(path, status):
    reply = client().get(path)
    assert reply.status_code == status
    assert reply.json()["error"]["problem"]


def test_what_sources_say_of_a_call_is_told():
    found = client().get("/api/v1/calls/c1/sources").json()
    assert found["fields"]["status"]["believed"] == "call details"
    assert found["disagreements"][0] == "status: completed by passthru, failed by call details"
    assert found["heard"] == [{"at": found["heard"][0]["at"], "what": "Heartbeat CRITICAL"}]
    assert found["troubles"] == ["heartbeat: Exotel said CRITICAL for the account"]


def test_who_may_not_see_numbers_sees_none():
    inner = client().app

    async def masked(scope, receive, send):
        scope["viewer"] = Viewer(role=Role.VIEWER, name="v")
        await inner(scope, receive, send)

    viewer = Client(masked, base_url="http://127.0.0.1", client=("127.0.0.1", 1))
    text = viewer.get("/api/v1/calls/c1/sources").text
    assert "0981110000" not in text
    assert "01" in text


@pytest.mark.slow
def test_it_does_what_its_description_says():
    schema = schemathesis.openapi.from_dict(describe("0", OPERATIONS, OTHERS | SCHEMAS))
    schema.app = client().app
    operation = schema["/api/v1/calls/{call_sid}/sources"]["GET"]
    there: dict[str, Any] = {"headers": {"Host": "127.0.0.1"}, "base_url": "http://127.0.0.1"}

    @settings(max_examples=25, deadline=None, suppress_health_check=[*HealthCheck])
    @given(operation.as_strategy())
    def check(case):
        case.call_and_validate(**there)

    check()
    case = operation.Case(path_parameters={"call_sid": "c1"})
    assert case.call_and_validate(**there).status_code == 200

"""The verdict as programs get it."""

from __future__ import annotations

from asgi_client import Client
from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_api import VerdictApi
from switchhook.web.app import create_app

STATE = State(level=Level.WARN, what="A bot fails.", since_us=1_764_050_400_000_000)


def test_the_verdict_is_in_the_api():
    client = Client(create_app([VerdictApi(lambda: STATE)]), base_url="http://127.0.0.1")
    assert client.get("/api/v1/verdict").json() == {
        "level": "warn",
        "what": "A bot fails.",
        "since": "2025-11-25T06:00:00.000000Z",
        "callers": "",
        "went": "",
        "fault": "",
        "todo": "",
        "tell": "",
        "stale": [],
        "more": [],
        "streams": "",
        "issue": "",
        "page": "",
    }

"""The verdict as programs get it."""

from __future__ import annotations

from asgi_client import Client
from switchhook.overview.verdict import Level, Press, State
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
        "press": None,
    }


def test_a_press_is_what_the_api_of_pools_takes():
    press = Press(words="Move its calls to backup", act="move", pool="sales", to="backup")
    state = State(level=Level.BAD, what="sales fails.", press=press)
    client = Client(create_app([VerdictApi(lambda: state)]), base_url="http://127.0.0.1")
    assert client.get("/api/v1/verdict").json()["press"] == {
        "words": "Move its calls to backup",
        "act": "move",
        "pool": "sales",
        "to_pool": "backup",
        "member": None,
        "state": None,
    }

"""The page Alerts and its API: everything shown harmlessly, acts for operators only, each noted."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from alerts.test_engine import ALL, NOON, Bench
from asgi_client import Client
from switchhook.access.roles import Role, Viewer
from switchhook.alerts.escalation import Policy
from switchhook.alerts.openapi import PATHS, SCHEMAS
from switchhook.alerts.page import AlertPages
from switchhook.exotel.phone_numbers import mask_text
from switchhook.metrics import Figure
from switchhook.overview.verdict import Level, State
from switchhook.web.app import create_app
from switchhook.web.render import Renderer

NOW_AND_LONG = NOON + 10**9
HOSTILE = "<script>alert(1)</script>\u202e{{ 7*7 }}=HYPERLINK(1)\x1b[31m"


class As:
    """Who asks, as the access middleware says it."""

    def __init__(self, app, viewer):
        self.app, self.viewer = app, viewer

    async def __call__(self, scope, receive, send):
        scope["viewer"] = self.viewer
        scope["csrf"] = "proof"
        await self.app(scope, receive, send)


class Here(Bench):
    def __init__(self, tmp_path):
        super().__init__(tmp_path)
        self.severities = {"ops": ALL}
        self.start()
        self.noted = []
        self.viewer = Viewer("asha", Role.OPERATOR)

    @property
    def client(self):
        return Client(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    @property
    def app(self):
        pages = AlertPages(Renderer(), self.engine, self.noted.append)
        return As(create_app([pages]), self.viewer)

    def fails(self, bot="Sales"):
        labels = (("bot", bot),)
        self.world.figures["b"] = Figure("bot.failing", 2.0, self.clock(), labels)
        self.step()

    @property
    def id(self):
        return self.engine.alerts[0].id


@pytest.fixture
def here(tmp_path):
    here = Here(tmp_path)
    yield here
    here.ledger.close()


def test_the_page_says_that_nothing_fires(here):
    page = here.client.get("/alerts")
    assert page.status_code == 200
    assert "Nothing fires." in page.text
    assert "Send a test" in page.text


def test_the_page_tells_what_fires_and_who_was_told(here):
    here.fails()
    text = here.client.get("/alerts").text
    assert "A bot fails its callers" in text
    assert "many callers" in text
    assert "start the bot again" in text
    assert '<span class="chip chip-good">completed</span>' in text


@pytest.mark.parametrize("role", list(Role))
def test_hostile_text_is_shown_harmlessly(here, role):
    here.viewer = Viewer("asha", role)
    here.fails(HOSTILE)
    here.engine.silence((("bot", HOSTILE),), NOON + 10**7, HOSTILE, "asha")
    text = here.client.get("/alerts").text
    assert "<script>" not in text.replace('<script src="', "")
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text
    assert here.client.get("/api/v1/alerts").json()["alerts"][0]["labels"]["bot"] == HOSTILE


def test_whom_to_tell_is_shown_whole_and_other_numbers_are_not(here):
    """It is the operator's own word, there to be called; what callers sent is masked."""
    state = State(
        level=Level.BAD,
        what="Caller +91 98111 00001 fails.",
        todo="x.",
        tell="Tell +91 98765 43210.",
    )
    pages = AlertPages(Renderer(lambda: state), here.engine, here.noted.append)
    app = As(create_app([pages]), Viewer("ravi", Role.VIEWER, "s"))
    text = Client(app, base_url="http://127.0.0.1").get("/alerts").text
    assert "Tell +91 98765 43210." in text
    assert "98111" not in text


def test_a_viewer_sees_and_may_not_act(here):
    here.fails()
    here.viewer = Viewer("ravi", Role.VIEWER)
    page = here.client.get("/alerts")
    assert "A bot fails its callers" in page.text
    assert "<form" not in page.text.split('<section class="card"', 1)[1].rsplit("</section>", 1)[0]
    posts = {
        "/alerts/silence": {"alert": here.id, "for": "1h", "reason": "x"},
        "/alerts/end": {"id": "1"},
        "/alerts/acknowledge": {"alert": here.id},
        "/alerts/test": {"destination": "ops"},
    }
    for path, form in posts.items():
        assert here.client.post(path, data=form).status_code == 403, path
    bodies = {
        "silences": {"matcher": {"rule": "*"}, "for_s": 60, "reason": "x"},
        "acknowledge": {"alert": here.id},
        "test": {"destination": "ops"},
    }
    for path, body in bodies.items():
        assert here.client.post(f"/api/v1/alerts/{path}", json=body).status_code == 403, path
    assert here.client.delete("/api/v1/alerts/silences/1").status_code == 403
    assert here.noted == []
    assert len(here.post.sent) == 1


def test_forms_silence_end_and_acknowledge(here):
    here.fails("Sales [1]")
    client = here.client
    form = {"alert": here.id, "for": "1h", "reason": "we know"}
    done = client.post("/alerts/silence?tz=utc", data=form)
    assert (done.status_code, done.headers["location"]) == (303, "/alerts?tz=utc")
    (silence,) = here.engine.silences
    assert (silence.reason, silence.by) == ("we know", "asha")
    assert all(
        silence.covers(alert, here.clock()) for alert in here.engine.alerts if alert.id == here.id
    )
    assert "silenced" in client.get("/alerts").text
    assert client.post("/alerts/end", data={"id": str(silence.id)}).status_code == 303
    assert here.engine.silences == []
    assert client.post("/alerts/acknowledge", data={"alert": here.id}).status_code == 303
    assert here.engine.alerts[0].acknowledged == "asha"
    assert "<bdi>asha</bdi> is on it" in client.get("/alerts").text
    assert [deed.what for deed in here.noted] == [
        "silenced alerts",
        "ended a silence",
        "acknowledged an alert",
    ]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"rule": "", "for": "1h", "reason": "x"}, "it says of nothing what to silence"),
        ({"rule": "bot-down", "for": "1h", "reason": " "}, "it has no reason"),
        ({"rule": "bot-down", "for": "1h", "reason": "\x1e\x00"}, "it has no reason"),
        ({"rule": "bot-down", "for": "1h", "reason": "x" * 301}, "it is too long"),
        ({"rule": "\x1c", "for": "1h", "reason": "x"}, "it says of nothing what to silence"),
        ({"rule": "bot-down", "for": "for ever", "reason": "x"}, "it has no end"),
        ({"label": "colour", "value": "x", "for": "1h", "reason": "x"}, "no such label"),
        ({"alert": "gone", "for": "1h", "reason": "x"}, "this alert is over"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(here, form, said):
    done = here.client.post("/alerts/silence", data=form)
    assert done.status_code == 303
    assert said in here.client.get(done.headers["location"]).text
    assert here.engine.silences == []


def test_a_whole_chain_is_tried_with_one_press(here):
    here.severities = {"ops": ALL, "asha": ALL, "ravi": ALL}
    here.policies = (Policy(name="night", steps=(("asha",), ("ravi",)), wait_ms=600_000),)
    here.start()
    page = here.client.get("/alerts").text
    assert "<bdi>asha</bdi>, 10 min later <bdi>ravi</bdi>, until somebody is on it" in page
    here.post.problems["ravi"] = ["refused by them"]
    done = here.client.post("/alerts/test", data={"destination": "night"})
    text = here.client.get(done.headers["location"]).text
    assert "asha</bdi> was sent." in text
    assert "ravi</bdi> was not sent: <bdi>refused by them</bdi>" in text
    assert [to for to, _ in here.post.sent] == ["asha"]
    here.post.problems["asha"] = ["no", "no"]
    body = here.client.post("/api/v1/alerts/test", json={"destination": "night"}).json()
    assert body == {"sent": False, "problem": "asha: no"}
    assert here.client.get("/api/v1/alerts").json()["policies"] == [
        {
            "name": "night",
            "steps": [["asha"], ["ravi"]],
            "wait_s": 600,
            "repeat": 0,
            "match": {},
        }
    ]


def test_a_test_says_how_it_went(here):
    here.post.problems["ops"] = ["refused by them"]
    for said in ("was not sent: <bdi>refused by them</bdi>", "was sent."):
        done = here.client.post("/alerts/test", data={"destination": "ops"})
        assert said in here.client.get(done.headers["location"]).text
        here.clock.pass_s(1)
    done = here.client.post("/alerts/test", data={"destination": "nobody"})
    assert "no such destination" in here.client.get(done.headers["location"]).text


def test_the_api_does_the_same(here):
    here.fails()
    client = here.client
    found = client.get("/api/v1/alerts").json()
    assert [each["rule"] for each in found["alerts"]] == ["bot-down", "bot-failing"]
    assert found["alerts"][0]["fired_at"].endswith("Z")
    assert found["sent"][0]["state"] == "completed"
    rules = {each["name"]: each for each in found["rules"]}
    assert rules["bot-down"]["now"]["value"] == 2.0
    assert rules["throttled"]["now"] is None
    body = {"matcher": {"rule": "bot-*", "bot": "Sales"}, "for_s": 3600, "reason": "known"}
    made = client.post("/api/v1/alerts/silences", json=body)
    assert (made.status_code, made.json()["matcher"]) == (201, body["matcher"])
    assert client.get("/api/v1/alerts").json()["silences"] == [made.json()]
    assert client.delete(f"/api/v1/alerts/silences/{made.json()['id']}").status_code == 204
    assert client.delete(f"/api/v1/alerts/silences/{made.json()['id']}").status_code == 404
    assert client.delete(f"/api/v1/alerts/silences/{2**63}").status_code == 404
    acknowledge = {"alert": found["alerts"][0]["id"]}
    assert client.post("/api/v1/alerts/acknowledge", json=acknowledge).status_code == 204
    assert client.post("/api/v1/alerts/acknowledge", json={"alert": "x"}).status_code == 404
    sent = client.post("/api/v1/alerts/test", json={"destination": "ops"})
    assert sent.json() == {"sent": True, "problem": None}
    gone = client.post("/api/v1/alerts/test", json={"destination": "nobody"})
    assert gone.status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("silences", b"not json"),
        ("silences", b'{"matcher":{"rule":"x"},"for_s":"long","reason":"x"}'),
        ("silences", b'{"matcher":{},"for_s":60,"reason":"x"}'),
        ("silences", b'{"matcher":{"rule":"x"},"for_s":0,"reason":"x"}'),
        ("silences", b'{"matcher":{"rule":"x"},"for_s":60,"reason":"x","extra":1}'),
        ("acknowledge", b"\xff"),
        ("test", b" " * 20_000),
    ],
)
def test_the_api_refuses_what_it_does_not_understand(here, path, body):
    answer = here.client.post(f"/api/v1/alerts/{path}", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["problem"]
    assert here.noted == []


def test_the_api_is_what_its_description_says(here):
    """Every operation, with bodies that fit."""
    here.fails()
    here.engine.silence((("rule", "*"),), NOW_AND_LONG, "known", "asha")
    document = {
        "openapi": "3.1.0",
        "info": {"title": "alerts", "version": "1"},
        "paths": PATHS,
        "components": {"schemas": {**SCHEMAS, "Error": {"type": "object"}}},
    }
    schema = schemathesis.openapi.from_dict(document)
    schema.app = here.app
    tried = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        tried.add(operation.path)

        @settings(max_examples=10, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(headers={"Host": "127.0.0.1"}, base_url="http://127.0.0.1")

        check()
    assert tried == PATHS.keys()


def test_numbers_are_masked_for_viewers(here):
    here.fails("+919876543210")
    here.viewer = Viewer("ravi", Role.VIEWER)
    assert "9876543210" not in here.client.get("/alerts").text
    assert "9876543210" not in here.client.get("/api/v1/alerts").text


def test_who_sees_no_numbers_acts_on_any_alert(here):
    """Some ids look as if a number were in them; a masked one would be nobody's."""
    here.viewer = Viewer("asha", Role.OPERATOR)
    for number in range(1000):
        here.fails(f"Sales {number}")
        ids = {each.id for each in here.engine.alerts if each.firing}
        if any(mask_text(id) != id for id in ids):
            break
    named = re.findall(r'name="alert" value="([^"]*)"', here.client.get("/alerts").text)
    assert {*named} == ids
    assert {each["id"] for each in here.client.get("/api/v1/alerts").json()["alerts"]} >= ids

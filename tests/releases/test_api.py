"""The API of releases: who may, what is done and told, and that it is as it describes itself."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from asgi_client import Client
from releases.made import DEFAULT, NOW, InMemory, runs, text
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.roles import Role, Viewer
from switchhook.releases.acts import ActWanted
from switchhook.releases.api import PATHS, SCHEMAS, ReleasesApi
from switchhook.releases.doubts import SWITCHHOOK
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.release import ReleaseAct
from switchhook.releases.releasing import Releasing
from switchhook.server.tables import open_ledger
from switchhook.web.app import create_app

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"


class Here:
    def __init__(self, folder):
        self.ledger = open_ledger(folder / "ledger")
        self.running, self.now = InMemory(runs(text("A"))), NOW
        self.releasing = Releasing(LedgerReleases(self.ledger), self.running, lambda: self.now)
        self.releasing.reconcile()
        self.viewer = Viewer("asha", Role.OPERATOR, origin="10.0.0.1", releases=True)

    @property
    def app(self):
        inner = create_app([ReleasesApi(self.releasing)])

        async def app(scope, receive, send):
            scope["viewer"] = self.viewer
            await inner(scope, receive, send)

        return app

    @property
    def client(self):
        return Client(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    def get(self, path=""):
        return self.client.get(f"/api/v1/releases{path}")

    def add(self, of="B", **more):
        body = {"subject": "default", "text": text(of), "reason": "try it", **more}
        return self.client.post("/api/v1/releases", json=body)

    def act(self, number, act, **more):
        return self.client.post(f"/api/v1/releases/{number}/acts", json={"act": act, **more})


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path)
    yield found
    found.ledger.close()


def test_what_runs_is_told(here):
    found = here.get().json()
    assert found["subjects"] == [DEFAULT]
    assert found["older"] == 0
    (only,) = found["releases"]
    assert (only["number"], only["state"], only["by_file"]) == (1, "full", True)
    assert here.get("?subject=default").json() == found
    assert here.get("?subject=other").json()["releases"] == []
    assert here.get("?more=1").status_code == 400


def test_a_text_becomes_a_release_once(here):
    answer = here.add()
    assert (answer.status_code, answer.json()["new"]) == (201, True)
    again = here.add(reason="other")
    assert (again.status_code, again.json()["new"]) == (200, False)
    assert again.json()["number"] == 2
    whole = here.get("/2").json()
    assert whole["text"] == text("B")
    assert whole["differences"] == ["all callers now go to B (before: go to A)"]
    assert whole["steps"] == []
    assert here.get("/1").json()["differences"] is None


def test_a_release_goes_through_its_states(here):
    here.add()
    said = here.act(2, "canary", share=0.05, reason="small first").json()
    assert said["said"] == "release 2 decides for 5 % of callers"
    assert (said["release"]["state"], said["release"]["share"]) == ("canary", 0.05)
    assert here.running.proposed == {DEFAULT: 2}
    said = here.act(2, "promote").json()
    assert [(move["number"], move["state"]) for move in said["moves"]] == [
        (1, "retired"),
        (2, "full"),
    ]
    assert here.act(2, "roll back").json()["said"].startswith("release 1 decides for all")
    steps = here.get("/2").json()["steps"]
    assert [(each["state"], each["share"], each["reason"]) for each in steps] == [
        ("canary", 0.05, "small first"),
        ("full", None, None),
        ("rolled back", None, None),
    ]
    noted = LedgerAudit(here.ledger).entries(AuditFilter(), 10)
    assert [each.what for each in noted] == [
        "rolled a release back",
        "promoted a release",
        "put a release in canary",
        "made a release",
    ]
    assert {each.origin for each in noted} == {"10.0.0.1"}


def test_a_canary_that_can_not_decide_any_more_says_why(here):
    here.add()
    here.act(2, "canary", share=0.05, reason="small first")
    assert here.get("/2").json()["problems"] == []
    here.running.problems[text("B")] = ("there is no pool 'sales'",)
    assert here.get("/2").json()["problems"] == ["there is no pool 'sales'"]
    assert here.get().json()["releases"][0]["problems"] == ["there is no pool 'sales'"]
    assert here.get("/1").json()["problems"] == []


def test_what_changes_is_told_against_what_runs_or_another(here):
    here.add()
    against = here.get("/2/differences").json()
    assert against == {
        "from": 1,
        "to": 2,
        "differences": ["all callers now go to B (before: go to A)"],
    }
    assert here.get("/1/differences?from=2").json()["differences"] == [
        "all callers now go to A (before: go to B)"
    ]
    assert here.get("/2/differences?from=x").status_code == 400
    assert here.get("/2/differences?from=99").status_code == 404


def test_who_saw_another_state_is_told(here):
    here.add()
    seen = here.get("/2").json()["since"]
    here.now += 1
    assert here.act(2, "canary", share=0.05, seen=seen).status_code == 200
    late = here.act(2, "promote", seen=seen)
    assert late.status_code == 400
    assert late.json()["error"]["problem"] == (
        "release 2 was put in canary by asha meanwhile, and is in canary at 5 % now"
    )


@pytest.mark.parametrize(
    "viewer",
    [Viewer("vik", Role.VIEWER), Viewer("token", Role.OPERATOR), Viewer("op", Role.ADMINISTRATOR)],
)
def test_without_the_right_to_release_one_reads_alone(here, viewer):
    here.add()
    here.viewer = viewer
    assert here.get("/2").status_code == 200
    refused = here.act(2, "promote")
    assert refused.status_code == 403
    assert "the right to release" in refused.text
    assert here.add("C").status_code == 403
    assert here.running.runs[DEFAULT].text == text("A")


def test_numbers_in_rules_are_masked_for_who_may_not_see_them(here):
    said = "[[rule]]\nname='vip'\nwhen='call.from == \"+919876543210\"'\noption='B'\n" + text()
    here.add(text=said)
    assert "9876543210" not in here.get("/2").text


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"subject": "nowhere"}, "there is no endpoint 'nowhere' in the configuration"),
        ({"reason": " "}, "it has no reason"),
        ({"reason": "x" * 301}, "its reason is too long"),
        ({"text": "a\0b"}, "characters that no text has"),
        ({"text": 5}, "not as described"),
        ({"more": 1}, "not as described"),
    ],
)
def test_what_is_no_release_is_refused(here, body, problem):
    answer = here.add(**body)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]["problem"]
    assert len(here.get().json()["releases"]) == 1


@pytest.mark.parametrize(
    ("act", "more", "problem"),
    [
        ("canary", {"share": 0}, "it is no share of a canary"),
        ("canary", {"share": 1}, "it is no share of a canary"),
        ("canary", {}, "0 % of the callers is no canary"),
        ("stop", {}, "release 2 is checked, and can't be stopped"),
        ("fly", {}, "not as described"),
        ("promote", {"seen": "yesterday"}, "it is no time"),
        ("promote", {"seen": "2026-11-29T10:00:00"}, "it is no time"),
        ("supersede", {}, "nobody asks for supersede"),
    ],
)
def test_what_cannot_be_done_is_refused(here, act, more, problem):
    here.add()
    answer = here.act(2, act, **more)
    assert answer.status_code == 400
    assert problem in answer.json()["error"]["problem"]


def test_a_text_that_harmed_callers_is_meant_by_again_alone(here):
    here.add()
    here.act(2, "canary", share=0.05)
    wants = ActWanted(act=ReleaseAct.FREEZE, by=SWITCHHOOK, evidence="E = 239 (…): harm")
    here.releasing.releases.act(2, wants, NOW, check=lambda _: ())
    assert here.get("/2").json()["evidence"] == wants.evidence
    assert here.add().json()["number"] == 3
    harmed = "this text is release 2's, which harmed callers (E = 239)"
    assert here.act(3, "check").json()["warnings"] == [harmed]
    refused = here.act(3, "promote", reason="once more")
    assert refused.status_code == 400
    assert refused.json()["error"]["problem"] == harmed
    assert here.act(3, "canary", share=0.05, again=True).status_code == 400
    done = here.act(3, "canary", share=0.05, again=True, reason="the bot was down").json()
    assert done["warnings"] == [harmed]
    (entry, *_) = LedgerAudit(here.ledger).entries(AuditFilter(), 1)
    assert f'"again":"{harmed}"' in entry.details


def test_a_token_that_may_not_release_hears_of_the_scope_that_may(here):
    here.viewer = Viewer("ci", Role.OPERATOR, token=True)
    answer = here.add()
    assert answer.status_code == 403
    assert "a token has it by the scope release" in answer.text


def test_only_switchhook_freezes(here):
    here.add()
    here.act(2, "canary", share=0.05)
    answer = here.act(2, "freeze")
    assert answer.status_code == 400
    assert answer.json()["error"]["problem"] == "nobody asks for freeze"


def test_what_is_not_there_is_404(here):
    assert here.get("/99").status_code == 404
    assert here.get(f"/{10**30}").status_code == 404
    assert here.act(99, "promote").status_code == 404


def test_hostile_texts_are_told_as_they_are(here):
    here.add(reason=HOSTILE, text=f"# {HOSTILE}")
    found = here.get("/2").json()
    assert (found["reason"], found["text"]) == (HOSTILE, f"# {HOSTILE}")


def test_it_does_what_its_description_says(here):
    """Every operation, with bodies that fit and ones that don't."""
    here.add()
    document = {
        "openapi": "3.1.0",
        "info": {"title": "releases", "version": "1"},
        "paths": PATHS,
        "components": {"schemas": {**SCHEMAS, "Error": {"type": "object"}}},
    }
    schema = schemathesis.openapi.from_dict(document)
    schema.app = here.app
    tried = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        tried.add(operation.path)

        @settings(max_examples=20, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(
                headers={"Host": "127.0.0.1"},
                base_url="http://127.0.0.1",
                excluded_checks=[positive_data_acceptance],
            )

        check()
    assert tried == PATHS.keys()

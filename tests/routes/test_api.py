"""The API of pools: operators act, viewers read, and everything does what its description says."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from asgi_client import Client
from routes.test_worker import World
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.roles import Role, Viewer
from switchhook.routes.api import PATHS, SCHEMAS, RoutesApi
from switchhook.web.app import create_app

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"
MOVE = {"act": "move", "pool": "sales", "to_pool": "backup", "reason": "A fails"}


class Here(World):
    def __init__(self, folder):
        super().__init__(folder)
        self.viewer = Viewer("asha", Role.OPERATOR, origin="10.0.0.1")
        self.worker.look()

    @property
    def app(self):
        inner = create_app([RoutesApi(self.worker)])

        async def app(scope, receive, send):
            scope["viewer"] = self.viewer
            await inner(scope, receive, send)

        return app

    @property
    def client(self):
        return Client(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    def post(self, path, **body):
        return self.client.post(f"/api/v1/routes/{path}", json=body)

    def get(self, path=""):
        return self.client.get(f"/api/v1/routes{path}").json()


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path)
    yield found
    found.ledger.close()


def test_pools_and_members_are_told(here):
    found = here.get()
    sales = found["pools"][0]
    assert (sales["name"], sales["breaker_enabled"], sales["degraded"]) == ("sales", True, False)
    assert [each["name"] for each in sales["members"]] == ["vendor-a", "vendor-b", "old"]
    assert sales["members"][0]["evidence"][0] == {
        "source": "streams",
        "good": None,
        "said": "no stream ended in 15 min",
        "at": None,
    }
    assert found["hands"] == []


def test_what_an_operator_sets_is_in_force_and_in_the_audit_log(here):
    answer = here.post("hands", **MOVE, for_s=7200)
    assert answer.status_code == 201
    said = answer.json()
    assert (said["said"], said["warning"]) == ("calls of sales go to backup", None)
    assert said["hand"]["by"] == "asha"
    assert here.facts.hands[0].to == "backup"
    assert here.get()["pools"][0]["to_pool"] == "backup"
    (entry,) = LedgerAudit(here.ledger).entries(AuditFilter(), 10)
    assert (entry.who, entry.what, entry.subject) == ("asha", "moved a pool's calls", "sales")
    assert '"reason":"A fails"' in entry.details
    assert entry.origin == "10.0.0.1"


def test_undo_ends_it_and_what_is_over_is_told(here):
    here.post("hands", **MOVE)
    answer = here.post("undo", reason="it is well")
    assert (answer.status_code, answer.json()["words"]) == (200, "calls of sales go to backup")
    found = here.get("/hands")
    assert found["hands"] == []
    assert [(each["id"], each["ended_by"]) for each in found["past"]] == [(1, "asha")]


def test_a_viewer_reads_and_may_not_act(here):
    here.viewer = Viewer("vik", Role.VIEWER)
    assert here.get()["pools"]
    assert here.post("hands", **MOVE).status_code == 403
    assert here.post("undo").status_code == 403
    assert here.facts.hands == ()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({**MOVE, "to_pool": "bakup"}, "there is no pool bakup"),
        ({**MOVE, "reason": " "}, "it has no reason"),
        ({"act": "weight", "member": "vendor-a", "weight": 1.5, "reason": "x"}, "no whole number"),
        ({**MOVE, "for_s": 0}, "its length is none"),
        ({**MOVE, "more": 1}, "not as described"),
        ({"act": "dance", "reason": "x"}, "not as described"),
        ({**MOVE, "reason": "x" * 20_000}, "too large"),
    ],
)
def test_what_is_wrong_is_said(here, body, problem):
    answer = here.post("hands", **body)
    assert answer.status_code == 400
    assert problem in answer.text
    assert here.facts.hands == ()


def test_what_is_no_json_is_said(here):
    answer = here.client.post("/api/v1/routes/undo", content=b"\xff{")
    assert (answer.status_code, "not JSON" in answer.text) == (400, True)
    assert here.post("undo", id=3).json()["error"]["problem"].startswith("nothing is set by hand")
    assert here.client.get("/api/v1/routes?x=1").status_code == 400


def test_hostile_texts_are_told_as_they_are(here):
    here.post("hands", **{**MOVE, "reason": HOSTILE})
    assert here.get()["hands"][0]["reason"] == HOSTILE
    assert here.post("hands", **{**MOVE, "pool": HOSTILE}).status_code == 400
    assert here.post("undo", reason="x" * 400).status_code == 400


def test_it_does_what_its_description_says(here):
    """Every operation, with bodies that fit and ones that don't; a pool that is not is refused."""
    document = {
        "openapi": "3.1.0",
        "info": {"title": "routes", "version": "1"},
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

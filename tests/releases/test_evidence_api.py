"""`/api/v1/releases/N/evidence`: how a candidate does or did, as it is described."""

from __future__ import annotations

import jsonschema_rs
import pytest

from asgi_client import Client
from releases.test_worker import BEGUN, world  # noqa: F401 - a fixture
from switchhook.access.roles import Role, Viewer
from switchhook.releases.evidence_api import EvidenceApi
from switchhook.releases.release import ReleaseAct
from switchhook.server.api_document import describe_all
from switchhook.web.app import create_app

SCHEMAS = describe_all("1")["components"]["schemas"]


def get(here, path):
    inner = create_app([EvidenceApi(here.worker.views)])

    async def app(scope, receive, send):
        scope["viewer"] = Viewer("asha", Role.VIEWER)
        await inner(scope, receive, send)

    return Client(app, base_url="http://127.0.0.1").get(f"/api/v1/releases/{path}/evidence")


def evidence(here, number):
    found = get(here, number).json()
    schema = {"$ref": "#/components/schemas/ReleaseEvidence", "components": {"schemas": SCHEMAS}}
    jsonschema_rs.validator_for(schema).validate(found)
    return found


def test_of_a_canary_it_has_evidence_stages_and_callers(world):  # noqa: F811
    number = world.release()
    world.act(number, BEGUN, share=5_000)
    world.call(20, canary="failed", control="failed")
    world.look()
    found = evidence(world, number)
    assert found["shadow"] is None
    rollout = found["rollout"]
    assert (rollout["share"], rollout["told_share"], rollout["ended"]) == (0.5, 0.5, None)
    assert rollout["evidence"]["callers"] == 20
    first = rollout["evidence"]["measures"][0]
    assert first["name"] == "stream_failed"
    assert first["canary_failed"] + first["control_failed"] == 20
    assert rollout["stages"][0]["state"] == "now"
    assert len(rollout["callers"]) == 20
    assert all("•" in each["number"] for each in rollout["callers"])
    world.call(40, canary="failed")
    world.look()
    over = evidence(world, number)["rollout"]
    assert over["evidence"]["harm"] is True
    assert over["ended"] is not None


def test_of_a_shadow_it_has_the_differences_also_once_it_is_over(world):  # noqa: F811
    number = world.release("B")
    world.act(number, ReleaseAct.SHADOW)
    world.call(3)
    world.look()
    before = evidence(world, number)
    assert (before["rollout"], before["shadow"]["different"]) == (None, 3)
    world.act(number, BEGUN, share=5_000)
    both = evidence(world, number)
    assert both["shadow"]["different"] == 3
    assert both["rollout"]["share"] == 0.5


@pytest.mark.parametrize("path, status", [("99", 404), ("x", 404)])
def test_of_what_was_no_candidate_there_is_none(world, path, status):  # noqa: F811
    assert get(world, path).status_code == status

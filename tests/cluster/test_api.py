"""The API of nodes."""

from __future__ import annotations

import pytest

from asgi_client import Client
from node_rows import NOW_MS, A, B, C, cluster, node, view
from switchhook.access.roles import Role, Viewer
from switchhook.cluster.acts import NodeActs
from switchhook.cluster.api import NodesApi
from switchhook.cluster.view import ClusterView, Conflict
from switchhook.cluster.view_queries import read_view
from switchhook.server.tables import open_ledger
from switchhook.web.app import create_app

ASHA, VIK = Viewer("asha", Role.OPERATOR), Viewer("vik", Role.VIEWER)
AT = "/api/v1/nodes"


def client_of(seen, acts=None, viewer=ASHA):
    inner = create_app([NodesApi(lambda: seen, acts, lambda: NOW_MS + 2_500)])

    async def app(scope, receive, send):
        scope["viewer"] = viewer
        await inner(scope, receive, send)

    return Client(app, base_url="http://127.0.0.1")


def test_all_is_told_with_its_age():
    late = node(B, "b", handed_seq=990, handed_ago_s=42.0, seen_ago_s=30.0, told_version=3)
    seen = view(node(A, "a"), late, told_version=8, conflicts=(Conflict(B, 2, 9.0),))
    said = client_of(seen).get(AT).json()
    assert said["clustered"]
    assert said["said"] is None
    assert said["cluster"]["age_s"] == 2.5
    assert said["cluster"]["leader"] == {
        "node": A,
        "name": "a",
        "epoch": 7,
        "since": "2026-11-18T11:05:10.000000Z",
        "leads": True,
        "lease_ends_in_s": 9.0,
        "wanted": None,
    }
    assert said["cluster"]["conflicts"] == [{"node": B, "name": "b", "count": 2, "last_ago_s": 9.0}]
    assert [(each["name"], each["leads"], each["away"]) for each in said["nodes"]] == [
        ("a", True, False),
        ("b", False, True),
    ]
    second = said["nodes"][1]
    assert (second["node"], second["behind"], second["behind_s"]) == (B, 10, 42.0)
    assert second["told_behind"] == 5


def test_on_one_machine_it_says_so():
    said = client_of(None).get(AT).json()
    assert (said["clustered"], said["cluster"], said["nodes"]) == (False, None, [])
    assert "one machine" in said["said"]


def test_before_anything_was_read_it_says_why():
    said = client_of(ClusterView(problem="the server is gone")).get(AT).json()
    assert said["said"] == "the server is gone"
    assert said["cluster"]["as_of"] is said["cluster"]["age_s"] is None


def test_it_takes_no_parameters():
    assert client_of(view()).get(f"{AT}?x=1").status_code == 400


@pytest.fixture
def here(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), (B, "b"), (C, "c"), leads=A) as connection:
        ledger = open_ledger(postgresql_schema)
        yield read_view(connection, NOW_MS), NodeActs(ledger, lambda: NOW_MS)
        ledger.close()


def test_an_operator_acts(here):
    client = client_of(*here)
    done = client.post(f"{AT}/lead", json={"node": "b"})
    assert (done.status_code, done.json()["said"]) == (200, "b is wanted as the leader")
    assert client.post(f"{AT}/drain", json={"node": str(B)}).json()["node"]["node"] == B
    back = client.post(f"{AT}/drain", json={"node": "b", "back": True, "reason": "done"})
    assert back.json()["said"] == "b takes part again"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("lead", {"node": "a"}, "leads already"),
        ("drain", {"node": "z"}, "there is no node z"),
        ("drain", {}, "missing required field"),
        ("lead", {"node": "b", "more": 1}, "unknown field"),
    ],
)
def test_what_can_not_be_is_refused(here, path, body, said):
    refused = client_of(*here).post(f"{AT}/{path}", json=body)
    assert refused.status_code == 400
    assert said in refused.text


def test_a_viewer_may_look_and_not_act(here):
    seen, acts = here
    client = client_of(seen, acts, VIK)
    assert client.get(AT).status_code == 200
    assert client.post(f"{AT}/drain", json={"node": "b"}).status_code == 403


def test_on_one_machine_nothing_can_be_done():
    refused = client_of(None).post(f"{AT}/drain", json={"node": "b"})
    assert refused.status_code == 400
    assert "one machine" in refused.text

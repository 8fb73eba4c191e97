"""The page Nodes: what it shows to whom, on the leader and on another node, and its forms."""

from __future__ import annotations

import re
from html import unescape

import pytest

from asgi_client import Client
from node_rows import NOW_MS, A, B, C, cluster, node, view
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.roles import Role, Viewer
from switchhook.cluster.acts import NodeActs
from switchhook.cluster.page import NodesPage
from switchhook.cluster.view import ClusterView, Conflict, Leader, NodeState
from switchhook.cluster.view_queries import read_view
from switchhook.server.tables import open_ledger
from switchhook.web.app import create_app
from switchhook.web.render import Renderer

HOSTILE = "<script>alert(1)</script>"
ASHA = Viewer("asha", Role.OPERATOR)
VIK = Viewer("vik", Role.VIEWER)


def client_of(seen, acts=None, viewer=ASHA):
    page = NodesPage(
        Renderer(clustered=seen is not None), lambda: seen, acts, lambda: NOW_MS + 3_000
    )
    inner = create_app([page])

    async def app(scope, receive, send):
        scope["viewer"] = viewer
        await inner(scope, receive, send)

    return Client(app, base_url="http://127.0.0.1", follow_redirects=False)


def text_of(seen, **how):
    """What the page says, without markup."""
    said = client_of(seen, **how).get("/nodes")
    assert said.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", said.text)).split())


def test_who_leads_since_when_and_as_of_when():
    said = text_of(view())
    assert "a leads" in said
    assert "by epoch 7" in said
    assert "as of" in said
    assert "3 s ago" in said


def test_each_figure_of_a_node_is_there():
    late = node(
        B, "b", handed_seq=988, handed_ago_s=75.0, segments=3, waiting_bytes=42_000_000, one_copy=4,
        clock_ms=-2_400, told_version=5, problems=("the disk is full",),
    )  # fmt: skip
    said = text_of(view(node(A, "a", told_version=9), late, told_version=9))
    for each in ("12 for 1 min 15 s", "3 42.0 MB", "-2400 ms", "the disk is full", f"node {B:,}"):
        assert each in said, each
    assert "Node b hands its receipts over late" in said


def test_one_that_is_away_says_how_long_and_that_more_may_wait():
    said = text_of(view(node(A, "a"), node(B, "b", seen_ago_s=125.0, handed_seq=900)))
    assert "b away" in said
    assert "2 min 5 s ago" in said
    assert "100 for 0 s or more" in said


def test_without_a_leader_it_says_what_waits():
    said = text_of(view(leader=Leader(7, A, NOW_MS, -20.0)))
    assert "Nobody leads" in said
    assert "ran out 20 s ago" in said
    assert "pages, alerts and callbacks wait" in said
    assert "No node has led yet" in text_of(view(leader=None, led=()))


def test_while_the_database_is_away_it_says_of_when_it_is():
    said = text_of(view(problem="the server is gone", since_problem_ms=NOW_MS))
    assert "can't be read since" in said
    assert "the server is gone" in said
    assert "Callers are answered" in said
    assert "it was not asked yet" in text_of(ClusterView())


def test_on_one_machine_it_says_so_and_is_in_no_list_of_pages():
    found = client_of(None).get("/nodes").text
    assert "One machine" in found
    assert 'data-key="d"' not in found
    assert 'data-key="d"' in client_of(view()).get("/nodes").text


def test_a_clone_is_named_first_of_all():
    said = text_of(view(conflicts=(Conflict(B, 3, 5.0),)))
    assert "Two machines run as node b" in said


def test_what_comes_from_nodes_is_harmless():
    found = client_of(view(node(A, HOSTILE, address=HOSTILE, problems=(HOSTILE,)))).get("/nodes")
    assert HOSTILE not in found.text


def test_those_that_left_are_apart():
    gone = {"state": NodeState.LEFT, "seen_ago_s": 90_000.0, "left_ms": NOW_MS}
    seen = view(
        node(A, "a"), node(B, "b", handed_seq=988, **gone), node(C, "c", kept=False, **gone)
    )
    said = text_of(seen)
    assert "2 left" in said
    assert re.search(
        r"b left on 18 Nov \S+ ?; its receipts are kept; 12 of its records never", said
    )
    assert re.search(r"c left on 18 Nov \S+ ?; nothing of it is kept", said)
    table = client_of(seen).get("/nodes").text.partition("<tbody>")[2].partition("</tbody>")[0]
    assert "<th" in table
    assert table.count("<tr>") == 1


def test_one_that_left_and_runs_is_among_the_others_and_can_be_taken_back():
    seen = view(node(A, "a"), node(B, "b", state=NodeState.LEFT, left_ms=NOW_MS))
    page = client_of(seen, object()).get("/nodes").text
    assert "left, still runs" in page
    assert "Take it back" in page
    assert "still runs, and it left the cluster" in page


def test_a_viewer_sees_numbers_of_nodes_and_no_forms():
    """A node's number has as many digits as a caller's, and is none."""
    with_forms, without = text_of(view()), text_of(view(), viewer=VIK)
    assert "node 4,026,531,840" in with_forms
    assert "node 4,026,531,840" in without
    assert "Have it lead" not in without


@pytest.fixture
def here(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), (B, "b"), (C, "c"), leads=A) as connection:
        ledger = open_ledger(postgresql_schema)
        seen = read_view(connection, NOW_MS)
        acts = NodeActs(ledger, lambda: NOW_MS)
        yield seen, acts, ledger, connection
        ledger.close()


def test_an_operator_has_another_lead_and_drains(here):
    seen, acts, ledger, connection = here
    client = client_of(seen, acts)
    assert "Have it lead" in client.get("/nodes").text
    done = client.post("/nodes/lead", data={"node": str(B), "reason": "tests"})
    assert (done.status_code, done.headers["location"]) == (303, "/nodes")
    client.post("/nodes/drain", data={"node": str(C)})
    client.post("/nodes/drain", data={"node": str(C), "back": "yes"})
    assert connection.execute("SELECT wanted FROM cluster_lease").fetchone() == (B,)
    assert [each.who for each in LedgerAudit(ledger).oldest_first()] == ["asha"] * 3
    assert read_view(connection, NOW_MS).of(C).state is NodeState.ACTIVE


def test_what_can_not_be_is_said_on_the_page(here):
    seen, acts, *_ = here
    done = client_of(seen, acts).post("/nodes/lead", data={"node": str(A)})
    assert "leads+already" in done.headers["location"]
    shown = client_of(seen, acts).get(done.headers["location"]).text
    assert "Not done" in shown


def test_a_viewer_may_not_act(here):
    seen, acts, ledger, _ = here
    client = client_of(seen, acts, viewer=VIK)
    assert client.post("/nodes/drain", data={"node": str(C)}).status_code == 403
    assert list(LedgerAudit(ledger).oldest_first()) == []


def test_where_nothing_can_be_done_it_names_who_can(here):
    seen, *_ = here
    done = client_of(seen).post("/nodes/drain", data={"node": str(C)})
    assert "ask+the+node+that+leads" in done.headers["location"]

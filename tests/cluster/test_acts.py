"""What people do with nodes; each act is in the audit log, and what can't be changes nothing."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from node_rows import NOW_MS, A, B, C, cluster, is_away
from switchhook.access.audit import Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cluster.acts import LONGEST_REASON, NodeActs
from switchhook.errors import NodeError
from switchhook.server.tables import open_ledger


def deed(what, subject, said):
    return Deed(who="asha", what=what, subject=subject, details=said)


class Here:
    def __init__(self, connection, ledger):
        self.connection, self.ledger = connection, ledger
        self.acts = NodeActs(ledger, lambda: NOW_MS)

    def one(self, asked):
        return self.connection.execute(asked).fetchone()[0]

    def state(self, node):
        return self.one(f"SELECT state FROM cluster_node WHERE node = {node}")

    def audit(self):
        return [
            (each.what, each.subject, each.details)
            for each in LedgerAudit(self.ledger).oldest_first()
        ]


@pytest.fixture
def here(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), (B, "b"), (C, "c"), leads=A) as connection:
        ledger = open_ledger(postgresql_schema)
        yield Here(connection, ledger)
        ledger.close()


@contextmanager
def refused(here, match):
    before = here.connection.execute("SELECT * FROM cluster_node ORDER BY node").fetchall()
    with pytest.raises(NodeError, match=match):
        yield
    assert here.connection.execute("SELECT * FROM cluster_node ORDER BY node").fetchall() == before
    assert here.audit() == []


def test_a_wish_to_lead_is_noted(here):
    done = here.acts.lead("b", "its disk is faster", deed)
    assert done.said == "b is wanted as the leader"
    assert here.one("SELECT wanted FROM cluster_lease") == B
    assert here.audit() == [
        ("wanted a node as leader", "b", f'{{"node":"node {B:,}","reason":"its disk is faster"}}')
    ]


def test_who_leads_need_not_be_wished(here):
    with refused(here, "a leads already"):
        here.acts.lead("a", "", deed)


def test_who_is_away_or_drained_can_not_lead(here):
    is_away(here.connection, B)
    with refused(here, "b can't lead: it is away"):
        here.acts.lead("b", "", deed)
    here.connection.execute(f"UPDATE cluster_node SET state = 'draining' WHERE node = {C}")
    with refused(here, "c can't lead: it is draining"):
        here.acts.lead(str(C), "", deed)


def test_before_anybody_led_nobody_is_wished(here):
    here.connection.execute("DELETE FROM cluster_lease")
    with refused(here, "nobody has led yet"):
        here.acts.lead("b", "", deed)


def test_a_node_is_drained_and_taken_back(here):
    here.acts.drain("a", "", deed)
    assert here.state(A) == "draining"
    here.acts.take_back("a", "", deed)
    assert here.state(A) == "active"
    assert [what for what, *_ in here.audit()] == ["drained a node", "took a node back"]


def test_what_is_so_already_is_said(here):
    with refused(here, "a takes part already"):
        here.acts.take_back("a", "", deed)


def test_the_last_that_takes_part_is_not_drained(here):
    is_away(here.connection, B)
    here.connection.execute(f"UPDATE cluster_node SET state = 'left' WHERE node = {C}")
    with refused(here, "a is the only node that takes part"):
        here.acts.drain("a", "", deed)


def test_a_node_that_runs_is_drained_before_it_leaves(here):
    with refused(here, "b runs, and takes part"):
        here.acts.leave("b", "", deed)
    here.connection.execute(f"UPDATE cluster_node SET state = 'draining' WHERE node IN ({A}, {B})")
    with refused(here, "a runs, and takes part"):  # it leads still
        here.acts.leave("a", "", deed)
    here.connection.execute(f"UPDATE cluster_node SET last_seq = 12 WHERE node = {B}")
    with refused(here, "12 records of b are not in the database .wait until"):
        here.acts.leave("b", "", deed)
    here.connection.execute(f"UPDATE cluster_node SET last_seq = 0 WHERE node = {B}")
    said = here.acts.leave("b", "", deed).said
    assert said == "b has left, and may be stopped; its receipts stay"
    assert here.one(
        f"SELECT left_at > now() - interval '1 minute' FROM cluster_node WHERE node = {B}"
    )


def test_one_that_left_takes_part_again(here):
    is_away(here.connection, B)
    here.acts.leave("b", "", deed)
    with pytest.raises(NodeError, match="b has left already"):
        here.acts.drain("b", "", deed)
    here.acts.take_back("b", "", deed)
    assert here.state(B) == "active"
    assert here.one(f"SELECT left_at FROM cluster_node WHERE node = {B}") is None


def test_one_with_receipts_of_its_own_leaves_only_anyway(here):
    is_away(here.connection, B)
    here.connection.execute(f"UPDATE cluster_node SET last_seq = 12 WHERE node = {B}")
    with refused(here, "12 records of b are not in the database"):
        here.acts.leave("b", "", deed)
    here.acts.leave("b", "", deed, anyway=True)
    assert here.state(B) == "left"


def test_a_node_that_was_stopped_leaves(here):
    is_away(here.connection, B)
    assert here.acts.leave("b", "", deed).said == "b has left; its receipts stay"
    assert here.state(B) == "left"


def test_a_wrong_name_changes_nothing(here):
    with refused(here, "there is no node d"):
        here.acts.drain("d", "", deed)


def test_a_reason_is_bounded(here):
    with refused(here, "its reason is too long"):
        here.acts.drain("a", "x" * (LONGEST_REASON + 1), deed)

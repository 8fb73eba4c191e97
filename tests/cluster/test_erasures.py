"""An erasure reaches every node: each masks its own journal, and proves it."""

from __future__ import annotations

import itertools
from contextlib import ExitStack, closing

import msgspec
import pytest

from handed_over import EPOCH, FENCE, now_ms
from kept_receipts import query, receipt
from patience import PATIENCE_S
from program import until
from retention.test_erasure import hash_of_proof
from switchhook.access.audit import Deed
from switchhook.cluster.erasures import WishesOfNodes, decode_wish
from switchhook.cluster.local_erasure import LocalErasure
from switchhook.cluster.merged_journal import MergedJournal
from switchhook.cluster.searched_journal import SearchedJournal
from switchhook.cluster.view_queries import read_view
from switchhook.errors import SwitchhookError
from switchhook.exotel.spellings import Subject
from switchhook.journal import JournalReader, JournalWriter
from switchhook.journal.receipt import RecordKind, encode
from switchhook.postgresql_server import Fence, connect
from switchhook.retention.erasure import NodeState
from switchhook.retention.erasure_list_file import ErasuresOfNode
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.policy import RetentionLimits
from switchhook.retention.retention_worker import RetentionWorker
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import Identity

NUMBER, DIGITS = "+919876543210", b"9876543210"
KEY = b"k" * 32
DEED = Deed(who="asha", what="asked to erase", subject="x", origin="test")


class Folded:
    """In the place of a store that has folded everything and knows no number."""

    def position(self):
        return 2**62

    def erase_number(self, number, seqs):
        return len(seqs)

    def holds_number(self, number, until_seq=0):
        return 0

    def keep_stories(self, after_seq, before_seq, limit=0):
        return None


class Node:
    """A node with a journal of its own, and its part in erasures."""

    def __init__(self, shared, number, folder):
        self.shared, self.number, self.folder = shared, number, folder / str(number)
        self.folder.mkdir(parents=True)
        self.own = ErasuresOfNode(self.folder, Identity(number, KEY, ""), "c1")
        shared.node(number)
        self.writer = JournalWriter(
            self.journal,
            node=number,
            notify=lambda call: call(),
            observe=lambda event: None,
            synchronous="OFF",
        )
        self.reader = JournalReader(self.journal)
        self.handed = 0

    def keep(self, number="09876543210", call="c1", **more):
        raw = query(call=call, sid=f"s{self.number}") + f"&CallFrom={number}".encode()
        body = encode(receipt(raw, received_us=now_ms() * 1000, **more))
        self.writer.append(int(RecordKind.PASSTHRU), now_ms(), body)
        assert self.writer.flush(PATIENCE_S)

    def hand_over(self):
        records = self.reader.read(self.handed, 1000)
        if records:
            self.shared.hand_over(self.number, records)
            self.handed = records[-1].seq

    def begin(self):
        self.part = LocalErasure(
            self.shared.url,
            self.number,
            self.journal,
            self.own,
            wished=lambda: self.number in self.erasing(),
        )
        self.part.start()

    def erasing(self):
        """The nodes that have something to erase, as a node's watch sees them."""
        with closing(connect(self.shared.url)) as connection:
            return read_view(connection, 0).erasing

    def bytes(self):
        return b"".join(each.read_bytes() for each in sorted(self.journal.glob("0*")))

    @property
    def journal(self):
        return self.folder / "journal"

    @property
    def remembered(self):
        return list(self.own.all())

    def close_part(self):
        if hasattr(self, "part"):
            self.part.stop()

    def close(self):
        self.close_part()
        self.reader.close()
        self.writer.close()


class Cluster:
    def __init__(self, shared, folder, opened, ledger=None):
        """With the ledger in a file, but where `ledger` says that it is in the database."""
        self.shared = shared
        self.nodes = []
        for number in (1, 2, 3):
            node = Node(shared, number, folder)
            opened.callback(node.close)
            self.nodes.append(node)
        self.journal = opened.enter_context(closing(MergedJournal(shared.url)))
        self.ledger = opened.enter_context(closing(open_ledger(ledger or folder / "ledger")))
        self.opened = opened
        self.lead(FENCE)

    def lead(self, fence):
        """As whoever has this epoch."""
        wishes = WishesOfNodes(self.shared.url, fence)
        ids = itertools.count(1)
        self.sealed = SearchedJournal(self.journal, self.shared.url, fence)
        self.keeper = RetentionWorker(
            journal=self.sealed,
            store=Folded(),
            book=LedgerErasures(self.ledger),
            rows={},
            limits=RetentionLimits(0, 0, 0, 0, 0, 0, 0),
            last_seq=self.journal.last_seq,
            nodes=wishes,
            draw=lambda size: next(ids).to_bytes(size, "big"),
        )

    def hand_over(self):
        for node in self.nodes:
            node.hand_over()
        self.shared.place()

    def proof(self, id):
        self.keeper.step()
        return self.keeper.proof(id)

    def until_state(self, id, state):
        return until(
            lambda: (proof := self.proof(id)) and proof.state == state and proof, f"it is {state}"
        )


@pytest.fixture
def cluster(shared, tmp_path):
    with ExitStack() as opened:
        yield Cluster(shared, tmp_path, opened)


def test_every_node_masks_its_journal_and_proves_it(cluster):
    for node in cluster.nodes:
        node.keep()
        node.keep("09000000001")
        node.begin()
    cluster.hand_over()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    proof = cluster.until_state(id, "done")
    assert proof.complete
    assert proof.proof == hash_of_proof(msgspec.to_builtins(proof))
    assert [(each.node, each.state, each.found, each.left) for each in proof.nodes] == [
        (number, NodeState.DONE, 1, 0) for number in (1, 2, 3)
    ]
    assert all(len(each.proof) == 64 for each in proof.nodes)
    assert next(place.found for place in proof.places if place.name == "journal") == 3
    for node in cluster.nodes:
        assert DIGITS not in node.bytes()
        assert b"9000000001" in node.bytes()
        assert node.remembered == [id]
        assert DIGITS not in (node.folder / "erasures.json").read_bytes()
        assert [each.damage for each in node.reader.read(0, 10)] == ["", ""]
    assert all(DIGITS not in each.body for each in cluster.journal.read(0, 10))
    assert cluster.journal.damage == {}
    assert cluster.keeper.confirmed(id)
    wishes = cluster.shared.connection.execute("SELECT wish FROM cluster_erasure").fetchall()
    assert wishes == [(b"",)] * 3


def test_what_is_masked_in_both_places_is_the_same_record(cluster):
    for node in cluster.nodes:
        node.keep()
        node.begin()
    cluster.hand_over()
    cluster.until_state(cluster.keeper.erase(NUMBER, "asha", DEED).id, "done")
    for each in cluster.journal.read(0, 10):
        (own,) = cluster.nodes[each.origin.node - 1].reader.read(0, 10)
        assert (each.body, each.asked, each.at) == (own.body, own.asked, own.at)


def test_a_node_that_is_away_is_named_and_waited_for(cluster):
    for node in cluster.nodes:
        node.keep()
    cluster.hand_over()
    for node in cluster.nodes[:2]:
        node.begin()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    until(
        lambda: (
            [each.state for each in cluster.proof(id).nodes or ()]
            == [NodeState.DONE, NodeState.DONE, NodeState.WISHED]
        ),
        "two nodes",
    )
    proof = cluster.proof(id)
    assert (proof.state, proof.complete, proof.nodes[2].name) == ("nodes", False, "node 3")
    assert all(DIGITS not in each.body for each in cluster.journal.read(0, 10))
    cluster.nodes[2].begin()
    assert cluster.until_state(id, "done").complete


def test_a_node_that_left_before_is_said_to_hold_it_still(cluster):
    for node in cluster.nodes:
        node.keep()
    cluster.hand_over()
    for node in cluster.nodes[:2]:
        node.begin()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    cluster.until_state(id, "nodes")
    cluster.shared.node(3, state="left")
    proof = cluster.until_state(id, "done")
    assert not proof.complete
    assert [each.state for each in proof.nodes] == [NodeState.DONE, NodeState.DONE, NodeState.LEFT]


def test_a_node_that_left_before_it_was_asked_for_is_named_and_not_waited_for(cluster):
    """What it did not hand over is on its disk alone."""
    for node in cluster.nodes:
        node.keep()
    for node in cluster.nodes[:2]:
        node.hand_over()
        node.begin()
    cluster.shared.place()
    cluster.shared.node(3, state="left")
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    proof = cluster.until_state(id, "done")
    assert not proof.complete
    assert [(each.node, each.state) for each in proof.nodes] == [
        (1, NodeState.DONE),
        (2, NodeState.DONE),
        (3, NodeState.LEFT),
    ]
    assert DIGITS in cluster.nodes[2].bytes()


def test_a_node_that_left_and_runs_masks_its_journal_as_the_others_do(cluster):
    for node in cluster.nodes:
        node.keep()
        node.begin()
    cluster.hand_over()
    runs_on = "UPDATE cluster_node SET state = 'left', seen_at = clock_timestamp() WHERE node = 3"
    cluster.shared.connection.execute(runs_on)
    proof = cluster.until_state(cluster.keeper.erase(NUMBER, "asha", DEED).id, "done")
    assert proof.complete
    assert [each.state for each in proof.nodes] == [NodeState.DONE] * 3
    assert DIGITS not in cluster.nodes[2].bytes()


def test_what_a_node_hands_over_after_the_wish_is_masked_too(cluster):
    late = cluster.nodes[2]
    for node in cluster.nodes:
        node.keep()
        node.hand_over()
    cluster.shared.place()
    for node in cluster.nodes[:2]:
        node.begin()
    late.keep()  # kept before the wish, and not handed over
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    cluster.until_state(id, "nodes")
    late.begin()
    until(lambda: late.part.problems() == [] and late.remembered, "its begin")
    late.hand_over()
    until(
        lambda: cluster.proof(id).nodes[2].state == NodeState.DONE, "its end, as all is handed over"
    )
    assert cluster.proof(id).state == "nodes"  # what it handed over has no place yet
    cluster.shared.place()
    proof = cluster.until_state(id, "done")
    assert proof.complete
    assert proof.until_seq == 4
    assert all(DIGITS not in each.body for each in cluster.journal.read(0, 10))
    assert next(place.found for place in proof.places if place.name == "journal") == 4


def test_a_node_that_starts_anew_goes_on(cluster):
    for node in cluster.nodes:
        node.keep()
    cluster.nodes[0].hand_over()
    cluster.shared.place()
    for node in cluster.nodes:
        node.begin()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    cluster.until_state(id, "nodes")
    second = cluster.nodes[1]
    until(lambda: second.remembered, "its begin")
    second.part.stop()
    second.begin()
    cluster.hand_over()
    assert cluster.until_state(id, "done").complete
    assert len(second.remembered) == 1


def test_all_calls_with_a_custom_field_go_on_every_node(cluster):
    one, other, third = cluster.nodes
    one.writer.append(
        int(RecordKind.PASSTHRU),
        now_ms(),
        encode(receipt(query(call="c7", sid="s7") + b"&CustomField=order-4711")),
    )
    assert one.writer.flush(PATIENCE_S)
    other.keep(call="c7")
    third.keep(call="c8")
    cluster.hand_over()
    for node in cluster.nodes:
        node.begin()
    id = cluster.keeper.erase("order-4711", "asha", DEED, Subject.CUSTOM_FIELD).id
    proof = cluster.until_state(id, "done")
    assert proof.complete
    assert [each.found for each in proof.nodes] == [1, 1, 0]
    assert DIGITS not in other.bytes()
    assert DIGITS in third.bytes()
    (masked,) = other.reader.read(0, 10)
    assert b"c7" not in masked.body


def test_who_leads_next_goes_on_with_it(cluster):
    for node in cluster.nodes:
        node.keep()
    cluster.hand_over()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    cluster.until_state(id, "nodes")
    cluster.shared.connection.execute("UPDATE cluster_lease SET epoch = %s", (EPOCH + 1,))
    cluster.shared.node(4)  # whom the one that leads no more would ask, too
    with pytest.raises(SwitchhookError, match="leads no more"):
        cluster.keeper.step()
    cluster.shared.connection.execute("DELETE FROM cluster_node WHERE node = 4")
    cluster.lead(Fence(EPOCH + 1))
    for node in cluster.nodes:
        node.begin()
    assert cluster.until_state(id, "done").complete
    assert all(DIGITS not in each.body for each in cluster.journal.read(0, 10))


def test_a_wish_holds_what_it_takes_until_all_is_done(cluster):
    cluster.nodes[0].keep()
    cluster.hand_over()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    cluster.until_state(id, "nodes")
    rows = cluster.shared.connection.execute("SELECT node, wish FROM cluster_erasure ORDER BY node")
    wishes = {node: decode_wish(wish) for node, wish in rows}
    assert wishes.keys() == {1, 2, 3}
    assert {wish.number for wish in wishes.values()} == {NUMBER}
    assert "nodes" not in msgspec.to_builtins(cluster.keeper.plan(NUMBER))

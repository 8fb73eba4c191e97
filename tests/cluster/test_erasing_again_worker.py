"""A database that is restored to before an erasure has it done again, by what each node knows."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from sqlalchemy import make_url

import postgresql
from cluster.test_erasures import DEED, DIGITS, KEY, NUMBER, Cluster
from handed_over import EPOCH, FENCE, now_ms
from kept_receipts import query, receipt
from patience import PATIENCE_S
from program import until
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cluster.erasing_again_worker import ErasingAgain
from switchhook.cluster.erasures import WishesOfNodes, tell_lacking
from switchhook.cluster.view import ErasedAgain
from switchhook.cluster.view_queries import read_view
from switchhook.exotel.spellings import Subject
from switchhook.journal.receipt import RecordKind, encode
from switchhook.retention.erasure import NodeState
from switchhook.retention.erasure_list_file import ErasuresOfNode
from switchhook.retention.fingerprints import Fingerprints
from switchhook.retention.ledger import LedgerErasures
from switchhook.system.data_folder import Identity


class Restored(Cluster):
    """Three nodes whose database can be put back; `again` is the leader's part in that."""

    def __init__(self, shared, folder, opened):
        super().__init__(shared, folder, opened, ledger=shared.url)
        self.file = folder / "dump"
        self.url = make_url(shared.url).set(drivername="postgresql+psycopg")
        self.schema = self.url.query["options"].partition("=")[2]
        self.again = ErasingAgain(
            WishesOfNodes(shared.url, FENCE),
            self.journal,
            self.sealed,
            LedgerErasures(self.ledger),
            KEY,
            self.view,
            now_ms,
        )

    def dump(self):
        postgresql.dumped(self.url.set(query={}), self.file, f"--schema={self.schema}")

    def restore(self):
        """As it was, with a lease that holds; the nodes connect anew, as after any restore."""
        for node in self.nodes:
            node.close_part()
        postgresql.restore_schema(self.url.set(query={}), self.schema, self.file)
        lease = (
            "UPDATE cluster_lease SET epoch = %s, expires_at = clock_timestamp() + interval '1 h'"
        )
        self.shared.connection.execute(lease, (EPOCH,))

    def look(self, nodes=None):
        """Nodes have told what they know, and the leader has looked through all there is."""
        for node in self.nodes if nodes is None else nodes:
            tell_lacking(self.shared.connection, node.number, node.own.all().values())
        while self.again.step():
            pass

    def erase(self, *what):
        """Have it done by all nodes; its proof."""
        id = self.keeper.erase(*what).id
        return self.until_state(id, "done")

    def deeds(self):
        return [each.what for each in LedgerAudit(self.ledger).oldest_first()]

    def view(self):
        return read_view(self.shared.connection, 0)

    def erased_again(self):
        return self.view().erased_again

    def bodies(self):
        return [each.body for each in self.journal.read(0, 100)]


@pytest.fixture
def cluster(shared, tmp_path):
    with ExitStack() as opened:
        yield Restored(shared, tmp_path, opened)


def begin_all(cluster):
    for node in cluster.nodes:
        node.begin()


def test_what_a_restored_database_has_again_is_erased_again(cluster):
    for node in cluster.nodes:
        node.keep()
        node.keep("09000000001")
    cluster.hand_over()
    cluster.dump()
    begin_all(cluster)
    before = cluster.erase(NUMBER, "asha", DEED)
    assert before.complete
    cluster.restore()
    assert sum(DIGITS in body for body in cluster.bodies()) == 3
    assert cluster.keeper.proof(before.id) is None

    cluster.look()
    assert cluster.erased_again() == ErasedAgain(1, 0)
    assert "erases a number again after a restore" in cluster.deeds()
    after = cluster.until_state(before.id, "done")  # and no node does anything: each has proved it
    assert after.complete
    assert after.nodes == before.nodes
    assert (after.masked, after.asked_ms, after.by) == (before.masked, before.asked_ms, "restore")
    assert not any(DIGITS in body for body in cluster.bodies())
    assert sum(b"9000000001" in body for body in cluster.bodies()) == 3
    assert cluster.erased_again() == ErasedAgain(1, 1)
    (entry,) = [each for each in LedgerAudit(cluster.ledger).oldest_first() if "again" in each.what]
    assert NUMBER not in str(entry)

    deeds = cluster.deeds()
    cluster.look()
    assert cluster.deeds() == deeds


def test_nothing_is_told_of_a_database_that_was_not_restored(cluster):
    cluster.nodes[0].keep()
    cluster.hand_over()
    begin_all(cluster)
    cluster.erase(NUMBER, "asha", DEED)
    cluster.look()
    assert cluster.erased_again() == ErasedAgain()


def test_who_called_again_after_the_erasure_is_kept(cluster):
    """In the journal of their node, and in the database, to which that is handed over again.

    What another node has of before the erasure comes later than that.
    """
    one, other, _ = cluster.nodes
    one.keep()
    other.keep()
    one.hand_over()
    cluster.shared.place()
    cluster.dump()
    cluster.hand_over()
    begin_all(cluster)
    id = cluster.erase(NUMBER, "asha", DEED).id
    one.keep(call="later")
    cluster.restore()
    one.hand_over()
    cluster.shared.place()
    cluster.look()
    assert cluster.until_state(id, "done").complete
    other.handed = 0
    cluster.hand_over()
    assert [DIGITS in body for body in cluster.bodies()] == [False, True, False]
    assert DIGITS in one.bytes()


def test_a_node_that_tells_only_when_asked_has_nothing_of_others_erased(cluster):
    """It was cut off for longer than it took to begin: what it did counts as it told it then."""
    one, other, third = cluster.nodes
    one.keep()
    other.keep()
    one.hand_over()
    cluster.shared.place()
    cluster.dump()
    cluster.hand_over()
    begin_all(cluster)
    before = cluster.erase(NUMBER, "asha", DEED)
    one.keep(call="later")
    cluster.restore()
    one.hand_over()
    cluster.shared.place()
    cluster.look([one, third])
    cluster.until_state(before.id, "nodes")
    other.handed = 0
    cluster.hand_over()
    other.begin()
    after = cluster.until_state(before.id, "done")
    assert after.complete
    assert after.nodes == before.nodes
    assert [DIGITS in body for body in cluster.bodies()] == [False, True, False]


def test_a_node_that_had_not_done_it_does_it_then(cluster):
    """It was away all along, and knows nothing: it is asked as those who knew are not."""
    *there, away = cluster.nodes
    for node in cluster.nodes:
        node.keep()
    cluster.hand_over()
    cluster.dump()
    for node in there:
        node.begin()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    until(
        lambda: (
            [each.state for each in cluster.proof(id).nodes or ()]
            == [NodeState.DONE, NodeState.DONE, NodeState.WISHED]
        ),
        "two nodes",
    )
    cluster.restore()
    cluster.look()
    proof = cluster.until_state(id, "nodes")
    assert [each.state for each in proof.nodes] == ["done", "done", "wished"]
    away.begin()
    assert cluster.until_state(id, "done").complete
    assert DIGITS not in away.bytes()


def test_one_that_had_begun_and_not_ended_is_asked_again(cluster):
    one, other, _ = cluster.nodes
    one.keep()
    cluster.hand_over()
    cluster.dump()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    (begun,) = LedgerErasures(cluster.ledger).running()
    one.own.begin(begun, now_ms())
    cluster.restore()
    cluster.look()
    begin_all(cluster)
    proof = cluster.until_state(id, "done")
    assert proof.complete
    assert [each.found for each in proof.nodes] == [1, 0, 0]
    assert DIGITS not in one.bytes()
    assert other.remembered == [id]


def test_calls_with_a_custom_field_are_found_by_it(cluster):
    one, other, _ = cluster.nodes
    raw = query(call="c7", sid="s7") + b"&CustomField=order-4711"
    one.writer.append(int(RecordKind.PASSTHRU), now_ms(), encode(receipt(raw)))
    assert one.writer.flush(PATIENCE_S)
    other.keep(call="c7")
    cluster.hand_over()
    cluster.dump()
    begin_all(cluster)
    before = cluster.erase("order-4711", "asha", DEED, Subject.CUSTOM_FIELD)
    cluster.restore()
    cluster.look()
    after = cluster.until_state(before.id, "done")
    assert after.complete
    assert after.nodes == before.nodes
    assert not any(b"order-4711" in body or DIGITS in body for body in cluster.bodies())


def test_what_the_restored_database_has_nothing_of_is_noted_as_done(cluster):
    """What comes since comes masked."""
    one, *_ = cluster.nodes
    cluster.dump()
    one.keep()
    cluster.hand_over()
    begin_all(cluster)
    before = cluster.erase(NUMBER, "asha", DEED)
    cluster.restore()
    cluster.look()
    after = cluster.keeper.proof(before.id)
    assert (after.state, after.complete, after.nodes) == ("done", True, before.nodes)
    assert "found nothing of an erased number after a restore" in cluster.deeds()


def test_it_is_not_noted_as_done_before_all_is_there_of_a_node_that_had_not_done_it(cluster):
    one, *_ = cluster.nodes
    cluster.dump()
    one.keep()
    cluster.hand_over()
    id = cluster.keeper.erase(NUMBER, "asha", DEED).id
    (begun,) = LedgerErasures(cluster.ledger).running()
    one.own.begin(begun, now_ms())
    cluster.restore()
    cluster.look()
    assert cluster.keeper.proof(id) is None
    one.handed = 0
    cluster.hand_over()
    cluster.look()
    begin_all(cluster)
    assert cluster.until_state(id, "done").complete
    assert not any(DIGITS in body for body in cluster.bodies())


def test_what_had_no_place_when_the_database_was_saved_is_waited_for(cluster):
    one, *_ = cluster.nodes
    one.keep()
    one.hand_over()
    cluster.dump()
    cluster.shared.place()
    begin_all(cluster)
    id = cluster.erase(NUMBER, "asha", DEED).id
    cluster.restore()
    cluster.look()
    assert cluster.keeper.proof(id) is None
    cluster.shared.place()
    cluster.look()
    assert cluster.until_state(id, "done").complete
    assert not any(DIGITS in body for body in cluster.bodies())


def test_it_is_not_taken_for_an_erasure_of_before_the_folder_joined(cluster):
    """The list of the folder goes on, and the ledger that it had before may be left behind."""
    one, *_ = cluster.nodes
    one.keep()
    cluster.hand_over()
    begin_all(cluster)
    id = cluster.erase(NUMBER, "asha", DEED).id
    (known,) = one.own.all().values()
    assert (known.id, known.cluster) == (id, "c1")
    assert known.asked_ms <= known.begun_ms <= now_ms()
    assert known.print == Fingerprints(KEY).of(Subject.NUMBER, NUMBER)
    of_another = ErasuresOfNode(one.folder, Identity(one.number, KEY, ""), "c2")
    assert of_another.all() == {}

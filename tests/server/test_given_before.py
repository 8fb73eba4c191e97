"""A restarted answer process: what it gave before counts, by the journal's own records."""

from __future__ import annotations

import pytest

from answer.bots import gate, member, pool, pooled, voicebot
from answer.desk import START_US, Desk
from journal.conftest import Loop
from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.journal import JournalReader
from switchhook.journal.receipt import RecordKind
from switchhook.rules.routing import AdmissionBudget, MemberFacts, RoutingFacts
from switchhook.server import given_before
from switchhook.server.given_before import remember_given

WALL_MS = START_US // 1000
MAIN, VENDOR = ("main",), ("sales", "vendor-a")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


class Node:
    """An answerer on a real journal, which can be started anew."""

    def __init__(self, folder):
        self.folder = folder
        self.loop = Loop()
        self.start(None)

    def start(self, places):
        self.writer = self.loop.open(self.folder)
        config = pooled(pool("sales", member("vendor-a", limit=9)))
        points = (gate(), voicebot(fallback=None))
        self.desk = Desk(*points, config=config, journal=self.writer, places=places)
        budgets = {"main": AdmissionBudget(4, through_seq=2)}
        members = {"sales": {"vendor-a": MemberFacts(room=3, through_seq=0)}}
        self.desk.answerer.learn({}, RoutingFacts(budgets=budgets, members=members))

    def restart(self):
        next_seq = self.writer.next_seq
        self.writer.close(5)
        self.start(remember_given(self.folder, next_seq, wall_ms=WALL_MS))
        return self.desk.answerer._places

    def ask(self, path, *calls, method="GET"):
        found = []
        for call in calls:
            replies = self.desk.say(f"CallSid={call}", path=path, method=method)
            assert self.writer.flush(PATIENCE_S)
            self.loop.run_pending()
            found += [each.status for each in replies]
        return found

    def close(self):
        self.writer.close(5)


@pytest.fixture
def node(folder):
    found = Node(folder)
    yield found
    found.close()


def test_a_restarted_process_admits_no_more_than_the_one_before_would_have(node):
    """The budget is of the record 2: four more may come, whoever answers them."""
    assert node.ask("/passthru/gate", "c1", "c2", "c3", "c4") == [200] * 4
    places = node.restart()
    assert (places.since_seq, places.since(MAIN, 2), places.since(MAIN, 0)) == (0, 2, 4)
    assert places.holds(MAIN, "c4", 2)
    assert node.ask("/passthru/gate", "c5", "c6", "c7") == [200, 200, 302]


def test_addresses_count_for_their_member_and_repeats_and_heads_for_nobody(node):
    assert node.ask("/voicebot/sales-in", "c1", "c1", "c2") == [200] * 3
    assert node.ask("/voicebot/sales-in", "c9", method="HEAD") == [200]
    before = node.desk.answerer._places.since(VENDOR, 0)
    places = node.restart()
    assert before == places.since(VENDOR, 0) == 2


def test_no_more_is_read_than_counts(node, folder, monkeypatch):
    """Where not all could be read it is said from when on; of hours ago nothing counts."""
    node.ask("/passthru/gate", "c1", "c2", "c3", "c4")
    assert remember_given(folder, 5, wall_ms=WALL_MS + 3_600_001).since(MAIN, 0) == 4
    monkeypatch.setattr(given_before, "_BATCH", 1)
    old = remember_given(folder, 5, wall_ms=WALL_MS + 3_600_001)
    assert (old.since_seq, old.since(MAIN, 0)) == (0, 1)
    monkeypatch.setattr(given_before, "MOST_READ", 2)
    some = remember_given(folder, 5, wall_ms=WALL_MS)
    assert (some.since_seq, some.since(MAIN, 2), some.since(MAIN, 1)) == (3, 2, None)


def test_records_of_a_later_release_and_an_empty_journal_are_no_obstacle(node, folder):
    assert remember_given(folder, 1, wall_ms=WALL_MS).since(MAIN, 0) == 0
    for kind in (RecordKind.ADMISSION, RecordKind.VOICEBOT):
        assert node.writer.append(kind, WALL_MS, b"\xc1") is not None
    node.ask("/passthru/gate", "c1")
    assert node.restart().since(MAIN, 0) == 1
    assert JournalReader(folder).last_seq() >= 3


def test_a_journal_that_can_not_be_read_leaves_nothing_known_of_before(folder, monkeypatch):
    def fail(*_args):
        raise JournalError("journal", "the disk is full", "make room")

    monkeypatch.setattr(JournalReader, "read_back", fail)
    places = remember_given(folder, 9, wall_ms=WALL_MS)
    assert (places.since(MAIN, 7), places.since(MAIN, 8)) == (None, 0)

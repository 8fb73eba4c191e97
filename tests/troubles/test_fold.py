"""The judges of everybody, fed by the fold of a real journal."""

from __future__ import annotations

import logging
import threading

import pytest

from kept_receipts import START_MS, Kept, query, receipt
from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.exotel.times import DAY_MS
from switchhook.metrics import OTHER
from switchhook.store import SqliteStore
from switchhook.streams.facet import Facet
from switchhook.streams.fold import Folder
from switchhook.streams.names import Bot, Names
from switchhook.troubles import fold as fold_module
from switchhook.troubles.fold import TroubleWatch
from switchhook.troubles.judge import Phase
from switchhook.troubles.outcomes import EndedStream, Measure, Subject

SALES = Subject(Measure.BOT_FAILS, "Sales")
ALL = Subject(Measure.ANY_BOT, "")
HOST = Subject(Measure.BOT_FAILS, "a.example")
REFUSED = {
    "Error": "3009 dial tcp 10.0.0.1:443: connect: connection refused",
    "StreamUrl": "wss://a.example/x",
}


class World:
    def __init__(self, folder):
        self.names = Names(bots=(Bot("Sales", hosts=("a.example",)),))
        self.kept = Kept(folder / "journal")
        self.store = SqliteStore(folder / "store", self.kept.reader)
        self.store.open()
        self.calls = 0
        self.begin()

    def begin(self):
        """As the console does at its start."""
        self.fold = Folder(self.kept.reader, self.store)
        self.watch = TroubleWatch(lambda: self.names)
        self.told, self.moved = 0, threading.Condition()
        self.fold.observe(self.watch.folded)
        self.fold.observe(self._folded)
        self.watch.begin(self.store, self.kept.reader)
        self.fold.start()

    def keep(self, count, *, sid=None, **stream):
        for _ in range(count):
            self.calls += 1
            raw = query(f"c{self.calls}", sid or f"s{self.calls}", **stream)
            self.kept.keep(receipt(raw))
        self.folded()

    def folded(self):
        """Wait until the watch was told of everything."""
        last = self.kept.reader.last_seq()
        with self.moved:
            assert self.moved.wait_for(lambda: self.told >= last, PATIENCE_S)

    def _folded(self, folded):
        with self.moved:
            self.told = folded.position
            self.moved.notify_all()

    @property
    def now_ms(self):
        return START_MS + 1000 * self.kept.writer.next_seq

    def standings(self):
        return self.watch.standings(self.now_ms)

    def close(self):
        self.fold.stop()
        self.store.close()
        self.kept.close()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def test_what_fails_is_seen_with_the_fold(world):
    world.keep(3, status="completed", DisconnectedBy="bot", StreamUrl="wss://a.example/x")
    assert world.standings() == {}
    first = world.now_ms
    world.keep(6, status="failed", **REFUSED)
    standing = world.standings()[SALES]
    assert (standing.failed, standing.callers, standing.bad) == (6, 6, True)
    assert standing.since_ms == first, "the first failure's own second"
    assert standing.most("kind") == (("refused", 6),)
    world.keep(5, status="completed", DisconnectedBy="bot", StreamUrl="wss://a.example/x")
    assert world.standings()[SALES].phase is Phase.RECOVERING


def test_a_trouble_survives_a_restart(world):
    world.keep(6, status="failed", **REFUSED)
    before = world.standings()
    world.fold.stop()
    world.begin()
    assert world.standings() == before
    world.keep(1, status="failed", **REFUSED)
    assert world.standings()[SALES].failed == 7


def test_without_what_was_before_it_goes_on(world, monkeypatch, caplog):
    world.keep(6, status="failed", **REFUSED)
    world.fold.stop()

    def fail(_seqs):
        raise JournalError("/x/journal", "it is gone", "bring it back")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(world.kept.reader, "get_many", fail)
        world.begin()
    assert "it is gone" in caplog.text
    world.keep(1, status="failed", **REFUSED)
    assert world.standings() == {}


def test_a_stream_of_which_two_passthrus_tell_counts_once(world):
    world.kept.keep(*(receipt(query("c1", "s1", "failed", **REFUSED)) for _ in range(9)))
    world.folded()
    assert world.standings() == {}


def test_with_other_names_everybody_is_judged_anew(world):
    world.keep(6, status="failed", **REFUSED)
    world.names = Names()
    assert world.standings().keys() == {HOST, ALL}
    assert world.standings()[HOST].failed == 6


def test_hosts_from_outside_have_a_ceiling(world, monkeypatch):
    monkeypatch.setattr(fold_module, "MOST_SUBJECTS", 3)
    world.names = Names()
    assert world.standings() == {}
    for host in range(9):
        world.keep(1, status="failed", **REFUSED | {"StreamUrl": f"wss://h{host}.example/x"})
    bots = [each for each in world.watch.subjects() if each.measure is Measure.BOT_FAILS]
    assert len(bots) == 4
    assert Subject(Measure.BOT_FAILS, OTHER) in bots
    assert world.standings()[Subject(Measure.BOT_FAILS, OTHER)].failed == 6


def test_those_of_whom_nothing_is_heard_make_room(monkeypatch):
    monkeypatch.setattr(fold_module, "MOST_SUBJECTS", 2)
    watch = TroubleWatch(Names)

    def ends(host, at_ms):
        watch.take(EndedStream(at_ms, Facet("sales", "", "bot_done", "A", host=host)))
        return {each.name for each in watch.subjects() if each.measure is Measure.BOT_FAILS}

    assert ends("a.example", START_MS) == {"a.example"}
    assert ends("b.example", START_MS + DAY_MS) == {"a.example", "b.example"}
    assert ends("c.example", START_MS + DAY_MS) == {"a.example", "b.example", OTHER}
    later = START_MS + DAY_MS + 60_000
    assert ends("c.example", later) == {"b.example", OTHER, "c.example"}


def test_bots_that_failed_together_go_well_again_together():
    """Each has a call in ten minutes: what hit all of them is seen, and over, by all of them."""
    watch, at_ms, host = TroubleWatch(Names), 0, 0

    def ends(count, cause, kind=""):
        nonlocal at_ms, host
        for _ in range(count):
            at_ms, host = at_ms + 2_000, (host + 1) % 40
            option = "B" if kind else "A"
            facet = Facet("sales", "", cause, option, kind, f"h{host}.example")
            watch.take(EndedStream(at_ms, facet))

    ends(400, "bot_done")
    ends(7, "connect_failed", "dns")
    assert watch.standings(at_ms)[ALL].phase is Phase.FAILING
    ends(33, "connect_failed", "dns")
    failed_ms = at_ms
    ends(5, "bot_done")
    found = watch.standings(at_ms)
    assert found.keys() == {ALL}
    assert found[ALL].phase is Phase.RECOVERING
    assert watch.standings(failed_ms + 90_000) == {}
    # Who fails again after that is told of.
    ends(1, "connect_failed", "dns")
    again = f"h{host}.example"
    for _ in range(5):
        at_ms += 2_000
        watch.take(EndedStream(at_ms, Facet("sales", "", "connect_failed", "B", "dns", again)))
    assert Subject(Measure.BOT_FAILS, again) in watch.standings(at_ms)


def test_talks_that_are_much_shorter_than_usual_are_seen_also_after_a_restart(world):
    talk = {"status": "completed", "DisconnectedBy": "user", "StreamUrl": "wss://a.example/x"}
    world.keep(60, Duration="60", **talk)
    for _ in range(400):  # seconds, so that the talks are no longer of just now
        world.kept.keep(receipt(query("other", None, None)))
    while world.watch.look(world.now_ms):
        pass
    world.keep(12, Duration="8", **talk)
    short = world.standings()[Subject(Measure.TALKS_SHORT, "Sales")]
    assert (short.failed, short.bad) == (12, True)
    world.fold.stop()
    world.begin()
    assert world.standings()[Subject(Measure.TALKS_SHORT, "Sales")].failed == 12


def test_a_caller_who_left_before_there_was_a_host_was_of_the_bot_that_others_met(world):
    world.keep(5, status="completed", DisconnectedBy="user", StreamUrl="wss://a.example/x")
    world.keep(12, status="cancelled", DisconnectedBy="user")
    found = world.standings()
    assert found[Subject(Measure.CALLERS_LEAVE, "Sales")].bad

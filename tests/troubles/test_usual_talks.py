"""How long talks usually last, by the lengths of those that are kept."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kept_receipts import START_MS, Kept, fold, query, receipt
from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.exotel.times import DAY_MS, HOUR_MS, MINUTE_MS
from switchhook.journal.receipt import RecordKind, encode
from switchhook.store import SqliteStore
from switchhook.streams.names import Bot, Names
from switchhook.troubles.outcomes import AT_ONCE_S, UsualTalk
from switchhook.troubles.usual_talks import (
    LACKING_EVERY_MS,
    LEAST,
    READ_EVERY_MS,
    UsualTalks,
    usual_talk,
)

NAMES = Names(bots=(Bot("Sales", hosts=("a.example",)), Bot("Help", hosts=("b.example",))))


@pytest.mark.parametrize(
    ("seconds", "usual"),
    [
        ([60] * 30, UsualTalk(30, 60)),
        ([60] * 29, None),
        ([10] * 10 + [60] * 90, UsualTalk(30, 60)),
        ([10] * 11 + [60] * 90, UsualTalk(10, 60)),  # a tenth are short, so that is usual
        ([2] * 50 + [300] * 51, None),  # half are over at once anyway
        ([6] * 100, None),
        ([8] * 100, UsualTalk(4, 8)),
    ],
)
def test_what_is_much_shorter_than_usual(seconds, usual):
    random.Random(1).shuffle(seconds)
    assert usual_talk(seconds) == usual


@given(st.lists(st.integers(0, 4000), min_size=LEAST, max_size=300))
def test_of_usual_talks_at_most_a_tenth_is_much_shorter(seconds):
    usual = usual_talk(seconds)
    if usual is not None:
        assert sum(each < usual.short_s for each in seconds) <= len(seconds) / 10
        assert AT_ONCE_S < usual.short_s <= usual.median_s / 2


class World:
    """A journal whose records lie where a test says."""

    def __init__(self, folder):
        self.kept = Kept(folder / "journal")
        self.store = SqliteStore(folder / "store", self.kept.reader)
        self.store.open()
        self.talks = UsualTalks(self.store, self.kept.reader)
        self.calls = 0

    def talk(self, count, seconds, at_ms, host="a.example"):
        for _ in range(count):
            self.calls += 1
            raw = query(
                f"c{self.calls}",
                f"s{self.calls}",
                Duration=str(seconds),
                DisconnectedBy="user",
                StreamUrl=f"wss://{host}/bot",
            )
            body = encode(receipt(raw, received_us=at_ms * 1000))
            self.kept.record(RecordKind.PASSTHRU, body, at=at_ms)
        assert self.kept.writer.flush(PATIENCE_S)

    def look(self, now_ms, names=NAMES, in_trouble=()):
        fold(self.store, self.kept.reader)
        while self.talks.look(now_ms, names, in_trouble):
            pass


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.store.close()
    world.kept.close()


NOW = START_MS + 10 * DAY_MS


def test_this_hour_of_other_days_counts_and_no_other(world):
    world.talk(40, 200, NOW - 2 * DAY_MS)
    world.talk(40, 20, NOW - 2 * DAY_MS + 3 * HOUR_MS)
    world.talk(40, 20, NOW - HOUR_MS)
    world.look(NOW)
    assert world.talks.of("Sales") == UsualTalk(100, 200)
    assert world.talks.of("Help") is None


def test_where_that_tells_too_little_those_of_late_do_but_not_of_just_now(world):
    world.talk(20, 60, NOW - HOUR_MS)
    world.talk(10, 60, NOW - 6 * MINUTE_MS)
    world.talk(40, 8, NOW - MINUTE_MS)
    world.look(NOW)
    assert world.talks.of("Sales") == UsualTalk(30, 60)


def test_bots_are_told_apart_by_the_operator_s_names(world):
    world.talk(30, 60, NOW - HOUR_MS)
    world.talk(30, 120, NOW - HOUR_MS, host="b.example")
    world.look(NOW)
    assert (world.talks.of("Sales"), world.talks.of("Help")) == (
        UsualTalk(30, 60),
        UsualTalk(60, 120),
    )
    world.look(NOW + 1000, Names())
    assert world.talks.of("Sales") is None
    assert world.talks.of("a.example") == UsualTalk(30, 60)


def test_it_is_read_again_every_hour_and_sooner_while_little_is_known(world):
    world.look(NOW)
    world.talk(30, 60, NOW - HOUR_MS)
    world.look(NOW + LACKING_EVERY_MS - 1)
    assert world.talks.of("Sales") is None
    world.look(NOW + LACKING_EVERY_MS)
    assert world.talks.of("Sales") == UsualTalk(30, 60)
    world.talk(900, 20, NOW + LACKING_EVERY_MS)
    world.look(NOW + READ_EVERY_MS)
    assert world.talks.of("Sales") == UsualTalk(30, 60)
    world.look(NOW + LACKING_EVERY_MS + READ_EVERY_MS)
    assert world.talks.of("Sales") == UsualTalk(10, 20)


def test_a_bot_in_trouble_teaches_nothing(world):
    world.talk(30, 60, NOW - HOUR_MS)
    world.look(NOW)
    world.talk(900, 8, NOW + MINUTE_MS)
    world.look(NOW + READ_EVERY_MS, in_trouble={"Sales"})
    assert world.talks.of("Sales") == UsualTalk(30, 60)


def test_a_journal_that_can_t_be_read_changes_nothing(world, monkeypatch):
    world.talk(30, 60, NOW - HOUR_MS)
    world.look(NOW)

    def fails(_seqs):
        raise JournalError("journal", "the disk is gone", "mend it")

    monkeypatch.setattr(world.kept.reader, "get_many", fails)
    with pytest.raises(JournalError):
        world.talks.look(NOW + READ_EVERY_MS, NAMES)
    assert world.talks.of("Sales") == UsualTalk(30, 60)
    assert not world.talks.look(NOW + READ_EVERY_MS + 1, NAMES), "not before it is time to"
    monkeypatch.undo()
    world.talk(900, 20, NOW + MINUTE_MS)
    world.look(NOW + 2 * READ_EVERY_MS)
    assert world.talks.of("Sales") == UsualTalk(10, 20)

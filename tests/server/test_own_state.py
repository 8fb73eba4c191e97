"""A node looks at what it has by itself: its journal, its hand-over, since when it is alone."""

from __future__ import annotations

import msgspec
import pytest

from kept_receipts import Kept, receipt
from patience import PATIENCE_S
from switchhook.checked_json import with_checksum
from switchhook.cluster.database_alarm import STATE_FILE, AlarmState
from switchhook.cluster.hand_over_state import HandOverState, write_state
from switchhook.errors import ClusterError
from switchhook.journal.receipt import OneCopy, RecordKind, encode
from switchhook.server.own_state import OwnLook, since_of, stock_of
from switchhook.system.data_folder import JOURNAL, DataFolder

T = 1_795_000_000_000
GONE = ClusterError("postgresql://u@db1/x", "it is gone", "bring it back")


class Here:
    """A node with five receipts, of which the last two were answered with one copy."""

    def __init__(self, folder):
        self.folder = folder
        with DataFolder.open(folder, "answer") as held:
            self.kept = Kept(held.folder(JOURNAL), node=held.node)
        self.kept.keep(*[receipt()] * 5)
        for seq in (4, 5):
            self.kept.record(RecordKind.ONE_COPY, encode(OneCopy(seq)))
        assert self.kept.writer.flush(PATIENCE_S)
        self.look = self.new_look()

    def new_look(self, answers=True):
        return OwnLook(
            self.folder,
            self.kept.reader,
            name="a",
            ceiling_gb=lambda: 50,
            answers=lambda: answers,
            now_ms=lambda: T,
        )

    def handed(self, seq, problem="", since_ms=0):
        write_state(self.folder, HandOverState(problem, since_ms, seq, seq))

    def alarm(self, **said):
        body = with_checksum(msgspec.json.encode(AlarmState(**said)))
        (self.folder / STATE_FILE).write_bytes(body)


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path / "data")
    yield found
    found.kept.close()


def test_it_counts_what_waits_and_what_left_with_one_copy(here):
    here.handed(3)
    found = here.look.figures()
    assert (found.answers, found.waiting, found.sure) == (True, 4, True)
    assert (found.one_copy, found.counted) == (2, True)
    assert found.journal_bytes == here.kept.reader.size_bytes() > 0
    assert found.room_bytes > 0
    here.handed(6)
    assert (here.look.figures().waiting, here.look.figures().one_copy) == (1, 1)
    here.handed(7)
    assert (here.look.figures().waiting, here.look.figures().one_copy) == (0, 0)


@pytest.mark.parametrize("known", [False, True])
def test_where_it_is_not_known_how_far_it_was_handed_over_all_of_it_may_wait(here, known):
    if known:
        here.handed(0, "it is away", T)
    found = here.look.figures()
    assert (found.waiting, found.sure, found.one_copy) == (7, False, 2)


def test_a_long_backlog_is_counted_by_and_by(here, monkeypatch):
    monkeypatch.setattr("switchhook.server.own_state._COUNT_S", 0)
    monkeypatch.setattr("switchhook.cluster.one_copies._MOST_READ", 3)
    here.handed(3)
    look = here.new_look()
    found = [look.figures() for _ in range(3)]
    assert [(each.one_copy, each.counted) for each in found] == [(1, False), (2, True), (2, True)]


def test_a_journal_that_cant_be_read_is_left_out(here):
    look = OwnLook(
        here.folder / "gone",
        here.kept.reader,
        name="a",
        ceiling_gb=lambda: 50,
        answers=lambda: None,
        now_ms=lambda: T,
    )
    assert (look.figures().answers, look.figures().journal_bytes) == (None, 0)


@pytest.mark.parametrize(
    ("alarm", "handed", "since"),
    [
        (None, None, None),
        (None, ("", 0), None),
        (None, ("it is away", T - 9), T - 9),
        ({"since_ms": T - 5}, ("it is away", T - 9), T - 5),
        ({"since_ms": T - 5, "over": True}, None, None),
        ({"since_ms": T - 5, "over": True}, ("it is away", T - 1), T - 1),
    ],
)
def test_since_when_is_what_was_noted(here, alarm, handed, since):
    if alarm is not None:
        here.alarm(**alarm)
    if handed is not None:
        here.handed(3, *handed)
    assert since_of(here.folder) == since


def test_its_state_has_the_error_in_short_and_its_journal_only_if_asked(here):
    here.handed(3, "it is away", T - 60_000)
    found = here.look.state(GONE)
    assert (found.name, found.problem, found.hint) == ("a", "it is gone", "bring it back")
    assert (found.since_ms, found.now_ms, found.away) == (T - 60_000, T, False)
    assert found.figures.waiting == 4
    short = here.look.state(GONE, whole=False)
    assert (short.figures.answers, short.figures.waiting, short.figures.journal_bytes) == (
        True,
        0,
        0,
    )


def test_the_stock_knows_its_ceiling(here):
    here.handed(3)
    found = stock_of(here.folder, here.kept.reader, 1e-9)
    assert (found.waiting, found.room_bytes) == (4, 0)

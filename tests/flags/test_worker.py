"""What keeps flags: what is set is told at once, and who reads them is known."""

from __future__ import annotations

import threading

import pytest

from flags.some_flags import DAY, FLAGS, NOW, OFF, SHARE, deed, want
from patience import PATIENCE_S
from switchhook.capacity.facts_document import FILE
from switchhook.capacity.facts_file import FactsFile, FactsReader
from switchhook.errors import FlagError, LedgerError
from switchhook.exotel.times import DAY_MS
from switchhook.flags import worker as module
from switchhook.flags.changes import change_of, noted
from switchhook.flags.ledger import LedgerFlags
from switchhook.flags.worker import FlagsWorker
from switchhook.server.tables import open_ledger


class World:
    """A console's worker and an answer process that reads what it is told."""

    def __init__(self, folder):
        self.folder, self.now = folder, NOW
        self.ledger = open_ledger(folder / "ledger")
        self.reader = FactsReader(folder)
        self.worker = self.another()

    def another(self, flags=FLAGS):
        """A console that starts again."""
        worker = FlagsWorker(
            LedgerFlags(self.ledger),
            FactsFile(self.folder),
            now_ms=lambda: self.now,
            mono_ms=lambda: self.now,
        )
        worker.use(flags, {"off": ("sales-in",)})
        return worker

    def set(self, flag, value, for_s=None):
        return self.worker.set(want(flag, value, for_s), "asha", deed)

    @property
    def told(self):
        return {n: each.value for n, each in self.reader.look(self.now)[1].flags.items()}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.worker.stop()
    made.ledger.close()


def test_what_is_set_is_told_when_it_returns(world):
    world.set("off", True)
    assert world.told == {"off": True}
    world.worker.undo("off", "", "asha", deed)
    assert world.told == {}
    with pytest.raises(FlagError):
        world.set("of", True)


def test_what_another_process_sets_is_told_at_the_next_look(world):
    LedgerFlags(world.ledger).change(
        lambda held, _named: change_of(want("share", 25), FLAGS, held, "asha", NOW),
        lambda change: deed(*noted(change)),
        NOW,
    )
    world.worker.look()
    assert world.told == {"share": 25}


def test_a_restart_tells_what_is_set_and_takes_back_what_is_not(world):
    world.set("off", True)
    world.folder.joinpath(FILE).unlink()
    world.another().look()
    assert world.told == {"off": True}
    world.another([SHARE]).look()
    assert world.told == {}


def test_without_flags_nothing_is_told(world):
    world.another(()).look()
    assert not world.folder.joinpath(FILE).exists()


def test_the_same_is_told_once(world):
    world.set("off", True)
    before = world.folder.joinpath(FILE).stat().st_ino
    world.worker.look()
    assert world.folder.joinpath(FILE).stat().st_ino == before


def test_what_cannot_be_told_or_read_is_said_and_holds(world, monkeypatch):
    world.set("off", True)

    def full(*_args):
        raise OSError(28, "No space left on device")

    def gone():
        raise LedgerError("the ledger", "it is gone", "put it back")

    with monkeypatch.context() as patch:
        patch.setattr(FactsFile, "tell_flags", full)
        world.set("share", 5)
        assert world.worker.view().problem == (
            "answer processes can't be told: no space left on device"
        )
        patch.setattr(world.worker.ledger, "held", gone)
        world.worker.look()
        assert "what flags are set to can't be read" in world.worker.problem
    assert world.told == {"off": True}
    world.worker.look()
    assert world.worker.problem == ""
    assert world.told == {"off": True, "share": 5}


def test_who_reads_a_flag_is_kept(world):
    world.worker.look()
    world.now += DAY_MS
    world.worker.read_by_bot(["share"])
    found = {each.name: each for each in world.worker.view().flags}
    assert found["share"].bots_ms == world.now  # at once, though it is not kept yet
    world.worker.look()
    world.worker.stop()
    reads = LedgerFlags(world.ledger).reads()
    assert (reads["off"].known_ms, reads["off"].rules_ms) == (NOW, world.now)
    assert (reads["share"].rules_ms, reads["share"].bots_ms) == (None, world.now)
    world.another([OFF]).look()
    assert LedgerFlags(world.ledger).reads().keys() == {"off"}


def test_listeners_hear_of_changes_ends_and_windows_only(world):
    heard = []
    world.worker.look()
    end = world.worker.listen(lambda: heard.append(world.now))
    world.worker.look()
    assert heard == []
    world.set("off", True, for_s=60)
    world.now += 60_000
    world.worker.look()
    world.now = NOW + DAY_MS // 2  # 02:13 in India: the day's window has closed
    world.worker.look()
    world.worker.look()
    assert heard == [NOW, NOW + 60_000, NOW + DAY_MS // 2]
    assert DAY in world.worker.flags
    end()
    world.set("off", True)
    assert len(heard) == 3


def test_its_thread_goes_on_when_a_look_fails(world, monkeypatch, caplog):
    looked, again = threading.Event(), threading.Event()
    look = FlagsWorker.look

    def fails_once(worker):
        if not looked.is_set():
            looked.set()
            raise RuntimeError("no")
        look(worker)
        again.set()

    monkeypatch.setattr(FlagsWorker, "look", fails_once)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    worker = world.another()
    worker.start()
    assert again.wait(PATIENCE_S)
    worker.stop()
    assert "the flags can't be looked after" in caplog.text
    assert worker.problem == ""

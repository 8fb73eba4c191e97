"""What a restarted answer program knows of the questions of the last ten minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchhook.answer.repeats import WINDOW_MS, FirstAnswer
from switchhook.journal import JournalWriter
from switchhook.server.asked_before import remember_asked

WALL_MS, MONO_MS = 1_796_000_000_000, 50_000_000
MINUTE_MS = 60_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def keep(folder: Path, *asked: tuple[int, int, int]) -> None:
    """Keep questions as `(asked, at, mono)`; every other record is of none."""
    writer = JournalWriter(folder, node=1, notify=lambda _call: None, observe=lambda _event: None)
    for key, at, mono in asked:
        writer.append(1, at, b"a question", mono=mono, asked=key, option=key % 2)
        writer.append(2, at, b"another record", mono=mono)
    assert writer.close(20)


def test_what_was_asked_within_the_window_is_known_with_its_answer(folder: Path):
    keep(
        folder,
        (11, WALL_MS - WINDOW_MS, MONO_MS - WINDOW_MS),
        (12, WALL_MS - WINDOW_MS + 1, MONO_MS - WINDOW_MS + 1),
        (13, WALL_MS, MONO_MS),
    )
    memory = remember_asked(folder, 1, mono_ms=MONO_MS, wall_ms=WALL_MS)
    assert len(memory) == 2
    at_ms, mono_ms = WALL_MS - WINDOW_MS + 1, MONO_MS - WINDOW_MS + 1
    assert memory.find((12,), MONO_MS) == FirstAnswer(3, at_ms, mono_ms, 0)
    assert memory.find((13,), MONO_MS) == FirstAnswer(5, WALL_MS, MONO_MS, 1)


def test_what_was_asked_before_the_machine_started_is_placed_by_the_wall_clock(folder: Path):
    long_up = 99 * MONO_MS
    keep(
        folder,
        (11, WALL_MS - 11 * MINUTE_MS, long_up),
        (12, WALL_MS - 2 * MINUTE_MS, long_up + 9 * MINUTE_MS),
        (13, WALL_MS - MINUTE_MS, MINUTE_MS),  # the first since
    )
    memory = remember_asked(folder, 5, mono_ms=2 * MINUTE_MS, wall_ms=WALL_MS)
    assert memory.find((11,), 2 * MINUTE_MS) is None
    assert memory.find((12,), 2 * MINUTE_MS) == FirstAnswer(3, WALL_MS - 2 * MINUTE_MS, 0, 0)
    assert memory.find((13,), 2 * MINUTE_MS) == FirstAnswer(5, WALL_MS - MINUTE_MS, MINUTE_MS, 1)


def test_where_the_wall_clock_is_behind_the_last_question_says_when_that_was(folder: Path):
    keep(folder, (11, WALL_MS - 11 * MINUTE_MS, 1), (12, WALL_MS - MINUTE_MS, 2), (13, WALL_MS, 3))
    behind = WALL_MS - 99 * MINUTE_MS
    memory = remember_asked(folder, 7, mono_ms=MINUTE_MS, wall_ms=behind)
    assert memory.find((11,), MINUTE_MS) is None
    assert memory.find((12,), MINUTE_MS) == FirstAnswer(3, WALL_MS - MINUTE_MS, 0, 0)
    assert memory.find((13,), MINUTE_MS) == FirstAnswer(5, WALL_MS, MINUTE_MS, 1)


def test_without_a_journal_nothing_is_known(folder: Path):
    assert len(remember_asked(folder, 1, mono_ms=MONO_MS, wall_ms=WALL_MS)) == 0

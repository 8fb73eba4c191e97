"""The newest verdict in a file, which may be old, cut or missing."""

from __future__ import annotations

import errno
import os

import msgspec
import pytest

from overview.test_verdict import fires
from switchhook.overview import verdict_file
from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_file import (
    EVERY_MS,
    MOST_ALERTS,
    NAMES,
    SIZE,
    VerdictFile,
    read_verdict,
)
from switchhook.overview.verdict_keeper import STALE_MS

BAD = State(level=Level.BAD, what="Bot Sales fails.", since_us=5, more=("a", "b"))
WELL = State(level=Level.GOOD, what="All well.")


def test_what_is_written_is_read(tmp_path):
    assert read_verdict(tmp_path) is None
    alert = fires("disk-full", 0.0)
    VerdictFile(tmp_path).write(BAD, [alert], 1_000)
    found = read_verdict(tmp_path)
    assert (found.state, found.made_ms, found.alerts) == (BAD, 1_000, (alert,))
    assert {oct((tmp_path / name).stat().st_mode)[-3:] for name in NAMES} == {"600"}
    assert found.fresh(1_000 + STALE_MS)
    assert not found.fresh(1_001 + STALE_MS)


def test_what_stays_is_written_seldom_and_what_changes_at_once(tmp_path):
    file, alert = VerdictFile(tmp_path), fires("disk-full", 0.0)
    for at_ms, state, alerts, made_ms in (
        (0, BAD, [], 0),
        (EVERY_MS - 1, BAD, [], 0),
        (EVERY_MS, BAD, [], EVERY_MS),
        (EVERY_MS + 1, WELL, [], EVERY_MS + 1),
        (EVERY_MS + 2, WELL, [alert], EVERY_MS + 2),
        (EVERY_MS + 3, WELL, [alert], EVERY_MS + 2),
    ):
        file.write(state, alerts, at_ms)
        assert read_verdict(tmp_path).made_ms == made_ms


def test_it_takes_no_more_room_later(tmp_path):
    """So that it tells of a disk that is full."""
    file = VerdictFile(tmp_path)
    file.write(WELL, [], 0)

    def room():
        found = [(tmp_path / name).stat() for name in NAMES]
        return [(each.st_ino, each.st_size, each.st_blocks) for each in found]

    before = room()
    assert [size for _, size, _ in before] == [SIZE, SIZE]
    for n in range(1, 5):
        file.write(msgspec.structs.replace(BAD, more=("x" * 9_000,)), [], n * EVERY_MS)
        assert room() == before
        assert read_verdict(tmp_path).made_ms == n * EVERY_MS


def test_one_that_is_cut_leaves_the_one_before(tmp_path, monkeypatch):
    file = VerdictFile(tmp_path)
    file.write(WELL, [], 0)
    file.write(BAD, [], 1)
    whole, write = read_verdict(tmp_path), os.pwrite

    def half(descriptor, content, at):
        write(descriptor, content[:50], at)
        raise OSError(errno.EIO, "the machine went down")

    monkeypatch.setattr(verdict_file.os, "pwrite", half)
    file.write(WELL, [], 2)
    assert read_verdict(tmp_path) == whole


def test_the_worst_of_many_alerts_are_written(tmp_path):
    many = [fires("new-failure", 1.0, bot=f"b{n}") for n in range(MOST_ALERTS)]
    VerdictFile(tmp_path).write(BAD, [*many, fires("disk-full", 0.0)], 0)
    found = read_verdict(tmp_path)
    assert len(found.alerts) == MOST_ALERTS
    assert found.alerts[0].rule == "disk-full"


def test_what_is_too_long_leaves_the_alerts_out(tmp_path):
    long = [fires("new-failure", 1.0, bot=f"{n} {'x' * 4_000}") for n in range(MOST_ALERTS)]
    VerdictFile(tmp_path).write(BAD, long, 0)
    assert read_verdict(tmp_path).state == BAD


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path):
    file = VerdictFile(tmp_path / "gone")
    file.write(BAD, [], 0)
    (tmp_path / "gone").mkdir()
    file.write(BAD, [], 1)
    assert read_verdict(tmp_path / "gone").made_ms == 1


@pytest.mark.parametrize("content", [b"", b"{", b"00000000\n", b'c0ffee00\n{"state": 1}', b"\xff"])
def test_what_can_not_be_read_is_none(tmp_path, content):
    (tmp_path / NAMES[0]).write_bytes(content)
    assert read_verdict(tmp_path) is None

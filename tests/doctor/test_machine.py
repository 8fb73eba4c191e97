"""The clock by others' clocks, and the disk."""

from __future__ import annotations

import msgspec
import pytest

from switchhook.doctor.finding import Level
from switchhook.doctor.machine import DateSeen, Disk, judge_clock, judge_fsync, judge_room

OK, WARN, FAIL, UNCHECKED = Level.OK, Level.WARN, Level.FAIL, Level.UNCHECKED
GB = 1_000_000_000
DISK = Disk(
    free_bytes=60 * GB, all_bytes=100 * GB, free_files=10_000, all_files=20_000,
    ceiling_bytes=50 * GB, journal_bytes=GB, fsync_ms=2.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "synchronised", "level", "said"),
    [
        ([DateSeen("api.example", 0.4)], None, OK, "agrees with api.example's"),
        ([DateSeen("api.example", 0.4)], True, OK, "NTP"),
        ([DateSeen("api.example", 0.4)], False, WARN, "nothing keeps it right"),
        ([DateSeen("api.example", 10)], True, WARN, "10 s behind api.example's"),
        ([DateSeen("api.example", -3600)], True, FAIL, "60 min ahead of api.example's"),
        # One server that is wrong itself convinces nobody.
        ([DateSeen("wrong.example", 9000), DateSeen("api.example", 0.1)], None, OK, "api.example"),
        # A server on this machine has our clock: that they agree says nothing.
        ([DateSeen("localhost", 0.1, own=True)], None, UNCHECKED, "nobody else's"),
        ([DateSeen("localhost", 300, own=True)], None, FAIL, "5 min behind"),
        ([], True, OK, "NTP"),
        ([], None, UNCHECKED, "nobody else's"),
        ([], False, WARN, "nothing keeps it right"),
    ],
)
def test_the_clock(seen, synchronised, level, said):
    finding = judge_clock(seen, synchronised)
    assert (finding.level, said in finding.said) == (level, True), finding


@pytest.mark.parametrize(
    ("changes", "level", "said"),
    [
        ({}, OK, "60 GB free (60%)"),
        ({"free_bytes": GB // 2}, FAIL, "full"),
        ({"free_bytes": 9 * GB}, WARN, "9 GB free"),
        ({"free_files": 100}, FAIL, "no room for more files"),
        ({"free_files": 0, "all_files": 0}, OK, "free"),
        ({"free_bytes": 20 * GB}, WARN, "may grow by 49 GB"),
        ({"free_bytes": 100_000_000, "all_bytes": 900_000_000}, FAIL, "full"),
    ],
)
def test_the_room(changes, level, said):
    finding = judge_room(msgspec.structs.replace(DISK, **changes))
    assert (finding.level, said in finding.said) == (level, True), finding


@pytest.mark.parametrize(
    ("fsync_ms", "level"), [(2.0, OK), (80.0, WARN), (300.0, FAIL), (None, UNCHECKED)]
)
def test_the_speed_against_the_shortest_deadline(fsync_ms, level):
    assert judge_fsync(msgspec.structs.replace(DISK, fsync_ms=fsync_ms), 200).level is level

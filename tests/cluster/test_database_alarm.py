"""A node tells by itself that the database is away: once, and once when it is over."""

from __future__ import annotations

import pytest

from switchhook.alerts.message import MessageKind
from switchhook.cluster.database_alarm import (
    AGAIN_MS,
    BACK_MS,
    LONG_MS,
    STATE_FILE,
    AlarmState,
    DatabaseAlarm,
    Stock,
    read_alarm,
)

T = 1_795_000_000_000


class Here:
    """A node whose database comes and goes, and two people who are told."""

    def __init__(self, folder):
        self.folder, self.now_ms = folder, T
        self.why, self.deaf = "", set()
        self.records, self.bytes, self.room = 0, 1_000_000, 90_000_000
        self.said = []
        self.alarm = self.started()

    def started(self):
        return DatabaseAlarm("mumbai-2", self, self.folder, lambda: self.now_ms)

    def problem(self):
        return self.why

    def stock(self):
        return Stock(self.records, self.bytes, self.room)

    def destinations(self):
        return ("asha", "night")

    def send(self, destination, message):
        if destination in self.deaf:
            return "it did not answer"
        self.said.append((destination, message))
        return None

    def after(self, ms, why=None):
        self.now_ms += ms
        self.why = self.why if why is None else why
        self.alarm.look()

    def heard(self):
        return [(to, message.say) for to, message in self.said]


@pytest.fixture
def here(tmp_path):
    return Here(tmp_path)


FIRST, OVER = MessageKind.FIRST, MessageKind.RESOLVED


def test_a_fail_over_is_told_to_nobody(here):
    here.after(0, "the server is gone")
    here.after(LONG_MS - 1)
    here.after(1, "")
    here.after(BACK_MS)
    assert here.said == []
    here.after(0)
    assert here.alarm.problems() == ()


def test_after_a_minute_each_is_told_once_and_once_when_it_is_over(here):
    here.after(0, "the server is gone")
    for _ in range(5):
        here.after(LONG_MS)
    assert here.heard() == [("asha", FIRST), ("night", FIRST)]
    here.after(1_000, "")
    here.after(BACK_MS)
    here.after(BACK_MS)
    assert here.heard()[2:] == [("asha", OVER), ("night", OVER)]
    assert "away for 5 min" in here.said[2][1].lines[0]


def test_it_names_the_node_what_waits_and_how_long_the_disk_lasts(here):
    here.after(0, "the server is gone")
    here.records, here.bytes = 1_234, 1_000_000 + 60_000
    here.after(LONG_MS)
    message = here.said[0][1]
    assert "mumbai-2" in message.title
    said = " ".join(message.lines)
    assert "The server is gone." in said
    assert "Callers are answered." in said
    assert "1,234 records wait on this node's disk, which lasts about 25 h" in said


def test_without_growth_nothing_is_said_of_the_disk_s_end(here):
    here.after(0, "gone")
    here.after(LONG_MS)
    assert "it hardly grows" in " ".join(here.said[0][1].lines)


def test_who_does_not_take_it_is_tried_again(here):
    here.deaf = {"night"}
    here.after(0, "gone")
    here.after(LONG_MS)
    here.after(AGAIN_MS - 1)
    here.deaf = set()
    assert here.heard() == [("asha", FIRST)]
    here.after(1)
    assert here.heard() == [("asha", FIRST), ("night", FIRST)]


def test_only_who_was_told_hears_that_it_is_over(here):
    here.deaf = {"night"}
    here.after(0, "gone")
    here.after(LONG_MS)
    here.deaf = set()
    here.after(1, "")
    here.after(BACK_MS)
    assert here.heard() == [("asha", FIRST), ("asha", OVER)]


def test_back_for_a_moment_it_is_not_over(here):
    here.after(0, "gone")
    here.after(LONG_MS)
    here.after(1, "")
    here.after(BACK_MS - 1)
    here.after(0, "gone")
    here.after(1, "")
    here.after(BACK_MS - 1)
    assert OVER not in {say for _, say in here.heard()}


def test_a_restart_neither_repeats_nor_forgets(here):
    here.after(0, "gone")
    here.after(LONG_MS)
    here.alarm = here.started()
    here.after(LONG_MS)
    assert here.heard() == [("asha", FIRST), ("night", FIRST)]
    here.alarm = here.started()
    here.after(1, "")
    here.after(BACK_MS)
    assert here.heard()[2:] == [("asha", OVER), ("night", OVER)]


def test_a_damaged_note_begins_anew(here):
    (here.folder / STATE_FILE).write_bytes(b'{"since_ms":1,"checksum":"00000000"}')
    here.alarm = here.started()
    assert read_alarm(here.folder) == AlarmState()
    assert here.alarm.problems() == ()


def test_what_is_kept_tells_since_when_and_whether_it_is_over(here):
    here.after(0, "gone")
    begun = read_alarm(here.folder)
    here.after(LONG_MS)
    assert (begun.since_ms, begun.told, begun.over) == (read_alarm(here.folder).since_ms, (), False)
    assert read_alarm(here.folder).told == ("asha", "night")
    here.after(1, "")
    here.after(BACK_MS)
    assert read_alarm(here.folder).since_ms == 0


def test_it_looks_by_itself_until_it_is_stopped(here):
    here.alarm.start()
    here.alarm.stop()
    assert here.said == []

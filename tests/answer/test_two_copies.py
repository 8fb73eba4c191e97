"""An answer waits for its receipt's second copy, for a share of its deadline at most."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answer.desk import TAKES_A, TAKES_B, Desk, MemoryJournal
from switchhook.answer.hand_over import IDLE_TRIAL_NS
from switchhook.answer.two_copies import wait_ms
from switchhook.config import EndpointConfig
from switchhook.errors import JournalError
from switchhook.journal.receipt import ANSWERED_ALONE, Keep, RecordKind
from switchhook.rules.decide import Option

DEADLINES_MS = (50, 400, 1000, 5000)
ENDPOINTS = [EndpointConfig(f"e{ms}", deadline_ms=ms, keep=Keep.TWO_COPIES) for ms in DEADLINES_MS]
QUERY = {Option.A: TAKES_A, Option.B: TAKES_B}
STATUS = {Option.A: 200, Option.B: 302}


def keeping_two(**more) -> Desk:
    """A desk whose one endpoint keeps two copies, with a shipper that has all there is."""
    point = EndpointConfig("sales", keep=Keep.TWO_COPIES)
    desk = Desk(point, EndpointConfig("local"), **more)
    connect(desk)
    return desk


def connect(desk: Desk) -> None:
    desk.answerer.hand_over.connected()
    desk.answerer.hand_over.said(desk.journal.next_seq - 1)


def marked(desk: Desk) -> list[int]:
    return [each["seq"] for each in desk.journal.of(RecordKind.ONE_COPY)]


def alone(desk: Desk) -> int:
    return desk.answerer.counts[ANSWERED_ALONE]


def alarms(desk: Desk) -> bytes:
    return desk.answerer.health(whole=True).body


@pytest.mark.parametrize("first", ["disk", "database"])
def test_an_answer_leaves_when_both_copies_are_there_in_whatever_order(first):
    desk = keeping_two()
    replies = desk.say(TAKES_A)
    if first == "disk":
        desk.journal.settle()
        assert replies == []
        desk.answerer.hand_over.said(1)
    else:
        desk.answerer.hand_over.said(1)
        assert replies == []
        desk.journal.settle()
    assert [each.status for each in replies] == [200]
    assert (marked(desk), alone(desk), desk.answerer.owed) == ([], 0, 0)
    assert desk.journal.receipts()[0].keep is Keep.TWO_COPIES


def test_other_endpoints_wait_for_the_disk_alone():
    desk = keeping_two()
    replies = desk.say(TAKES_A, path="/passthru/local")
    desk.journal.settle()
    assert [each.status for each in replies] == [200]
    assert desk.journal.receipts()[0].keep is Keep.LOCAL
    assert b"keep" not in desk.journal.bytes()


def test_after_its_share_of_the_deadline_an_answer_leaves_marked_and_the_next_ones_do_not_wait():
    desk = keeping_two()
    first = desk.say(TAKES_A)
    desk.journal.settle()
    desk.pass_time(290)
    assert first == []
    desk.pass_time(10)
    assert (first, marked(desk)) == ([], [1])  # its mark has to be durable
    assert desk.answerer.owed == 1
    desk.journal.settle()
    assert ([each.status for each in first], alone(desk)) == ([200], 1)
    second = desk.say(TAKES_B)
    assert (second, marked(desk)) == ([], [1, 3])
    desk.journal.settle()  # the receipt and its mark in one go
    assert ([each.status for each in second], alone(desk)) == ([302], 2)
    assert desk.journal.of(RecordKind.LATE) == []
    desk.pass_time(1_000)
    assert b"receipts are kept once, not twice: the database takes longer" in alarms(desk)


def test_once_a_copy_comes_in_time_again_callers_wait_for_it():
    desk = keeping_two()
    desk.say(TAKES_A)
    desk.journal.settle()
    desk.pass_time(300)
    desk.journal.settle()
    desk.say(TAKES_A)
    desk.journal.settle()
    desk.answerer.hand_over.said(desk.journal.next_seq - 1)
    desk.pass_time(2_100)
    assert b'"ok"' in alarms(desk)
    third = desk.say(TAKES_A)
    desk.journal.settle()
    assert third == []
    desk.answerer.hand_over.said(desk.journal.next_seq - 1)
    assert (len(third), alone(desk)) == (1, 2)


def test_the_share_is_three_tenths_of_the_deadline_and_300_ms_at_most():
    assert [wait_ms(ms) for ms in (50, 800, 1000, 10_000)] == [15, 240, 300, 300]


def test_who_waits_when_the_shipper_is_lost_is_answered_at_once():
    desk = keeping_two()
    replies = desk.say(TAKES_A)
    desk.journal.settle()
    desk.answerer.hand_over.disconnected()
    desk.journal.settle()
    assert (len(replies), marked(desk)) == (1, [1])
    desk.pass_time(1_000)
    assert b"nothing here hands them over" in alarms(desk)


def test_without_a_shipper_nobody_waits_and_it_is_said_before_anybody_calls():
    desk = Desk(EndpointConfig("sales", keep=Keep.TWO_COPIES))
    desk.pass_time(1_100)
    assert b"receipts are kept once, not twice: nothing here hands them over" in alarms(desk)
    replies = desk.say(TAKES_A)
    desk.journal.settle()
    assert (len(replies), marked(desk)) == (1, [1])


def test_where_no_endpoint_asks_for_two_copies_a_shipper_that_is_away_is_no_trouble():
    desk = Desk()
    desk.pass_time(2_000)
    assert b'"ok"' in alarms(desk)


def test_a_disk_that_stalls_keeps_nobody_beyond_the_deadline_and_both_are_noted():
    desk = keeping_two()
    first = desk.say(TAKES_A)
    desk.pass_time(960)
    assert (first, marked(desk)) == ([], [1])
    desk.pass_time(20)
    second = desk.say(TAKES_A)
    assert (len(first), len(second), desk.journal.marked_slow) == (1, 1, 1)
    desk.journal.settle()
    assert [each["seq"] for each in desk.journal.of(RecordKind.LATE)] == [1, 3]
    assert marked(desk) == [1, 3]
    assert desk.answerer.hand_over.healthy  # it could do nothing for that


def test_a_receipt_that_the_database_refuses_is_answered():
    desk = keeping_two()
    replies = desk.say(TAKES_B)
    desk.journal.settle(kept=False)
    assert ([each.status for each in replies], marked(desk)) == ([302], [])


def test_where_memory_has_no_room_for_a_mark_it_follows():
    desk = Desk(EndpointConfig("sales", keep=Keep.TWO_COPIES), journal=MemoryJournal(most=1))
    replies = desk.say(TAKES_A)
    assert marked(desk) == []
    desk.journal.settle()
    assert [each.status for each in replies] == [200]
    desk.pass_time(10)
    assert (marked(desk), alone(desk)) == ([1], 1)


def test_without_room_for_the_receipt_the_answer_leaves_and_there_is_nothing_to_mark():
    desk = Desk(EndpointConfig("sales", keep=Keep.TWO_COPIES), journal=MemoryJournal(most=0))
    assert [each.status for each in desk.say(TAKES_B)] == [302]
    desk.pass_time(10)
    assert (marked(desk), alone(desk)) == ([], 0)


def test_at_the_end_all_leave_marked():
    desk = keeping_two()
    replies = [desk.say(TAKES_A) for _ in range(3)]
    desk.answerer.sweep(everything=True)
    assert ([len(each) for each in replies], marked(desk)) == ([1, 1, 1], [1, 2, 3])


def test_a_journal_that_closes_keeps_nobody(monkeypatch):
    desk = keeping_two()
    replies = desk.say(TAKES_A)
    desk.journal.settle()

    def closed(*_args, **_more):
        raise JournalError("journal", "is closed", "append before close()")

    monkeypatch.setattr(desk.journal, "append", closed)
    desk.answerer.hand_over.disconnected()
    assert [each.status for each in replies] == [200]


class Caller:
    """Somebody who asked, and what is known of the receipt of that."""

    def __init__(self, desk: Desk, number: int, deadline_ms: int, option: Option) -> None:
        self.due_ns = desk.clock.ns + deadline_ms * 1_000_000
        self.right, self.seq, self.twice = [STATUS[option]], desk.journal.next_seq, False
        query = f"CallSid=caller-{number}" + ("" if option is Option.A else "&" + TAKES_B)
        self.replies = desk.say(query, path=f"/passthru/e{deadline_ms}")

    @property
    def heard(self) -> list[int]:
        return [answer.status for answer in self.replies]


ASKS = st.tuples(st.sampled_from(DEADLINES_MS), st.sampled_from(Option))
PAUSES = st.tuples(st.just("pause"), st.integers(1, 50))
DISK = st.tuples(st.sampled_from(["stall", "work", "settle"]), st.none())
SHIPPER = st.tuples(st.sampled_from(["connect", "lose", "ack", "beyond"]), st.integers(0, 6))


class Afternoon:
    """What happens to callers, disk and shipper in any order; what must hold is looked at."""

    def __init__(self) -> None:
        self.desk = Desk(*ENDPOINTS)
        self.journal, self.hand_over = self.desk.journal, self.desk.answerer.hand_over
        self.callers: list[Caller] = []
        self.durable = 0
        self.kept, self.stalled = 0, False

    def happens(self, what: object, how: object) -> None:
        match what, how:
            case int(), Option():
                self.callers.append(Caller(self.desk, len(self.callers), what, how))
            case "pause", int():
                for _ in range(how):
                    self.desk.pass_time(10, 10)
                    self._look()
                    if not self.stalled:
                        self._settle()
            case "stall" | "work", _:
                self.stalled = what == "stall"
            case "settle", _:
                self._settle()
            case _, int():
                self._shipper(str(what), how)
        self._look()

    def _shipper(self, what: str, how: int) -> None:
        """It never says more than is durable, but for when it lies."""
        if what == "connect":
            self.hand_over.connected()
        elif what == "lose":
            self.hand_over.disconnected()
        elif what == "ack":
            self.kept = max(self.kept, self.durable - how, 0)
            assert self.hand_over.said(self.kept)
        else:
            assert not self.hand_over.said(self.journal.next_seq + how)

    def _settle(self) -> None:
        self.durable = self.journal.next_seq - 1
        self.journal.settle()
        self.journal.healthy = True

    def _look(self) -> None:
        """Nobody is past the deadline, and who has heard has two copies or a mark."""
        marks = set(marked(self.desk))
        for each in self.callers:
            assert each.heard in ([], each.right)
            assert each.heard or self.desk.clock.ns < each.due_ns
            if each.heard and not each.twice:
                each.twice = self.kept >= each.seq and self.durable >= each.seq
                assert each.twice or each.seq in marks

    def end(self) -> None:
        self.happens("work", None)
        self.happens("pause", 600)


@given(st.lists(ASKS | PAUSES | DISK | SHIPPER, max_size=60))
@settings(deadline=None)
def test_whatever_happens_each_is_answered_once_in_time_and_marked_without_two_copies(events):
    afternoon = Afternoon()
    for what, how in events:
        afternoon.happens(what, how)
    afternoon.end()
    assert [each.heard for each in afternoon.callers] == [each.right for each in afternoon.callers]
    seqs = [each.seq for each in afternoon.callers]
    marks = marked(afternoon.desk)
    assert sorted(set(marks)) == sorted(marks)
    assert set(marks) <= set(seqs)
    assert alone(afternoon.desk) == len(marks)
    assert afternoon.desk.answerer.owed == 0


def test_an_idle_while_after_a_slow_copy_the_next_caller_waits_again():
    desk = keeping_two()
    desk.say(TAKES_A)
    desk.journal.settle()
    desk.pass_time(300)
    desk.journal.settle()
    desk.answerer.hand_over.said(desk.journal.next_seq - 1)
    desk.pass_time(10 + IDLE_TRIAL_NS / 1_000_000)
    desk.journal.settle()
    desk.answerer.hand_over.said(desk.journal.next_seq - 1)  # with what was counted
    waits = desk.say(TAKES_A)
    desk.journal.settle()
    assert (waits, alone(desk)) == ([], 1)

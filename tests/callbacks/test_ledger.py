"""Promises in the ledger, on SQLite and PostgreSQL: made once, dialled by one at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from callbacks.some_promises import HOUR, NUMBER, T, deed, number, promise
from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.callbacks import moves_ledger
from switchhook.callbacks.abandoned import CallOfLate
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.claims import Claimed, End, NotClaimed, Wait
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.do_not_call_ledger import LedgerDoNotCall
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.promise import (
    NONE_LEFT,
    Attempt,
    AttemptState,
    CallOutcome,
    Promise,
    PromiseEvent,
    PromiseState,
)
from switchhook.callbacks.queue_ledger import PromiseQueue
from switchhook.callbacks.refusals import Refusal, RefusalCode

E, S, A = PromiseEvent, PromiseState, AttemptState
EXOPHONE = "+918045601234"


class Book:
    """Promises with an account that may dial."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.promises = LedgerPromises(ledger)
        self.queue = PromiseQueue(ledger)
        self.lists = PromiseLists(ledger)
        self.dialling = LedgerDialling(ledger)
        self.do_not_call = LedgerDoNotCall(ledger)
        self.dialling.allow("main", deed("allowed an account to dial"), T)

    def make(self, **said):
        made = self.promises.make(promise(**said))
        assert isinstance(made, Promise)
        return made

    def claim(self, made, now_ms=T, decide=lambda situation: None, number=None):
        number = made.attempts + 1 if number is None else number
        return self.promises.claim(made.id, number, EXOPHONE, now_ms, decide, price=1.0)

    def dial(self, made, now_ms=T):
        claimed = self.claim(made, now_ms)
        assert isinstance(claimed, Claimed)
        return claimed.promise

    def whats(self):
        entries = LedgerAudit(self.ledger).entries(AuditFilter(), 100)
        return [each.what for each in entries]


@pytest.fixture
def book(ledger):
    return Book(ledger)


def test_a_promise_is_kept_as_it_was_made_also_after_a_restart(book):
    first = book.make(class_="gold", made_by="asha", endpoint="sales", why="throttled")
    second = book.make(number=number(2))
    again = LedgerPromises(book.ledger)
    assert first.id != second.id
    assert again.get(first.id) == first
    assert again.get(second.id) == second
    assert again.live_of(NUMBER) == again.live_of(NUMBER, "main") == [first]
    assert again.get(99) is None
    (step,) = book.lists.history(first.id)
    assert (step.event, step.state, step.why, step.by) == (None, S.OPEN, "throttled", "asha")


def test_there_is_one_open_promise_to_a_number_for_each_account(book):
    made = book.make()
    refused = book.promises.make(promise(made_ms=T + 1))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.at_ms) == (RefusalCode.OPEN_ALREADY, T + 1)
    assert str(made.id) in refused.why
    assert isinstance(book.promises.make(promise(account="other")), Promise)
    book.promises.settle(made.id, E.CANCELLED, T)
    assert isinstance(book.promises.make(promise()), Promise)
    assert book.lists.refusals(10) == [refused]


def test_of_two_who_promise_at_once_one_is_refused(book):
    with ThreadPoolExecutor(8) as several:
        made = list(several.map(lambda _: book.promises.make(promise()), range(8)))
    assert sum(isinstance(each, Promise) for each in made) == 1


def test_what_is_made_by_hand_is_in_the_audit_log_and_what_is_refused_is_not(book):
    book.promises.make(promise(), deed("promised a callback"))
    book.promises.make(promise(), deed("promised a callback"))
    assert book.whats() == ["promised a callback", "allowed an account to dial"]


def test_no_promise_has_a_number_that_no_ledger_can_count_to(book):
    book.promises.make(promise())
    assert [book.promises.get(id) for id in (2**63 - 1, 2**63, -(10**23))] == [None] * 3


def test_the_cursor_is_kept_with_what_was_heard_or_not_at_all(book):
    assert book.promises.progress("hearing") is None
    with book.promises.writing() as batch:
        batch.make(promise())
        batch.set_progress("hearing", 7)
    with pytest.raises(ZeroDivisionError):
        _half_a_hearing(book.promises)
    assert book.promises.progress("hearing") == 7
    assert book.promises.live_of(number(2)) == []


def _half_a_hearing(promises):
    with promises.writing() as batch:
        batch.make(promise(number=number(2)))
        batch.set_progress("hearing", 8)
        raise ZeroDivisionError


def test_each_move_is_a_step_and_what_says_nothing_is_none(book):
    made = book.make(state=S.UNPROVEN)
    assert book.promises.settle(made.id, E.TALKED, T + 1) is None
    proven = book.promises.settle(made.id, E.PROVEN, T + 2, due_ms=T + 60)
    assert (proven.state, proven.due_ms) == (S.OPEN, T + 60)
    assert book.promises.get(made.id) == proven
    dropped = book.promises.settle(made.id, E.CANCELLED, T + 3, why="no more", by="asha")
    assert book.promises.settle(99, E.CANCELLED, T) is None
    history = book.lists.history(made.id)
    assert [each.event for each in history] == [None, E.PROVEN, E.CANCELLED]
    assert [each.state for each in history] == [S.UNPROVEN, S.OPEN, S.DROPPED]
    assert (history[-1].why, history[-1].by, history[-1].at_ms) == ("no more", "asha", T + 3)
    assert dropped.final
    assert book.queue.newest() == history[-1].id
    (end,) = book.queue.ends_after(0, 10)
    assert end == (history[-1], dropped)
    assert book.queue.ends_after(history[-1].id, 10) == []


def test_an_end_waits_for_the_call_on_its_way_and_both_are_told(book):
    made = book.dial(book.make())
    waits = book.promises.settle(made.id, E.SERVED, T + 1, why="a bot talked to them")
    assert (waits.state, waits.ending) == (S.DIALLING, E.SERVED)
    assert book.promises.settle(made.id, E.SERVED, T + 2) is None
    over = book.promises.settle(made.id, E.MISSED, T + 3, attempt=1)
    assert (over.state, over.why) == (S.DROPPED, "a bot talked to them")
    steps = [(each.event, each.state) for each in book.lists.history(made.id)[2:]]
    assert steps == [
        (E.SERVED, S.DIALLING),
        (E.MISSED, S.OPEN),
        (E.SERVED, S.DROPPED),
    ]
    assert [step.event for step, _ in book.queue.ends_after(0, 10)] == [E.SERVED]


def test_one_that_is_exhausted_by_a_missed_call_tells_both(book):
    made = book.dial(book.make())
    over = book.promises.settle(
        made.id, E.MISSED, T + 3, why="busy", due_ms=made.until_ms, attempt=1
    )
    assert (over.state, over.why) == (S.BROKEN, f"busy, and {NONE_LEFT}")
    steps = [(each.event, each.state, each.why) for each in book.lists.history(made.id)[2:]]
    assert steps == [(E.MISSED, S.OPEN, "busy"), (E.EXHAUSTED, S.BROKEN, over.why)]
    assert [step.event for step, _ in book.queue.ends_after(0, 10)] == [E.EXHAUSTED]
    assert book.make().id != made.id  # who calls in again is owed one again


def test_a_claim_keeps_the_attempt_before_the_request_may_leave(book):
    made = book.make()
    claimed = book.claim(made)
    assert claimed.attempt == Attempt(
        promise=made.id,
        number=1,
        custom_field=f"switchhook:{made.token}:1",
        asked_ms=T,
        exophone=EXOPHONE,
    )
    assert (claimed.promise.state, claimed.promise.attempts) == (S.DIALLING, 1)
    assert book.queue.in_flight() == [(claimed.promise, claimed.attempt)]
    assert book.queue.in_flight("other") == []
    assert book.promises.by_custom_field(claimed.attempt.custom_field) == (
        claimed.promise,
        claimed.attempt,
    )


def test_of_many_who_claim_at_once_one_dials(book):
    made = book.make()
    with ThreadPoolExecutor(8) as several:
        found = list(several.map(lambda _: book.claim(made), range(8)))
    assert sum(isinstance(each, Claimed) for each in found) == 1
    assert len(book.lists.attempts(made.id)) == 1


def test_after_dialling_was_stopped_nothing_is_claimed(book):
    """Whoever asked before it and claims after it is told so, within the claim's transaction."""
    made = [book.make(number=number(at)) for at in range(40)]
    with ThreadPoolExecutor(4) as several:
        ran = [several.submit(book.claim, each) for each in made]
        book.dialling.stop(None, "enough", deed("stopped dialling"), T)
        late = book.claim(book.make(number=number(99)))
        for each in ran:
            each.result()
    assert isinstance(late, NotClaimed)
    assert late.why == "dialling is stopped: enough"
    before = book.queue.newest()
    assert all(isinstance(book.claim(each), NotClaimed) for each in made)
    assert book.queue.newest() == before


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"state": S.UNPROVEN}, "it is unproven"),
        ({"state": S.PAUSED}, "it is paused"),
        ({"due_ms": T + 1}, "it is not due yet"),
        ({"account": "other"}, "nobody has allowed this account to dial"),
    ],
)
def test_what_may_not_be_dialled_is_not_claimed(book, said, why):
    made = book.make(**said)
    assert book.claim(made) == NotClaimed(why, made)
    assert book.promises.get(made.id) == made
    assert book.lists.attempts(made.id) == []


def test_a_claim_for_another_attempt_or_promise_is_none(book):
    made = book.make()
    assert isinstance(book.claim(made, number=2), NotClaimed)
    assert book.promises.claim(99, 1, EXOPHONE, T, lambda _: None, price=1) == NotClaimed(
        "it is gone", None
    )


def test_what_switchhook_stopped_nobody_stopped_and_all_that_may_dial_stop_together(book):
    book.dialling.allow("other", deed(), T)
    (off,) = book.dialling.stop(["main"], "402", Deed(who="switchhook", what="stopped"), T + 1)
    assert (off.stopped, off.stopped_by, off.allowed) == ("402", "", False)
    book.dialling.stop(None, "enough", deed("stopped dialling"), T + 2)
    assert book.whats()[:2] == ["stopped dialling", "stopped"]
    found = {name: (each.stopped, each.stopped_by) for name, each in book.dialling.all().items()}
    assert found == {"main": ("402", ""), "other": ("enough", "asha")}
    assert book.dialling.allow("main", deed(), T + 3).why_not(T + 3) == ""
    assert book.dialling.of("nobody").why_not(T) != ""


def test_a_held_account_waits_and_goes_on_by_itself(book):
    made = book.make()
    book.dialling.hold("main", T + 10, "Exotel asked for it")
    book.dialling.hold("main", T + 5, "a shorter one")
    assert book.claim(made, T + 9).why == "dialling waits: Exotel asked for it"
    assert isinstance(book.claim(made, T + 10), Claimed)


def test_a_number_is_not_called_for_two_promises_at_once(book):
    """Not by two accounts either: it is one person's telephone."""
    book.dialling.allow("other", deed(), T)
    first = book.dial(book.make())
    second = book.make(account="other")
    assert book.claim(second).why == f"promise {first.id} calls this number"
    book.promises.settle(first.id, E.TALKED, T + 1, attempt=1)
    assert isinstance(book.claim(second), Claimed)


def test_what_is_over_or_may_not_be_called_ends_as_it_is_claimed(book):
    late = book.make(until_ms=T + 5)
    assert book.claim(late, T + 5).promise.event is E.EXPIRED
    erased = book.make(number="+91erasedxxxx")
    assert erased.erased
    assert book.claim(erased).promise.why == "the number was erased"
    assert book.lists.attempts(erased.id) == []


def test_the_policy_is_told_of_all_calls_to_the_number_and_may_have_it_wait_or_end(book):
    book.dialling.allow("other", deed(), T)
    first = book.dial(book.make(account="other"))
    book.promises.settle(
        first.id, E.TALKED, T, attempt=1, change=AttemptChange(state=A.TALKED, price=0.5)
    )
    made = book.make()
    seen = []

    def wait(situation):
        seen.append(situation)
        return Wait("not at night", T + HOUR)

    waits = book.claim(made, T + 1, wait)
    assert (waits.why, waits.promise.due_ms) == ("not at night", T + HOUR)
    assert book.promises.get(made.id) == waits.promise
    (situation,) = seen
    assert [each.promise for each in situation.calls] == [first.id]
    assert situation.number_spent == 0.5
    assert situation.hour.calls == 0
    assert situation.dialling.allowed
    ended = book.claim(waits.promise, T + HOUR, lambda _: End(E.EXHAUSTED, "3 calls today"))
    assert (ended.promise.state, ended.promise.why) == (S.BROKEN, "3 calls today")
    assert book.lists.history(made.id)[-1].event is E.EXHAUSTED


def test_what_the_policy_raises_changes_nothing(book):
    made = book.make()
    with pytest.raises(ZeroDivisionError):
        book.claim(made, decide=lambda _: 1 / 0)
    assert book.promises.get(made.id) == made


def test_the_end_of_an_older_attempt_does_not_have_it_dialled_while_a_newer_rings(book):
    made = book.dial(book.make())
    book.promises.settle(made.id, E.AMBIGUOUS, T, attempt=1, change=AttemptChange(state=A.UNKNOWN))
    again = book.promises.settle(
        made.id, E.NOT_PLACED, T, attempt=1, change=AttemptChange(state=A.NOT_PLACED)
    )
    second = book.dial(again)
    late = AttemptChange(state=A.MISSED, outcome=CallOutcome.NO_ANSWER, call_sid="abc")
    assert book.promises.settle(made.id, E.MISSED, T + 5, attempt=1, change=late) is None
    assert book.promises.get(made.id) == second
    assert book.lists.attempts(made.id)[0].outcome is CallOutcome.NO_ANSWER
    talked = book.promises.settle(made.id, E.TALKED, T + 6, attempt=1)
    assert talked.state is S.KEPT


def test_the_answer_that_it_calls_says_nothing_once_that_call_is_over(book):
    """Calls/connect answers after its StatusCallback: else it would ring for ever."""
    made = book.dial(book.make())
    over = AttemptChange(state=A.MISSED, outcome=CallOutcome.DECLINED, done_ms=T + 5)
    missed = book.promises.settle(made.id, E.MISSED, T + 5, attempt=1, change=over, due_ms=T + 99)
    assert missed.state is S.OPEN
    late = AttemptChange(state=A.PLACED, call_sid="sid", look_ms=T + 50)
    assert book.promises.settle(made.id, E.PLACED, T + 8, attempt=1, change=late) is None
    assert book.promises.get(made.id) == missed
    (attempt,) = book.lists.attempts(made.id)
    assert (attempt.state, attempt.call_sid, attempt.look_ms) == (A.MISSED, "sid", None)


def test_a_call_on_its_way_is_looked_at_whoever_told_of_it(book):
    """Also once more, when its promise was given up and given again."""
    made = book.dial(book.make())
    placed = AttemptChange(state=A.PLACED)
    book.promises.settle(made.id, E.PLACED, T + 1, attempt=1, change=placed)
    assert [each.look_ms for _, each in book.queue.ringing_due("main", T + 1, 9)] == [T + 1]
    book.promises.settle(made.id, E.GIVEN_UP, T + 2, attempt=1)
    book.promises.settle(made.id, E.RETRIED, T + 3, until_ms=T + HOUR)
    again = book.promises.settle(made.id, E.PLACED, T + 4, attempt=1, change=placed)
    assert again.state is S.RINGING
    assert [each.look_ms for _, each in book.queue.ringing_due("main", T + 4, 9)] == [T + 4]


def test_what_is_told_of_an_attempt_is_kept_without_an_event_too(book):
    made = book.dial(book.make())
    looked = book.promises.note(made.id, 1, AttemptChange(lists=1, look_ms=T + 30))
    assert (looked.lists, looked.look_ms, looked.state) == (1, T + 30, A.ASKED)
    assert book.lists.attempts(made.id) == [looked]
    assert book.promises.note(made.id, 2, AttemptChange(lists=1)) is None


def test_each_waits_for_its_own_clock(book):
    unproven = book.make(state=S.UNPROVEN)
    unknown, ringing = (book.dial(book.make(number=number(at))) for at in (2, 3))
    for each, event, state in (
        (unknown, E.AMBIGUOUS, A.UNKNOWN),
        (ringing, E.PLACED, A.PLACED),
    ):
        change = AttemptChange(state=state, look_ms=T + 45 + each.id)
        book.promises.settle(each.id, event, T, attempt=1, change=change)
    assert [each.id for each in book.queue.unproven_due("main", T, 10)] == [unproven.id]
    assert book.queue.unproven_due("other", T, 10) == []
    book.promises.look_again(unproven.id, T + 7)
    assert book.queue.unproven_due("main", T, 10) == []
    later = T + 50
    assert [each.id for each, _ in book.queue.unknown_due("main", later, 10)] == [unknown.id]
    assert [each.id for each, _ in book.queue.ringing_due("main", later, 10)] == [ringing.id]
    assert book.queue.unknown_due("main", T + 45, 10) == []
    book.promises.settle(unproven.id, E.PROVEN, T)
    assert book.queue.unproven_due("main", later, 10) == []
    book.promises.settle(ringing.id, E.MISSED, T, attempt=1, change=AttemptChange(state=A.MISSED))
    assert book.queue.ringing_due("main", later, 10) == []


def test_each_class_is_told_of_its_longest_due(book):
    for at in range(6):
        book.make(number=number(at), class_="ab"[at % 2], due_ms=T + 10 - at)
    book.make(number=number(7), account="other")
    book.make(number=number(8), state=S.PAUSED)
    found = book.queue.due("main", T + 9, 2)
    assert [(each.class_, each.due_ms - T) for each in found] == [
        ("a", 6),
        ("a", 8),
        ("b", 5),
        ("b", 7),
    ]
    assert book.queue.due("nobody", T, 5) == []


def test_open_ones_are_put_off_together(book):
    made = [book.make(number=number(at)) for at in range(3)]
    dialled = book.dial(made[0])
    book.promises.postpone([each.id for each in made], T + HOUR, "not before 9:00")
    assert book.queue.due("main", T, 10) == []
    assert book.promises.get(made[1].id).why == "not before 9:00"
    assert book.promises.get(made[0].id) == dialled


def test_those_whose_time_is_over_are_told_but_not_while_a_call_is_on_its_way(book):
    waits = book.make(until_ms=T + 10)
    book.dial(book.make(number=number(2), until_ms=T + 5))
    later = book.make(number=number(3), state=S.PAUSED, until_ms=T + 20)
    assert book.queue.over_due(T + 10, 10) == [waits]
    assert book.queue.over_due(T + 20, 10) == [waits, later]


def test_all_promises_to_a_number_end_together(book):
    made = book.make()
    other = book.make(account="other", made_ms=T + 5)
    spared = book.make(account="third")
    ended = book.promises.end_by_number(
        NUMBER, E.SERVED, T + 9, why="talked", made_before_ms=T + 5, but=[spared.id]
    )
    assert [each.id for each in ended] == [made.id]
    ended = book.promises.end_by_number(NUMBER, E.SERVED, T + 9, account="other")
    assert [each.id for each in ended] == [other.id]
    assert [each.id for each in book.promises.live_of(NUMBER)] == [spared.id]


def test_a_promise_is_given_again_unless_another_is_open_or_may_not_be(book):
    made = book.make()
    book.promises.settle(made.id, E.CANCELLED, T)
    second = book.make()
    assert book.promises.settle(made.id, E.RETRIED, T) is None
    book.promises.settle(second.id, E.CANCELLED, T)
    again = book.promises.settle(made.id, E.RETRIED, T + 1, due_ms=T + 1, until_ms=T + HOUR)
    assert (again.state, again.granted) == (S.OPEN, 1)
    assert (again.due_ms, again.until_ms) == (T + 1, T + HOUR)
    book.do_not_call.add(NUMBER, "asked for it", deed(), T)
    assert book.promises.settle(made.id, E.RETRIED, T) is None


def test_calls_cost_what_they_cost_and_what_did_not_ring_costs_nothing(book):
    first, second, third = (book.dial(book.make(number=number(at))) for at in range(3))
    told = AttemptChange(state=A.MISSED, price=0.4, call_sid="a", done_ms=T)
    book.promises.settle(first.id, E.MISSED, T, attempt=1, change=told)
    book.promises.settle(second.id, E.REFUSED, T, attempt=1, change=AttemptChange(state=A.REFUSED))
    spent = book.queue.spent("main", T, 2.0)
    assert (spent.calls, spent.money, spent.first_ms) == (2, pytest.approx(2.4), T)
    assert book.queue.spent("main", T + 1, 2.0).calls == 0
    assert [each.promise for each in book.queue.calls_of_number(number(2), T)] == [third.id]
    assert book.queue.calls_of_number(number(1), T) == []


def test_a_call_names_the_promises_that_it_made_or_was_to_keep(book):
    made = book.dial(book.make(call_sid="made-it"))
    book.promises.note(made.id, 1, AttemptChange(call_sid="kept-it"))
    assert [each.id for each in book.lists.by_call("made-it")] == [made.id]
    assert [each.id for each in book.lists.by_call("kept-it")] == [made.id]
    assert book.lists.by_call("") == []


def test_who_is_owed_one_already_is_told_apart_from_who_is_owed_none(book):
    for at, code in enumerate((RefusalCode.OPEN_ALREADY, RefusalCode.UNREADABLE)):
        book.promises.refuse(Refusal(at_ms=T + at, account="main", code=code, why="so"))
    assert book.lists.refused(T) == (1, 1)
    assert [each.at_ms - T for each in book.lists.refusals(10)] == [1, 0]
    assert [each.at_ms - T for each in book.lists.refusals(10, owed_already=False)] == [1]


def test_refusals_are_bounded_and_the_totals_know_all(book, monkeypatch):
    monkeypatch.setattr(moves_ledger, "MOST_REFUSALS", 3)
    for at in range(5):
        book.promises.refuse(
            Refusal(at_ms=T + at, account="main", code=RefusalCode.UNREADABLE, why="no number")
        )
    assert [each.at_ms - T for each in book.lists.refusals(10)] == [4, 3, 2]
    assert [each.at_ms - T for each in book.lists.refusals(1, since_ms=T + 3)] == [4]
    newest = book.lists.refusals(1)[0]
    assert [each.at_ms - T for each in book.lists.refusals(10, before_id=newest.id)] == [3, 2]
    assert book.lists.refused(T + 3) == (2, 0)
    (total,) = book.lists.totals()
    assert (total.account, total.kind, total.name, total.count) == (
        *("main", "refused", "unreadable"),
        5,
    )


def test_calls_of_late_say_which_are_on_and_which_failed(book):
    ids = [book.dial(book.make(number=number(at)), T + at * 1000).id for at in range(4)]
    for id, change in zip(
        ids,
        (
            AttemptChange(state=AttemptState.PLACED, call_sid="c0"),
            AttemptChange(state=AttemptState.PLACED, call_sid="c1", talk_s=0),
            AttemptChange(state=AttemptState.MISSED, done_ms=T + 9_000),
        ),
        strict=False,
    ):
        book.promises.note(id, 1, change)
    assert book.queue.calls_of_late("main", T) == [
        CallOfLate(T + 3_000, None, True, False),
        CallOfLate(T + 2_000, None, False, False),
        CallOfLate(T + 1_000, 0, False, True),
        CallOfLate(T, None, True, True),
    ]
    assert [each.asked_ms for each in book.queue.calls_of_late("main", T + 3_000)] == [T + 3_000]
    assert book.queue.calls_of_late("other", T) == []

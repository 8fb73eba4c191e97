"""What is known of promises, from the ledger, on both engines: for figures and alerts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from callbacks.some_promises import HOUR, T, deed, number, promise
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.claims import Claimed
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.known_queries import EVERY_MS, KnownPromises
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import AttemptState, CallOutcome, PromiseEvent, PromiseState
from switchhook.callbacks.refusals import Refusal, RefusalCode
from switchhook.callbacks.settings import CallbackSettings, CallingHours
from switchhook.errors import LedgerError

E, S = PromiseEvent, PromiseState
ALWAYS = CallbackSettings(hours=CallingHours(0, 24 * 60), reserve=2, calls_an_hour=100_000)


class Book:
    """Promises of an account that may dial, and what is known of them."""

    def __init__(self, ledger):
        self.ledger, self.promises = ledger, LedgerPromises(ledger)
        self.dialling = LedgerDialling(ledger)
        self.dialling.allow("main", deed("allowed dialling"), T)
        self.settings, self.free = {"main": ALWAYS}, 10
        self.broken = False
        self.known = KnownPromises(ledger, lambda: self.settings, self._headroom)
        self._numbers = iter(range(10_000))

    def _headroom(self, account):
        if self.broken:
            raise LedgerError("ledger", "disk full", "make room")
        return self.free

    def make(self, *events, **said):
        made = self.promises.make(promise(number=number(next(self._numbers)), **said))
        for event in events:
            assert self.promises.settle(made.id, event, T) is not None
        return made

    def call(self, outcome=None, took_s=60):
        """A callback that was placed, and is over where it has an outcome."""
        made = self.make()
        claimed = self.promises.claim(
            made.id, 1, "+918047112233", T, lambda situation: None, price=1.0
        )
        assert isinstance(claimed, Claimed)
        placed = AttemptChange(state=AttemptState.PLACED, call_sid=f"c{made.id}")
        self.promises.settle(made.id, E.PLACED, T, attempt=1, change=placed)
        if outcome is not None:
            talked = outcome is CallOutcome.TALKED
            over = AttemptChange(
                state=AttemptState.TALKED if talked else AttemptState.MISSED,
                outcome=outcome,
                done_ms=T + took_s * 1000,
            )
            event = E.TALKED if talked else E.MISSED
            self.promises.settle(made.id, event, T, attempt=1, change=over)

    def of(self, account="main", now_ms=T):
        return {each.account: each for each in self.known.read(now_ms)}[account]


@pytest.fixture
def book(ledger):
    return Book(ledger)


def test_an_account_without_promises_is_known_too(book):
    known = book.of()
    assert (known.waiting, known.late, known.owed, known.dialling.allowed) == (0, 0, 0, True)
    book.settings = {}
    assert book.known.read(T) == ()


def test_all_states_are_counted(book):
    for events, said in (
        ((), {"state": S.UNPROVEN}),
        ((), {}),
        ((), {"due_ms": T + HOUR}),
        ((E.PAUSED,), {}),
        ((E.CANCELLED,), {}),
        ((E.EXPIRED,), {}),
        ((E.EXHAUSTED,), {}),
    ):
        book.make(*events, **said)
    book.call()
    book.call(CallOutcome.TALKED)
    known = book.of()
    assert (known.waiting, known.due, known.on_the_way, known.unknown) == (4, 1, 1, 0)
    assert (known.kept, known.dropped, known.broken) == (1, 2, 1)
    assert (known.in_time, known.owed) == (1, 3)


def test_what_happened_within_an_hour_is_counted_apart(book):
    book.make(E.REFUTED, state=S.UNPROVEN)
    book.call(CallOutcome.NO_STREAM)
    book.call(CallOutcome.BUSY)
    refusal = Refusal(at_ms=T, account="main", code=RefusalCode.UNREADABLE, why="no number")
    book.promises.refuse(refusal)
    book.promises.refuse(replace(refusal, account="other"))
    book.promises.refuse(replace(refusal, code=RefusalCode.OPEN_ALREADY))
    known = book.of()
    assert (known.refuted, known.abandoned, known.refused) == (1, 1, 1)
    later = book.of(now_ms=T + 2 * HOUR)
    assert (later.refuted, later.abandoned, later.refused) == (0, 0, 0)


def test_promises_are_late_that_streams_do_not_take(book):
    """Two streams beyond the reserve, a callback each ninety seconds: eighty an hour."""
    book.free = 4
    for _ in range(90):
        book.make(until_ms=T + HOUR - 1)
    assert book.of().late == 10
    book.free = 5
    assert book.of().late == 0


def test_the_pace_is_that_of_the_calls_of_the_hour(book):
    """Who is called back for three minutes takes a stream for that long."""
    book.free = 4
    for _ in range(50):
        book.make(until_ms=T + HOUR - 1)
    assert book.of().late == 0
    book.call(CallOutcome.TALKED, took_s=180)
    assert book.of().late == 10


def test_a_callback_that_is_on_its_way_is_not_late_and_its_stream_comes_free(book):
    book.free = 2
    book.call()
    for _ in range(10):
        book.make(until_ms=T + HOUR - 1)
    assert book.of().late == 0


def test_while_nobody_may_be_dialled_all_will_be_late(book):
    book.make(until_ms=T + HOUR)
    book.dialling.stop(["main"], "the greeting", deed("stopped dialling"), T)
    known = book.of()
    assert (known.late, known.off, known.exotel_refuses) == (1, True, False)


def test_what_exotel_refuses_is_told_apart_from_what_a_person_stopped(book):
    book.make()
    by_itself = replace(deed("stopped dialling"), who="switchhook")
    book.dialling.stop(["main"], "Exotel asks for money: 402", by_itself, T)
    known = book.of()
    assert (known.off, known.exotel_refuses) == (False, True)


def test_an_account_that_calls_nobody_any_more_is_told_as_long_as_it_owes(book):
    book.make()
    book.settings = {}
    known = book.of()
    assert (known.waiting, known.late) == (1, 1)


def test_it_is_looked_at_anew_after_some_seconds(book):
    assert book.known.now(T)[0].waiting == 0
    book.make()
    assert book.known.now(T + EVERY_MS - 1)[0].waiting == 0
    assert book.known.now(T + EVERY_MS)[0].waiting == 1


def test_while_the_ledger_cannot_be_read_it_is_as_it_was_with_its_age(book):
    book.make()
    before = book.known.now(T)
    book.broken = True
    assert book.known.now(T + EVERY_MS) == before
    assert before[0].at_ms == T
    book.broken = False
    assert book.known.now(T + 2 * EVERY_MS)[0].at_ms == T + 2 * EVERY_MS

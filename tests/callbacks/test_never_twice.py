"""Whatever is done to promises in whatever order: nobody is called twice, and each move is told."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from callbacks.some_promises import HOUR, T, deed, number, promise
from callbacks.test_ledger import Book
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.claims import Claimed
from switchhook.callbacks.filters import LIVE, PromiseFilter
from switchhook.callbacks.promise import (
    ENDS,
    NEXT,
    ON_ITS_WAY,
    AttemptState,
    Promise,
    PromiseEvent,
    PromiseState,
)
from switchhook.server.tables import open_ledger

pytestmark = pytest.mark.slow

E, S, A = PromiseEvent, PromiseState, AttemptState
NUMBERS = [number(at) for at in range(3)]
ACCOUNTS = ("main", "other")
OF_ATTEMPTS = {
    E.PLACED: A.PLACED,
    E.AMBIGUOUS: A.UNKNOWN,
    E.POSTPONED: A.NOT_PLACED,
    E.REFUSED: A.REFUSED,
    E.NOT_PLACED: A.NOT_PLACED,
    E.TALKED: A.TALKED,
    E.MISSED: A.MISSED,
    E.GIVEN_UP: None,
}
BY_HAND = (E.PAUSED, E.RESUMED, E.RETRIED, *sorted(ENDS), E.PROVEN, E.REFUTED, E.EXHAUSTED)


class Promises(RuleBasedStateMachine):
    """Two accounts that may call three numbers."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory(prefix="promises-")
        self.book = Book(open_ledger(Path(self.folder.name) / "ledger"))
        self.book.dialling.allow("other", deed(), T)
        self.now, self.may = T, True
        self.made: list[int] = []
        self.rang: dict[int, set[int]] = {}

    def promises(self):
        return [self.book.promises.get(each) for each in self.made]

    @rule(to=st.sampled_from(NUMBERS), account=st.sampled_from(ACCOUNTS), proven=st.booleans())
    def make(self, to, account, proven):
        self.now += 1
        state = S.OPEN if proven else S.UNPROVEN
        found = self.book.promises.make(
            promise(number=to, account=account, made_ms=self.now, state=state)
        )
        others = [each for each in self.promises() if (each.number, each.account) == (to, account)]
        free = all(each.final for each in others) and not self.book.do_not_call.has(to)
        assert isinstance(found, Promise) is free
        if isinstance(found, Promise):
            self.made.append(found.id)

    @precondition(lambda self: self.made)
    @rule(data=st.data())
    def claim(self, data):
        self.now += 1
        before = self.book.promises.get(data.draw(st.sampled_from(self.made)))
        on_its_way = [
            each
            for each in self.promises()
            if each.number == before.number and each.state in ON_ITS_WAY
        ]
        found = self.book.claim(before, self.now)
        if isinstance(found, Claimed):
            assert self.may
            assert not on_its_way
            assert before.state is S.OPEN
            assert not self.book.do_not_call.has(before.number)
            assert found.attempt.number == before.attempts + 1

    @precondition(lambda self: self.made)
    @rule(data=st.data(), event=st.sampled_from(sorted(OF_ATTEMPTS)))
    def told_of_an_attempt(self, data, event):
        self.now += 1
        before = self.book.promises.get(data.draw(st.sampled_from(self.made)))
        if not before.attempts:
            return
        attempt = data.draw(st.integers(1, before.attempts))
        change = AttemptChange(state=OF_ATTEMPTS[event], look_ms=self.now)
        after = self.book.promises.settle(
            before.id, event, self.now, attempt=attempt, change=change, due_ms=self.now
        )
        if after is not None and event is not E.TALKED:
            assert attempt == before.attempts

    @precondition(lambda self: self.made)
    @rule(data=st.data(), event=st.sampled_from(BY_HAND))
    def done_by_hand(self, data, event):
        self.now += 1
        before = self.book.promises.get(data.draw(st.sampled_from(self.made)))
        until_ms = self.now + HOUR if event is E.RETRIED else None
        self.book.promises.settle(
            before.id, event, self.now, due_ms=self.now, until_ms=until_ms, by="asha"
        )

    @rule(to=st.sampled_from(NUMBERS))
    def never_call(self, to):
        if self.book.do_not_call.has(to):
            self.book.do_not_call.remove(to, deed(), self.now)
        else:
            self.book.do_not_call.add(to, "", deed(), self.now)

    @rule()
    def turn_the_switch(self):
        if self.may:
            self.book.dialling.stop(None, "enough", deed(), self.now)
        else:
            for account in ACCOUNTS:
                self.book.dialling.allow(account, deed(), self.now)
        self.may = not self.may

    @invariant()
    def each_number_has_one_live_promise_of_an_account_at_most(self):
        if hasattr(self, "made"):
            live = [(each.number, each.account) for each in self.promises() if not each.final]
            assert len(live) == len({*live})

    @invariant()
    def nothing_moved_but_by_the_table_and_each_step_is_told(self):
        for each in self.promises() if hasattr(self, "made") else ():
            first, *steps = self.book.lists.history(each.id)
            assert first.event is None
            state = first.state
            for step in steps:
                waits = step.event in ENDS and state in ON_ITS_WAY
                assert step.state is (state if waits else NEXT[state, step.event])
                state = step.state
            assert state is each.state
            dialled = [step for step in steps if step.event is E.DIALLED]
            assert len(dialled) == each.attempts == len(self.book.lists.attempts(each.id))

    @invariant()
    def what_is_counted_is_what_there_is(self):
        if hasattr(self, "made"):
            live = self.book.lists.counts(self.now).live
            assert sum(each.count for each in live) == self.book.lists.count(
                PromiseFilter(states=LIVE)
            )

    def teardown(self):
        if hasattr(self, "book"):
            self.book.ledger.close()
            self.folder.cleanup()


TestPromises = Promises.TestCase
TestPromises.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_many_who_make_claim_and_end_at_once_call_nobody_twice(ledger):
    """Each number is called by one at a time, on both databases, whoever comes first."""
    book = Book(ledger)
    made = [book.make(number=each) for each in NUMBERS]

    def work(seed):
        chance = Random(seed)
        for _ in range(12):
            each = book.promises.get(chance.choice(made).id)
            claimed = book.claim(each)
            if isinstance(claimed, Claimed):
                event, state = chance.choice(((E.MISSED, A.MISSED), (E.PLACED, A.PLACED)))
                book.promises.settle(
                    each.id,
                    event,
                    T,
                    attempt=claimed.attempt.number,
                    change=AttemptChange(state=state),
                )

    with ThreadPoolExecutor(4) as several:
        list(several.map(work, range(4)))
    for each in made:
        steps = [step for step in book.lists.history(each.id) if step.event is not None]
        attempts = [step for step in steps if step.event is E.DIALLED]
        assert len(attempts) == book.promises.get(each.id).attempts
        for first, second in pairwise(steps):
            assert second.event is not E.DIALLED or first.state is S.OPEN

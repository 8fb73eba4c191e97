"""A promise's story on the page of the call that it was made in, and of its callback's call."""

from __future__ import annotations

from typing import Any

import pytest

from callbacks.some_promises import NUMBER, T, deed, promise
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.claims import Claimed
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import AttemptState, CallOutcome, PromiseEvent
from switchhook.errors import LedgerError
from switchhook.server.promise_stories import MADE, TITLES, PromiseStories
from switchhook.server.tables import open_ledger


@pytest.fixture
def ledger(tmp_path):
    found = open_ledger(tmp_path / "ledger")
    yield found
    found.close()


def test_every_event_has_its_words():
    assert set(TITLES) == set(PromiseEvent)


def test_a_promise_is_shown_in_both_calls(ledger):
    promises, stories = LedgerPromises(ledger), PromiseStories(ledger)
    LedgerDialling(ledger).allow("main", deed(), T)
    made = promises.make(promise(call_sid="c1", class_="vip"))
    claimed = promises.claim(made.id, 1, "+918045601234", T, lambda _: None, price=1.0)
    assert isinstance(claimed, Claimed)
    placed = AttemptChange(state=AttemptState.PLACED, call_sid="k1")
    promises.settle(made.id, PromiseEvent.PLACED, T + 1, attempt=1, change=placed)
    (found,) = stories.of("k1")
    assert (found.state, found.callbacks[0].words) == ("ringing", "on its way")
    talked = AttemptChange(state=AttemptState.TALKED, outcome=CallOutcome.TALKED, talk_s=41)
    promises.settle(made.id, PromiseEvent.TALKED, T + 9, why="well", attempt=1, change=talked)
    assert stories.of("c1") == stories.of("k1")
    (found,) = stories.of("c1")
    assert (found.id, found.state, found.level, found.made_for) == (made.id, "kept", "good", "c1")
    assert [(each.words, each.attempt) for each in found.moves] == [
        (MADE, 0),
        ("Exotel was asked to call back", 1),
        ("Exotel calls back", 1),
        ("The callback was taken", 1),
    ]
    (callback,) = found.callbacks
    assert callback.words == "they were called back and talked for 41 s"
    assert NUMBER not in repr(found)
    assert stories.of("other") == []


class Unreadable:
    """A ledger that was taken away."""

    def reading(self):
        raise LedgerError("ledger", "it is gone", "put it back")


def test_a_call_has_a_page_also_while_the_ledger_can_not_be_read():
    gone: Any = Unreadable()
    assert PromiseStories(gone).of("c1") == ()

"""Whose callback a call is, and whom a call concerns, on both engines."""

from __future__ import annotations

from callbacks.some_promises import NUMBER, T, deed, number, promise
from switchhook.callbacks import heard_ledger
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.claims import Claimed
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import PromiseEvent, PromiseOrigin


def test_the_callback_that_a_call_is(ledger):
    promises = LedgerPromises(ledger)
    LedgerDialling(ledger).allow("main", deed(), T)
    made = promises.make(promise())
    claimed = promises.claim(made.id, 1, "+918045601234", T, lambda _: None, price=1.0)
    assert isinstance(claimed, Claimed)
    promises.note(made.id, 1, AttemptChange(call_sid="k1"))
    with promises.writing() as batch:
        connection = batch.connection
        found = heard_ledger.callback_in(connection, "k1")
        assert found == heard_ledger.by_custom_field(connection, claimed.attempt.custom_field)
        assert (found[0].id, found[1].call_sid) == (made.id, "k1")
        assert heard_ledger.callback_in(connection, "k2") is None
        assert heard_ledger.callback_in(connection, "") is None
        assert heard_ledger.by_custom_field(connection, "switchhook:none:1") is None


def test_the_promise_that_was_made_for_a_call(ledger):
    promises = LedgerPromises(ledger)
    first = promises.make(promise(call_sid="c1"))
    promises.settle(first.id, PromiseEvent.CANCELLED, T)
    promises.make(promise(call_sid="c2", origin=PromiseOrigin.HAND, number=number(3)))
    promises.make(promise(call_sid="", number=number(4)))
    with promises.writing() as batch:
        found = [heard_ledger.promised_in(batch.connection, sid) for sid in ("c1", "c2", "")]
    assert found == [first.id, None, None]


def test_whom_calls_concern(ledger):
    promises = LedgerPromises(ledger)
    made = [promises.make(promise(number=number(at), call_sid=f"c{at}")) for at in range(3)]
    promises.settle(made[0].id, PromiseEvent.SERVED, T)
    several = {number(at) for at in range(1_200)}
    assert promises.known(several, {"k1", *map(str, range(700))}) == ({number(1), number(2)}, set())
    assert promises.known((), ()) == (set(), set())
    assert number(1) == NUMBER

"""What people set by hand is kept, decided one after the other, and in the audit log."""

from __future__ import annotations

from functools import partial

import pytest

from routes.pools import KNOWN, NOW, wanted
from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.errors import HandError
from switchhook.routes import hands_ledger as module
from switchhook.routes.hands import change_of, undone
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.rules.routing import HandAct


@pytest.fixture
def hands(ledger):
    return LedgerHands(ledger)


def deed(what, _of=None):
    return Deed(who="asha", what=what)


def do(hands, act, now_ms=NOW, **said):
    decide = lambda held: change_of(wanted(act, **said), KNOWN, held, "asha", now_ms)  # noqa: E731
    return hands.change(decide, partial(deed, f"set {act.value}"), now_ms)


def undo(hands, id=None, now_ms=NOW):
    return hands.undo(partial(undone, id), partial(deed, "undid"), now_ms)


def test_what_is_set_is_in_force_with_its_number(hands):
    change = do(hands, HandAct.OFF, pool="sales")
    assert change.begins is not None
    assert hands.held(NOW) == (change.begins,)
    assert change.begins.id == 1


def test_it_is_in_force_after_a_restart_until_its_end(hands, ledger):
    do(hands, HandAct.OFF, pool="sales", for_s=60)
    again = LedgerHands(ledger)
    assert [each.pool for each in again.held(NOW + 59_999)] == ["sales"]
    assert again.held(NOW + 60_000) == ()
    (past,) = again.past(NOW + 60_000, 10)
    assert (past.setting.pool, past.ended_ms, past.ended_by) == ("sales", NOW + 60_000, "")


def test_undo_ends_it_and_says_by_whom(hands):
    do(hands, HandAct.OFF, pool="sales")
    do(hands, HandAct.OFF, pool="backup")
    assert undo(hands, 1, NOW + 5).pool == "sales"
    assert [each.pool for each in hands.held(NOW + 5)] == ["backup"]
    (past,) = hands.past(NOW + 5, 10)
    assert (past.setting.pool, past.ended_ms, past.ended_by) == ("sales", NOW + 5, "asha")


def test_what_takes_its_place_ends_it(hands):
    do(hands, HandAct.MOVE, pool="sales", to="backup")
    do(hands, HandAct.MOVE, now_ms=NOW + 1, pool="sales", to="third")
    assert [each.to for each in hands.held(NOW + 1)] == ["third"]


def test_what_is_refused_changes_nothing_and_is_not_noted(hands, ledger):
    do(hands, HandAct.MOVE, pool="sales", to="backup")
    with pytest.raises(HandError, match="come back"):
        do(hands, HandAct.MOVE, pool="backup", to="sales")
    assert len(hands.held(NOW)) == 1
    noted = LedgerAudit(ledger).entries(AuditFilter(), 10)
    assert [each.what for each in noted] == ["set move"]


def test_each_change_is_in_the_audit_log(hands, ledger):
    do(hands, HandAct.OFF, pool="sales")
    undo(hands)
    noted = LedgerAudit(ledger).entries(AuditFilter(), 10)
    assert [each.what for each in noted] == ["undid", "set off"]


def test_what_is_over_is_kept_within_bounds(hands, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    for at in range(8):
        do(hands, HandAct.OFF, now_ms=NOW + at, pool="sales")
    assert len(hands.past(NOW + 8, 10)) == 3
    assert len(hands.held(NOW + 8)) == 1

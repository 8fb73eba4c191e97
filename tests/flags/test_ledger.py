"""Changes of flags are kept, decided one after the other, and in the audit log."""

from __future__ import annotations

import threading

import msgspec
import pytest

from flags.some_flags import FLAGS, NOW, deed, want
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.errors import FlagError
from switchhook.flags import ledger as module
from switchhook.flags.changes import change_of, noted
from switchhook.flags.ledger import LedgerFlags
from switchhook.flags.view import FlagRead
from switchhook.flags.worker import undo_in


@pytest.fixture
def kept(ledger):
    return LedgerFlags(ledger)


def put(kept, flag, value, now_ms=NOW, **said):
    return kept.change(
        lambda held, _named: change_of(want(flag, value, **said), FLAGS, held, "asha", now_ms),
        lambda change: deed(*noted(change)),
        now_ms,
    )


def undo(kept, flag, now_ms=NOW):
    return undo_in(kept, FLAGS, flag, "", "asha", deed, now_ms)


def test_the_last_change_of_each_flag_is_held_also_after_a_restart(kept, ledger):
    put(kept, "share", 25)
    last = put(kept, "share", 50.25)
    off = put(kept, "off", True, for_s=60)
    assert (last.id, last.before, off.id) == (2, 1, 3)
    assert LedgerFlags(ledger).held() == {"share": last, "off": off}
    assert [each.id for each in kept.history(None, 10)] == [3, 2, 1]
    assert [each.id for each in kept.history("share", 1)] == [2]


def test_an_undo_is_a_change_too(kept):
    put(kept, "share", 25)
    put(kept, "share", 50)
    assert [undo(kept, "share").value for _ in range(2)] == [25, None]
    with pytest.raises(FlagError):
        undo(kept, "share")
    assert len(kept.history("share", 10)) == 4


def test_each_change_is_in_the_audit_log_and_what_is_refused_is_not(kept, ledger):
    put(kept, "off", True)
    with pytest.raises(FlagError):
        put(kept, "off", True)
    undo(kept, "off")
    entries = LedgerAudit(ledger).entries(AuditFilter(), 10)
    assert [(each.what, each.subject) for each in entries] == [
        ("undid the change of a flag", "off"),
        ("set a flag", "off"),
    ]


def test_of_two_who_set_at_once_the_second_knows_of_the_first(kept):
    """Each decides by what is in force when it is kept."""
    befores = []

    def decide(held, _named):
        change = change_of(
            want("share", 20 + len(befores)), FLAGS, held, "asha", NOW + len(befores)
        )
        befores.append(change.before)
        return change

    threads = [
        threading.Thread(target=kept.change, args=(decide, lambda c: deed(*noted(c)), NOW))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(filter(None, befores)) == list(range(1, 8))


def test_what_was_set_then_is_known_from_before_that_time_on(kept):
    put(kept, "share", 25, NOW)
    put(kept, "share", 50, NOW + 1_000)
    put(kept, "off", True, NOW + 2_000)
    then = kept.since(NOW + 1_500)
    assert {name: each.value for name, each in then.at(NOW + 1_500).items()} == {"share": 50}
    assert then.at(NOW + 2_000)["off"].value is True


def test_old_changes_are_forgotten_but_no_flags_last(kept, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    put(kept, "off", True)
    for share in range(20, 30):
        put(kept, "share", share)
    assert {each.flag for each in kept.history(None, 99)} == {"off", "share"}
    assert len(kept.history(None, 99)) == 4
    assert kept.held()["off"].value is True


def test_an_undo_whose_target_is_forgotten_leads_to_the_default(kept, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 1)
    put(kept, "share", 25)
    put(kept, "share", 50)
    assert undo(kept, "share").value is None


def test_when_flags_were_read_is_kept_as_long_as_they_are_declared(kept):
    reads = [FlagRead("off", NOW, NOW + 1, None), FlagRead("share", NOW, None, NOW + 2)]
    kept.note_reads(reads, ["off", "share"])
    assert kept.reads() == {each.flag: each for each in reads}
    later = msgspec.structs.replace(reads[0], rules_ms=NOW + 9)
    kept.note_reads([later], ["off"])
    assert kept.reads() == {"off": later}
    kept.note_reads([], [])
    assert kept.reads() == {}

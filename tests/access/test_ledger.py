"""Users, sessions, tokens, links and the audit log as they are kept."""

from __future__ import annotations

import subprocess
import sys

import pytest
from sqlalchemy.exc import IntegrityError

from switchhook.access.audit import AuditFilter, Deed, verify_chain
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Role, Scope
from switchhook.access.users import LinkKind
from switchhook.server.tables import open_ledger

DEED = Deed(who="test", what="tested")
MINUTE = 60_000_000
NO_MORE_ENTRIES = {
    "sqlite": "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'x'); END",
    "postgresql": "ALTER TABLE audit ADD CHECK (seq < 0)",
}


@pytest.fixture
def kept(ledger):
    return LedgerAccess(ledger)


def count(kept):
    return sum(1 for _ in kept.audit.oldest_first())


def test_names_differ_in_more_than_case(kept):
    assert kept.users.add("Straße", Role.VIEWER, DEED, 1) is not None
    assert kept.users.add("STRASSE", Role.VIEWER, DEED, 1) is None
    assert kept.users.named("strasse").name == "Straße"
    assert count(kept) == 1  # what was not done is not noted


def test_a_deed_that_can_not_be_noted_is_not_done(ledger, kept):
    """One transaction: no user without its entry, whatever stops the entry."""
    with ledger.writing() as connection:
        connection.exec_driver_sql(NO_MORE_ENTRIES[connection.dialect.name])
    for work in (
        lambda: kept.users.add("asha", Role.VIEWER, DEED, 1),
        lambda: kept.passes.make_token("t", Scope.READ, None, b"h", 5, DEED, 1),
        lambda: kept.users.make_link(LinkKind.FIRST, "", Role.ADMINISTRATOR, None, b"h", DEED, 1),
    ):
        with pytest.raises(IntegrityError):
            work()
    assert kept.users.all() == []
    assert kept.passes.tokens() == []
    assert kept.users.link(b"h") is None


def test_a_link_is_used_once_by_one(kept):
    kept.users.make_link(LinkKind.INVITE, "asha", Role.OPERATOR, None, b"h", DEED, 1)
    assert kept.users.use_link(b"other", "x", "hash", DEED, 2) is None
    user = kept.users.use_link(b"h", "mallory", "hash", DEED, 2)
    assert (user.name, user.role, user.password_hash) == ("asha", Role.OPERATOR, "hash")
    assert kept.users.use_link(b"h", "asha", "hash", DEED, 2) is None
    assert kept.users.links(2) == []


def test_a_reset_link_of_a_disabled_user_is_no_way_in(kept):
    kept.users.add("boss", Role.ADMINISTRATOR, DEED, 1, password_hash="h")
    asha = kept.users.add("asha", Role.VIEWER, DEED, 1)
    kept.users.make_link(LinkKind.RESET, "asha", Role.VIEWER, None, b"h", DEED, 1)
    kept.users.set_disabled(asha.id, True, DEED, 2)
    assert kept.users.use_link(b"h", "asha", "hash", DEED, 3) is None


@pytest.mark.parametrize("lost", ["role", "disabled", "deleted", "password"])
def test_links_end_with_the_right_to_make_them(kept, lost):
    """Whoever loses it keeps no way back in, nor gets it back with the right."""
    kept.users.add("boss", Role.ADMINISTRATOR, DEED, 1, password_hash="h")
    asha = kept.users.add("asha", Role.ADMINISTRATOR, DEED, 1, password_hash="h")
    kept.users.add("ravi", Role.VIEWER, DEED, 1)
    for hashed, kind, name in ((b"i", LinkKind.INVITE, "x"), (b"r", LinkKind.RESET, "ravi")):
        kept.users.make_link(kind, name, Role.ADMINISTRATOR, asha.id, hashed, DEED, 2)
    kept.users.make_link(LinkKind.INVITE, "y", Role.VIEWER, None, b"y", DEED, 2)
    match lost:
        case "role":
            kept.users.set_role(asha.id, Role.OPERATOR, DEED, 3)
            kept.users.set_role(asha.id, Role.ADMINISTRATOR, DEED, 3)
        case "disabled":
            kept.users.set_disabled(asha.id, True, DEED, 3)
            kept.users.set_disabled(asha.id, False, DEED, 3)
        case "deleted":
            kept.users.delete(asha.id, DEED, 3)
        case "password":
            kept.users.set_password(asha.id, "other", DEED, 3)
    for hashed, name in ((b"i", "x"), (b"r", "ravi")):
        assert kept.users.use_link(hashed, name, "hash", DEED, 4) is None
    assert [each.name for each in kept.users.links(4)] == ["y"]
    assert kept.users.use_link(b"y", "y", "hash", DEED, 4) is not None


def test_who_has_lost_the_right_makes_no_link(kept):
    """Not even by a request that was let in just before."""
    kept.users.add("boss", Role.ADMINISTRATOR, DEED, 1, password_hash="h")
    asha = kept.users.add("asha", Role.ADMINISTRATOR, DEED, 1, password_hash="h")
    kept.users.set_role(asha.id, Role.OPERATOR, DEED, 2)
    said = count(kept)
    made = kept.users.make_link(LinkKind.INVITE, "x", Role.VIEWER, asha.id, b"h", DEED, 3)
    assert made is None
    assert kept.users.link(b"h") is None
    assert count(kept) == said


def test_the_last_administrator_is_one_who_can_sign_in(kept):
    """One who is disabled, or was never given a password, does not count."""
    asha = kept.users.add("asha", Role.ADMINISTRATOR, DEED, 1, password_hash="h")
    ravi = kept.users.add("ravi", Role.ADMINISTRATOR, DEED, 1)
    assert not kept.users.set_role(asha.id, Role.VIEWER, DEED, 2)
    kept.users.set_password(ravi.id, "h", DEED, 3)
    assert kept.users.set_disabled(ravi.id, True, DEED, 4)
    assert not kept.users.set_disabled(asha.id, True, DEED, 5)
    kept.users.set_disabled(ravi.id, False, DEED, 6)
    assert kept.users.set_role(asha.id, Role.VIEWER, DEED, 7)


def test_sessions_end_with_what_they_rest_on(kept):
    kept.users.add("boss", Role.ADMINISTRATOR, DEED, 1, password_hash="h")
    asha = kept.users.add("asha", Role.VIEWER, DEED, 1, password_hash="h")

    def begin(number):
        return kept.passes.open_session(asha.id, bytes([number]), "::1", "x" * 999, DEED, 10)

    first, second = begin(1), begin(2)
    assert len(first.agent) == 200
    kept.users.set_password(asha.id, "h2", DEED, 11, keep=second.id)
    assert [each.id for each in kept.passes.sessions(asha.id)] == [second.id]
    kept.users.set_disabled(asha.id, True, DEED, 12)
    assert kept.passes.sessions() == []
    third = begin(3)
    assert kept.passes.drop_sessions(9, 9) == 0
    kept.passes.touch(third.key, 20)
    assert kept.passes.drop_sessions(9, 20) == 1
    assert kept.passes.living([third.key, "machine", "token:9"]) == []


def test_the_audit_log_is_written_once(ledger, kept):
    """Not changed and not cut, but at its old end by retention."""
    for number in range(5):
        kept.audit.note(DEED, number)
    with ledger.writing() as connection:
        for statement in ("UPDATE audit SET who = 'x'", "DELETE FROM audit WHERE seq = 5"):
            with pytest.raises(IntegrityError), connection.begin_nested():
                connection.exec_driver_sql(statement)
    assert verify_chain(kept.audit.oldest_first(), kept.audit.head()).verified == 5


@pytest.mark.slow
def test_cutting_the_old_end_leaves_a_chain(kept):
    for number in range(2_500):
        kept.audit.note(DEED, number * MINUTE)
    assert kept.audit.trim(1_000 * MINUTE, DEED, 9_000 * MINUTE) == 1_000
    assert kept.audit.trim(1_000 * MINUTE, DEED, 9_000 * MINUTE) == 0
    entries = list(kept.audit.oldest_first())
    assert (entries[0].seq, len(entries)) == (1_001, 1_501)
    assert kept.audit.oldest_us() == 1_000 * MINUTE
    assert "its hash" in entries[-1].details
    assert verify_chain(entries, kept.audit.head()).broken_at is None
    assert kept.audit.trim(10**18, DEED, 9_001 * MINUTE) == 1_501
    entries = list(kept.audit.oldest_first())
    assert len(entries) == 1
    assert verify_chain(entries, kept.audit.head()).broken_at is None


def test_a_clock_that_went_back_cuts_no_hole(kept):
    """Only the run of old entries at the beginning goes."""
    for at in (1, 50, 2, 60):
        kept.audit.note(DEED, at)
    assert kept.audit.trim(10, DEED, 70) == 1
    assert verify_chain(kept.audit.oldest_first(), kept.audit.head()).broken_at is None


def test_what_is_cut_off_at_the_new_end_shows(ledger, kept):
    for at in range(5):
        kept.audit.note(DEED, at)
    with ledger.writing() as connection:
        on = " ON audit" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER audit_is_cut_at_its_old_end_only{on}")
        connection.exec_driver_sql("DELETE FROM audit WHERE seq > 3")
    chain = verify_chain(kept.audit.oldest_first(), kept.audit.head())
    assert chain.broken_at == 4


def test_entries_are_found(kept):
    for number in range(10):
        who = "asha" if number % 2 else "ravi"
        kept.audit.note(Deed(who=who, what="did", subject=str(number)), number)
    found = kept.audit.entries(AuditFilter(who="asha", since_us=3, before_seq=9), 2)
    assert [each.subject for each in found] == ["7", "5"]
    assert kept.audit.whats() == ["did"]
    assert kept.audit.entries(AuditFilter(what="' OR 1=1 --"), 9) == []


WRITER = """
import sys
from pathlib import Path
from switchhook.access.audit import Deed
from switchhook.access.ledger import LedgerAccess
from switchhook.server.tables import open_ledger
kept = LedgerAccess(open_ledger(Path(sys.argv[1])))
for number in range(100):
    kept.audit.note(Deed(who=sys.argv[2], what="did"), number)
"""


@pytest.mark.process
def test_two_processes_write_one_chain(tmp_path):
    """The console and a command, also when both make the ledger at that moment."""
    folder = tmp_path / "ledger"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(folder), name]) for name in "ab"]
    assert [each.wait() for each in writers] == [0, 0]
    ledger = open_ledger(folder)
    kept = LedgerAccess(ledger)
    chain = verify_chain(kept.audit.oldest_first(), kept.audit.head())
    assert (chain.verified, chain.broken_at) == (200, None)
    ledger.close()

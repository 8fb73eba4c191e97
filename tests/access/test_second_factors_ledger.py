"""Second factors as they are kept, and a ledger of before that gets them."""

from __future__ import annotations

import pytest
from msgspec.structs import astuple

from switchhook.access.audit import Deed, entry_of, verify_chain
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Role, Scope
from switchhook.access.users import LinkKind
from switchhook.ledger.database import Ledger
from switchhook.server.ledger_history import SECOND_FACTORS
from switchhook.server.tables import MIGRATIONS, open_ledger

DEED = Deed(who="test", what="tested")


@pytest.fixture
def kept(ledger):
    return LedgerAccess(ledger)


def test_a_ledger_of_before(tmp_path):
    """Users, sessions, tokens and the chain go on; nobody's password counts as fresh.

    Links are void: it is not known who made them, and so not whether they still may.
    """
    old = Ledger(tmp_path / "ledger", MIGRATIONS[: MIGRATIONS.index(SECOND_FACTORS)])
    with old.writing() as c:
        c.exec_driver_sql(
            "INSERT INTO users (name, name_key, role, password_hash, created_us)"
            " VALUES ('Asha', 'asha', 3, 'x', 1)"
        )
        c.exec_driver_sql(
            "INSERT INTO sessions (hash, user, created_us, used_us, origin, agent)"
            " VALUES (x'01', 1, 5, 6, 'here', 'browser')"
        )
        c.exec_driver_sql(
            "INSERT INTO tokens (hash, name, scope, owner, created_us, expires_us)"
            " VALUES (x'02', 'robot', 'read', 1, 5, 60)"
        )
        c.exec_driver_sql(
            "INSERT INTO links (hash, kind, name, role, created_us)"
            " VALUES (x'03', 'invite', 'ravi', 3, 7)"
        )
        entry = entry_of(DEED, 1, 7, bytes(32))
        c.exec_driver_sql("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(entry))
    old.close()
    ledger = open_ledger(tmp_path / "ledger")
    kept = LedgerAccess(ledger)
    standing = kept.passes.standing(b"\x01", b"\x02")
    assert (standing.session.user.name, standing.session.fresh(7)) == ("Asha", True)
    assert standing.session.fresh(10**15) is False
    assert standing.token.works(7)
    assert kept.users.link(b"\x03").name == "ravi"
    assert not kept.users.link(b"\x03").works(8)
    assert kept.users.named("ASHA").second_factor is False
    assert kept.second_factors.enrol(1, b"s", 9, [b"c"], DEED, 8)
    assert kept.users.named("asha").second_factor is True
    assert verify_chain(kept.audit.oldest_first(), kept.audit.head()).broken_at is None
    ledger.close()


def test_a_step_is_used_once_and_never_an_older_one(kept):
    user = kept.users.add("asha", Role.VIEWER, DEED, 1)
    assert kept.second_factors.use_step(user.id, 5) is False
    kept.second_factors.enrol(user.id, b"s", 5, [], DEED, 1)
    assert [kept.second_factors.use_step(user.id, step) for step in (5, 4, 6, 6, 7)] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_a_second_factor_is_not_enrolled_over_another(kept):
    user = kept.users.add("asha", Role.VIEWER, DEED, 1)
    assert kept.second_factors.enrol(user.id, b"one", 5, [b"c"], DEED, 1)
    assert kept.second_factors.enrol(user.id, b"two", 5, [b"d"], DEED, 1) is False
    assert kept.second_factors.of(user.id).secret == b"one"
    assert kept.second_factors.use_code(user.id, b"d", DEED, 1) is False


def test_what_is_removed_is_gone_from_the_file(kept, ledger):
    """Deleting a user leaves no secret behind."""
    secret = b"a secret of an app 1"
    kept.users.add("meena", Role.ADMINISTRATOR, DEED, 1, password_hash="x")
    user = kept.users.add("asha", Role.VIEWER, DEED, 1)
    kept.second_factors.enrol(user.id, secret, 5, [b"a hashed recovery code"], DEED, 1)
    assert kept.users.delete(user.id, DEED, 2)
    assert kept.users.delete(user.id, DEED, 2) is False
    assert kept.second_factors.of(user.id) is None
    assert not any(secret in piece for piece in ledger.raw(64))


def test_a_deleted_user_is_nobody(kept):
    """Not listed, not found by name or subject, and no way to come back as they were."""
    kept.users.add("meena", Role.ADMINISTRATOR, DEED, 1, password_hash="x")
    user = kept.users.add("asha", Role.ADMINISTRATOR, DEED, 1, oidc_subject="iss sub")
    kept.passes.make_token("t", Scope.READ, user.id, b"t", 99, DEED, 1)
    assert kept.users.delete(user.id, DEED, 2)
    assert kept.users.named("asha") is None
    assert kept.users.by_subject("iss sub") is None
    assert kept.users.named(f"deleted user {user.id}") is None
    assert [each.name for each in kept.users.all()] == ["meena"]
    assert not kept.passes.tokens()[0].works(3)
    assert kept.users.delete(kept.users.named("meena").id, DEED, 3) is False


def test_a_user_called_like_a_number_can_be_erased(kept, ledger):
    """From before such names were refused: once deleted, no file of the ledger has the number."""
    number = "9876543210"
    kept.users.add("meena", Role.ADMINISTRATOR, DEED, 1, password_hash="x")
    kept.users.make_link(LinkKind.INVITE, number, Role.VIEWER, None, b"h", DEED, 1)
    deed = Deed(who=number, what="became a user", subject=number)
    user = kept.users.use_link(b"h", number, "hash", deed, 2)
    kept.users.make_link(LinkKind.RESET, number, Role.VIEWER, None, b"r", DEED, 3)
    kept.passes.open_session(user.id, b"s", "here", "browser", deed, 3)
    assert kept.users.delete(user.id, DEED, 4)
    assert verify_chain(kept.audit.oldest_first(), kept.audit.head()).broken_at is None
    assert not any(number.encode() in piece for piece in ledger.raw(64))

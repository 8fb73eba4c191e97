"""Passkeys as they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from switchhook.access.audit import Deed
from switchhook.access.ledger import LedgerAccess
from switchhook.access.passkeys import MOST_PASSKEYS, NewPasskey
from switchhook.access.roles import Role
from switchhook.ledger.database import Ledger
from switchhook.server.ledger_history import PASSKEYS
from switchhook.server.tables import MIGRATIONS, open_ledger

DEED = Deed(who="test", what="tested")


@pytest.fixture
def kept(ledger):
    return LedgerAccess(ledger)


def new(credential=b"credential", **more):
    told: dict[str, Any] = {
        "public_key": b"a public key",
        "sign_count": 0,
        "rp_id": "localhost",
    } | more
    return NewPasskey(credential=credential, **told)


def test_a_ledger_of_before(tmp_path):
    """Who had an app has it still, and can enrol passkeys."""
    old = Ledger(tmp_path / "ledger", MIGRATIONS[: MIGRATIONS.index(PASSKEYS)])
    with old.writing() as c:
        c.exec_driver_sql(
            "INSERT INTO users (name, name_key, role, created_us) VALUES ('a', 'a', 3, 1)"
        )
        c.exec_driver_sql("INSERT INTO second_factors VALUES (1, x'01', 5, 6)")
    old.close()
    ledger = open_ledger(tmp_path / "ledger")
    kept = LedgerAccess(ledger)
    assert kept.users.named("a").second_factor is True
    assert kept.passkeys.of(1) == []
    assert kept.passkeys.add(1, new(), "phone", [], DEED, 7)
    ledger.close()


@pytest.mark.parametrize(
    ("kept_count", "said", "counts"),
    [(0, 0, True), (0, 3, True), (3, 4, True), (3, 3, False), (3, 2, False), (3, 0, False)],
)
def test_a_use_counts_where_the_count_grows(kept, kept_count, said, counts):
    """Decided where it is kept, so that of two at once one counts."""
    user = kept.users.add("asha", Role.VIEWER, DEED, 1)
    kept.passkeys.add(user.id, new(sign_count=kept_count), "phone", [], DEED, 1)
    assert kept.passkeys.use(1, said, 5) is counts
    passkey = kept.passkeys.of(user.id)[0]
    assert (passkey.sign_count, passkey.used_us) == ((said, 5) if counts else (kept_count, None))


def test_one_that_is_gone_is_not_used(kept):
    assert kept.passkeys.use(1, 1, 5) is False


def test_a_credential_is_one_users(kept):
    asha = kept.users.add("asha", Role.VIEWER, DEED, 1)
    ravi = kept.users.add("ravi", Role.VIEWER, DEED, 1)
    assert kept.passkeys.add(asha.id, new(), "phone", [], DEED, 1)
    assert kept.passkeys.add(ravi.id, new(), "mine", [b"c"], DEED, 1) is False
    assert kept.second_factors.codes_left(ravi.id) == 0
    assert kept.passkeys.remove(ravi.id, 1, DEED, 1) is False
    assert [each.name for each in kept.passkeys.of(asha.id)] == ["phone"]


def test_a_user_has_no_more_than_one_may(kept):
    user = kept.users.add("asha", Role.VIEWER, DEED, 1)
    done = [
        kept.passkeys.add(user.id, new(bytes([each])), "phone", [], DEED, 1)
        for each in range(MOST_PASSKEYS + 1)
    ]
    assert done == [True] * MOST_PASSKEYS + [False]


def test_recovery_codes_stay_while_there_is_a_factor(kept):
    user = kept.users.add("asha", Role.VIEWER, DEED, 1)
    kept.passkeys.add(user.id, new(), "phone", [b"c", b"d"], DEED, 1)
    kept.second_factors.enrol(user.id, b"s", 5, [b"e"], DEED, 1)
    assert kept.passkeys.remove(user.id, 1, DEED, 1)
    assert kept.second_factors.codes_left(user.id) == 1
    kept.second_factors.remove_app(user.id, DEED, 1)
    assert kept.second_factors.codes_left(user.id) == 0
    assert kept.users.named("asha").second_factor is False


def test_what_is_removed_is_gone_from_the_file(kept, ledger):
    """Deleting a user leaves no passkey behind, nor does a reset."""
    kept.users.add("meena", Role.ADMINISTRATOR, DEED, 1, password_hash="x")
    asha = kept.users.add("asha", Role.VIEWER, DEED, 1)
    ravi = kept.users.add("ravi", Role.VIEWER, DEED, 1)
    kept.passkeys.add(asha.id, new(b"credential of asha"), "asha's phone", [], DEED, 1)
    kept.passkeys.add(ravi.id, new(b"credential of ravi"), "ravi's phone", [], DEED, 1)
    assert kept.users.delete(asha.id, DEED, 2)
    kept.second_factors.remove(ravi.id, DEED, 2)
    assert kept.passkeys.of(asha.id) == kept.passkeys.of(ravi.id) == []
    said = b"".join(ledger.raw(0))
    for each in (b"credential of", b"'s phone", b"a public key"):
        assert each not in said

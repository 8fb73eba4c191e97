"""What a hash costs who guesses."""

from __future__ import annotations

import pytest
from argon2 import extract_parameters
from argon2.exceptions import VerifyMismatchError
from argon2.low_level import Type

from switchhook.web.sign_in import password_hashing
from switchhook.web.sign_in.password_hashing import hash_password, outdated, password_matches
from web.sign_in.house import CHEAP, PASSWORD

TODAYS = password_hashing._HASHER


def test_a_hash_costs_what_owasp_asks_for(monkeypatch):
    """Argon2id with 19 MB twice, at the least."""
    monkeypatch.setattr(password_hashing, "_HASHER", TODAYS)
    kept = hash_password(PASSWORD)
    made = extract_parameters(kept)
    assert made.type is Type.ID
    assert made.time_cost * made.memory_cost >= 2 * 19 * 1024
    assert password_matches(PASSWORD, kept)
    assert not password_matches(f"{PASSWORD} ", kept)
    assert not outdated(kept)
    assert outdated(CHEAP.hash(PASSWORD))


def test_who_has_no_password_is_compared_with_as_costly_a_hash(monkeypatch):
    """How long it takes says nothing of who has an account."""
    monkeypatch.setattr(password_hashing, "_HASHER", TODAYS)
    nobodys = password_hashing._nobodys()
    assert extract_parameters(nobodys) == extract_parameters(hash_password(PASSWORD))
    assert nobodys != password_hashing._nobodys()
    with pytest.raises(VerifyMismatchError):  # it was hashed, and compared
        TODAYS.verify(nobodys, PASSWORD)


@pytest.mark.parametrize("kept", [None, "", "no hash", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$"])
def test_what_is_no_hash_matches_nothing(kept):
    assert not password_matches(PASSWORD, kept)
    assert kept is None or outdated(kept)

"""What each may see: masks, roles, and when the console is open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.access.roles import EVERYTHING, AccessSettings, Role, Scope, Viewer
from switchhook.exotel.phone_numbers import mask_text, masked


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, None),
        ("", ""),
        ("+919876543210", "+91••••••••10"),
        ("09876543210", "0••••••••10"),
        ("+91 98765 43210", "+91 ••••• •••10"),
        ("12345", "•••••"),
        ("sip:bot", "•••••••"),
    ],
)
def test_masked(number, shown):
    assert masked(number) == shown


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_a_mask_hides_all_but_country_and_end(number):
    """Never more than four digits of it are left, in a text as alone."""
    for shown in (masked(number), mask_text(f"call from {number}, again")):
        assert number not in shown
        assert sum(c.isdigit() for c in shown) <= 4


def test_numbers_are_masked_until_revealed():
    """Whatever the role; an open console hides nothing from its own machine."""
    for role in Role:
        assert not Viewer("a", role).sees_numbers
        assert Viewer("a", role).may_reveal is (role >= Role.OPERATOR)
    one = Viewer("a", Role.OPERATOR, revealed=frozenset(("c1",)))
    assert one.sees("c1")
    assert not one.sees("c2")
    assert not one.sees_numbers
    assert Viewer("a", Role.OPERATOR, revealed=frozenset((EVERYTHING,))).sees("c2")
    assert Viewer("a", Role.ADMINISTRATOR, open=True).sees("c2")


@pytest.mark.parametrize(
    ("users", "loopback", "accounts", "opened"),
    [
        (False, True, False, True),
        (False, True, True, False),
        (True, True, False, False),
        (False, False, False, False),
        (True, False, False, False),
    ],
)
def test_when_a_console_is_open(users, loopback, accounts, opened):
    """Only while nobody has an account, on loopback, and nobody wanted otherwise."""
    assert AccessSettings(users=users, loopback=loopback).open(accounts) is opened


def test_roles_and_scopes_are_words():
    assert [role.word for role in Role] == ["viewer", "operator", "administrator"]
    assert [Role.of(word) for word in ("operator", "Operator", "")] == [Role.OPERATOR, None, None]
    assert [scope.value for scope in Scope] == ["read", "operate", "release", "admin", "flags"]
    assert [scope.role for scope in Scope] == [
        Role.VIEWER,
        Role.OPERATOR,
        Role.OPERATOR,
        Role.ADMINISTRATOR,
        Role.VIEWER,
    ]
    assert not Viewer("a", Role.ADMINISTRATOR).may_release
    assert Viewer("a", Role.OPERATOR, releases=True).may_release
    assert Viewer("this machine", Role.ADMINISTRATOR, open=True).may_release
    assert Viewer("a", Role.OPERATOR).may(Role.VIEWER)
    assert not Viewer("a", Role.OPERATOR).may(Role.ADMINISTRATOR)

"""Decisions of signing in: passwords, tries, sessions, OpenID Connect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.access.roles import AccessSettings, OidcSettings, Role, Scope
from switchhook.access.sign_in import (
    Admitted,
    LoginLimit,
    SignInRefusal,
    admit,
    name_problem,
    network_of,
    role_now,
    session_expired,
)
from switchhook.access.users import LINK_LIFE_US, LinkKind, OneTimeLink, Session, Token, User
from switchhook.exotel.rate_limit import Rate

HOUR = 3_600_000_000


@pytest.mark.parametrize("name", ["asha", "asha@example.com", "ரவி", "Asha K", "x" * 128])
def test_names_that_can_be(name):
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", " asha", "asha\n", "a\u202eb", "a\u200bb", "x" * 129, "ａｓｈａ", "a\x00"]
)
def test_names_that_can_not_be(name):
    """Nothing invisible, nothing that looks like somebody else by its width."""
    assert name_problem(name) is not None


# Sessions, tokens, links.


def session(created=0, used=0, **user):
    who = User(id=1, name="asha", role=Role.OPERATOR, **user)
    return Session(id=1, user=who, created_us=created, used_us=used)


@pytest.mark.parametrize(
    ("used_h", "now_h", "expired"),
    [(0, 3.9, False), (0, 4, True), (11, 11.9, False), (11, 12, True)],
)
def test_session_expired(used_h, now_h, expired):
    settings = AccessSettings(session_hours=12, idle_hours=4)
    found = session(used=int(used_h * HOUR))
    assert session_expired(found, settings, int(now_h * HOUR)) is expired
    assert role_now(found, settings, int(now_h * HOUR)) is (None if expired else Role.OPERATOR)


def test_role_now():
    settings = AccessSettings()
    assert role_now(session(disabled=True), settings, 0) is None
    token = Token(
        id=1, name="t", scope=Scope.ADMIN, owner=session().user, created_us=0, expires_us=HOUR
    )
    assert role_now(token, settings, 0) is Role.OPERATOR
    assert role_now(token, settings, HOUR) is None
    assert token.key == "token:1"


@pytest.mark.parametrize(
    ("now_us", "works"), [(-1, False), (0, True), (LINK_LIFE_US - 1, True), (LINK_LIFE_US, False)]
)
def test_a_link_works_for_15_minutes(now_us, works):
    """And not before it was made, as the clock of another time would have it."""
    link = OneTimeLink(id=1, kind=LinkKind.FIRST, name="", role=Role.ADMINISTRATOR, created_us=0)
    assert link.works(now_us) is works
    assert LINK_LIFE_US == 15 * 60 * 1_000_000


# Tries.

TRIES = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(("1.1.1.1", "2.2.2.2")), st.integers(0, 5_000)
    ),
    max_size=120,
)


@given(TRIES)
def test_no_stretch_of_time_holds_more_tries_than_its_rate(tries):
    """For an account, an address and all, over every stretch, whoever tries in whatever order."""
    account, address, everybody = Rate(3, 1_000), Rate(5, 700), Rate(8, 300)
    limit = LoginLimit(account, address, everybody)
    now, taken = 0, []
    for name, origin, pause in tries:
        now += pause
        if limit.take(name, origin, now) == 0:
            taken.append((name, origin, now))
    for rate, key in ((account, 0), (address, 1), (everybody, None)):
        for one in {each[key] if key is not None else "" for each in taken}:
            times = [each[2] for each in taken if key is None or each[key] == one]
            for begin in range(len(times)):
                for end in range(begin, len(times)):
                    stretch = times[end] - times[begin]
                    assert end - begin + 1 <= rate.burst + stretch / rate.every_ms + 1e-6


@given(TRIES)
def test_whoever_waits_as_long_as_told_may_try(tries):
    """The seconds that are told are enough, if nobody else tries meanwhile."""
    limit = LoginLimit(Rate(2, 1_500), Rate(3, 900), Rate(4, 700))
    now = 0
    for name, origin, pause in tries:
        now += pause
        wait_s = limit.take(name, origin, now)
        if wait_s:
            now += wait_s * 1_000
            assert limit.take(name, origin, now) == 0


def test_a_try_that_went_well_costs_nothing():
    limit = LoginLimit(Rate(2, 10**9), Rate(2, 10**9), Rate(2, 10**9))
    for _ in range(50):
        assert limit.take("asha", "::1", 0) == 0
        limit.give_back("asha", "::1", 0)


def test_a_familiar_address_has_tries_of_its_own():
    """Guessing from elsewhere uses up the account's, never those of where its user sits."""
    limit = LoginLimit(Rate(2, 10**9), Rate(9, 10**9), Rate(5, 10**9))
    limit.take("asha", "10.0.0.1", 0)
    limit.give_back("asha", "10.0.0.1", 0)
    tries = [limit.take("Asha", "10.9.9.9", 0) for _ in range(9)]
    assert tries.count(0) == 2
    for name in "bcd":
        limit.take(name, "10.9.9.9", 0)
    assert limit.take("zoe", "10.3.3.3", 0) > 0  # over all
    assert limit.take("asha", "10.0.0.1", 0) == 0


def test_a_clock_that_goes_back_gives_no_tries():
    limit = LoginLimit(Rate(1, 1_000), Rate(9, 1_000), Rate(9, 1_000))
    assert limit.take("a", "x", 10_000) == 0
    assert limit.take("a", "x", 0) == 1
    assert limit.take("a", "x", 10_999) == 1
    assert limit.take("a", "x", 11_000) == 0


def test_the_tables_are_bounded():
    limit = LoginLimit(for_all=Rate(10**6, 1), most=100)
    for number in range(1_000):
        limit.take(f"u{number}", f"10.0.{number // 256}.{number % 256}", 0)
        limit.give_back(f"u{number}", "10.0.0.1", 0)
    assert len(limit._buckets) == len(limit._familiar) == 100


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("x" * 99, "x" * 64),
    ],
)
def test_what_counts_as_one_address(address, network):
    assert network_of(address) == network


# OpenID Connect.

GOOD = {"sub": "u1", "email": "Asha@Example.com", "email_verified": True}
ROLES = (("ops", Role.OPERATOR), ("leads", Role.ADMINISTRATOR))
BY_GROUP = {"role_claim": "groups", "roles": ROLES}


def oidc(**more):
    return OidcSettings(issuer="https://i.example", client_id="c", **more)


@pytest.mark.parametrize(
    ("settings", "claims", "found"),
    [
        ({"domains": ("example.com",)}, {}, Admitted("asha@example.com", Role.VIEWER)),
        ({"emails": ("asha@example.com",)}, {}, Admitted("asha@example.com", Role.VIEWER)),
        ({"domains": ("other.example",)}, {}, "not among"),
        ({"domains": ("example.com",)}, {"email_verified": False}, "vouch"),
        ({"domains": ("example.com",)}, {"email": None}, "vouch"),
        ({"domains": ("ample.com",)}, {}, "not among"),
        (
            {"domains": ("example.com",), "default_role": Role.OPERATOR},
            {},
            Admitted("asha@example.com", Role.OPERATOR),
        ),
        (BY_GROUP, {"groups": "ops"}, Role.OPERATOR),
        (
            {"role_claim": "groups", "roles": ROLES},
            {"groups": ["leads", "ops"]},
            Role.ADMINISTRATOR,
        ),
        (BY_GROUP, {"groups": ["x", 5, None]}, "no role"),
        (BY_GROUP, {"groups": {"ops": True}}, "no role"),
        (BY_GROUP, {}, "no role"),
        ({"role_claim": "a.b", "roles": ROLES}, {"a": {"b": ["ops"]}}, Role.OPERATOR),
        ({"role_claim": "a.b", "roles": ROLES}, {"a.b": "ops", "a": 5}, Role.OPERATOR),
        ({"role_claim": "a.b.c", "roles": ROLES}, {"a": {"b": "ops"}}, "no role"),
        (
            {"role_claim": "groups", "roles": ROLES, "default_role": Role.VIEWER},
            {"groups": ["x"]},
            Role.VIEWER,
        ),
    ],
)
def test_admit(settings, claims, found):
    said = admit({**GOOD, **claims}, oidc(**settings))
    if isinstance(found, str):
        assert isinstance(said, SignInRefusal)
        assert found in said.why
    elif isinstance(found, Role):
        assert said == Admitted("asha@example.com", found, claimed=True)
    else:
        assert said == found


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "u1"}, "u1"),
        ({"sub": "u1", "name": "Asha K"}, "Asha K"),
        ({"sub": "u1", "name": "Asha K", "preferred_username": "asha"}, "asha"),
        ({"sub": "u1", "preferred_username": "a\u202eb", "name": "ａｓｈａ"}, "asha"),
    ],
)
def test_by_which_name(claims, name):
    """The first that can be one, its letters made plain."""
    assert admit(claims, oidc(default_role=Role.VIEWER)) == Admitted(name, Role.VIEWER)


def test_somebody_without_a_name():
    assert isinstance(admit({"sub": "\x00"}, oidc()), SignInRefusal)

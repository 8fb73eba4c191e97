"""Passkeys: where they work, and what an authenticator must have said."""

from __future__ import annotations

import base64
import json

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator import PRESENT, Authenticator, text
from switchhook.access.passkeys import (
    Assertion,
    NewPasskey,
    Passkey,
    RelyingParty,
    Unproven,
    asserted,
    copied,
    creation_options,
    enrolled,
    relying_party,
    request_options,
    user_handle,
)
from switchhook.access.roles import Role
from switchhook.access.users import User

ORIGIN = "https://console.example"
PARTY = RelyingParty("console.example", ORIGIN)
CHALLENGE = bytes(range(32))
ASHA = User(id=1, name="asha", role=Role.VIEWER, created_us=5)


@pytest.mark.parametrize(
    ("origin", "rp_id", "problem"),
    [
        ("https://console.example", "console.example", ""),
        ("https://console.example:8443", "console.example", ""),
        ("https://console", "console", ""),
        ("http://localhost:8081", "localhost", ""),
        ("https://localhost", "localhost", ""),
        ("http://console.example", "console.example", "over https only"),
        ("http://127.0.0.1:8081", "127.0.0.1", "IP address"),
        ("https://10.0.0.7", "10.0.0.7", "IP address"),
        ("https://[::1]:8081", "::1", "IP address"),
        ("https://", "", "IP address"),
    ],
)
def test_where_passkeys_work(origin, rp_id, problem):
    """By a host's name, in a secure context."""
    party = relying_party(origin)
    assert (party.id, party.origin) == (rp_id, origin)
    assert problem in party.problem
    assert bool(party.problem) is bool(problem)


@pytest.mark.parametrize(
    ("kept", "said", "wrong"),
    [(0, 0, False), (0, 1, False), (1, 2, False), (5, 5, True), (5, 4, True), (5, 0, True)],
)
def test_a_count_that_does_not_grow_tells_of_a_copy(kept, said, wrong):
    """Those that never count say 0 each time."""
    assert copied(kept, said) is wrong


def test_what_a_browser_is_asked_by():
    made = json.loads(creation_options(PARTY, ASHA, CHALLENGE, [kept_of(Authenticator())]))
    assert made["rp"]["id"] == "console.example"
    assert made["challenge"] == text(CHALLENGE)
    assert made["attestation"] == "none"
    assert made["authenticatorSelection"]["residentKey"] == "discouraged"
    assert made["authenticatorSelection"]["userVerification"] == "preferred"
    assert len(made["excludeCredentials"]) == 1
    assert "asha" not in base64.urlsafe_b64decode(made["user"]["id"] + "==").decode("latin-1")
    used = json.loads(request_options(PARTY, CHALLENGE, [kept_of(Authenticator())]))
    assert (used["rpId"], used["userVerification"]) == ("console.example", "preferred")
    assert len(used["allowCredentials"]) == 1


def test_a_user_is_known_by_the_same_handle_and_nobody_else():
    again = msgspec.structs.replace(ASHA, name="renamed", second_factor=True)
    assert user_handle(ASHA) == user_handle(again)
    assert user_handle(ASHA) != user_handle(msgspec.structs.replace(ASHA, id=2))
    assert user_handle(ASHA) != user_handle(msgspec.structs.replace(ASHA, created_us=6))


def creation():
    return json.loads(creation_options(PARTY, ASHA, CHALLENGE, []))


def request():
    return json.loads(request_options(PARTY, CHALLENGE, []))


def kept_of(authenticator, number=1, sign_count=0):
    return Passkey(
        id=number,
        credential=authenticator.credential,
        public_key=authenticator.public_key(),
        sign_count=sign_count,
        rp_id="console.example",
        name="phone",
        made_us=1,
    )


def test_what_was_made_is_kept():
    authenticator = Authenticator()
    new = enrolled(authenticator.create(creation(), ORIGIN), CHALLENGE, PARTY)
    assert new == NewPasskey(
        credential=authenticator.credential,
        public_key=authenticator.public_key(),
        sign_count=0,
        rp_id="console.example",
    )


LIES = [
    {"origin": "https://console.example.evil.example"},
    {"origin": "http://console.example"},
    {"origin": "https://console.example:444"},
    {"rp_id": "evil.example"},
    {"challenge": text(bytes(32))},
    {"challenge": ""},
]


@pytest.mark.parametrize("lie", [*LIES, {"kind": "webauthn.get"}], ids=str)
def test_what_was_made_for_others_is_not(lie):
    told = {"origin": ORIGIN, **lie}
    if told.get("challenge") == "":
        del told["challenge"]
        said = Authenticator().create({**creation(), "challenge": ""}, **told)
    else:
        said = Authenticator().create(creation(), **told)
    assert isinstance(enrolled(said, CHALLENGE, PARTY), Unproven)


def test_what_was_signed_proves():
    authenticator, other = Authenticator(), Authenticator()
    known = [kept_of(other, 1), kept_of(authenticator, 2)]
    shown = asserted(authenticator.get(request(), ORIGIN), CHALLENGE, PARTY, known)
    assert shown == Assertion(known[1], 1)


def test_without_verification_of_the_user_it_proves_too():
    """It is asked for where there is any; a security key without a PIN has none."""
    authenticator = Authenticator()
    authenticator.flags = PRESENT
    said = authenticator.get(request(), ORIGIN)
    assert isinstance(asserted(said, CHALLENGE, PARTY, [kept_of(authenticator)]), Assertion)
    authenticator.flags = 0
    said = authenticator.get(request(), ORIGIN)
    assert isinstance(asserted(said, CHALLENGE, PARTY, [kept_of(authenticator)]), Unproven)


@pytest.mark.parametrize("lie", [*LIES[:-1], {"kind": "webauthn.create"}], ids=str)
def test_what_was_signed_for_others_proves_nothing(lie):
    authenticator = Authenticator()
    said = authenticator.get(request(), **{"origin": ORIGIN, **lie})
    assert isinstance(asserted(said, CHALLENGE, PARTY, [kept_of(authenticator)]), Unproven)


def test_another_key_proves_nothing():
    """Neither another user's passkey, nor another key under the name of one that is known."""
    authenticator, thief = Authenticator(), Authenticator()
    known = [kept_of(authenticator)]
    said = thief.get(request(), ORIGIN)
    assert asserted(said, CHALLENGE, PARTY, known) == Unproven("it is no passkey of this user here")
    thief.credential = authenticator.credential
    said = thief.get(request(), ORIGIN)
    assert isinstance(asserted(said, CHALLENGE, PARTY, known), Unproven)


def test_a_passkey_of_another_host_proves_nothing_here():
    authenticator = Authenticator()
    elsewhere = msgspec.structs.replace(kept_of(authenticator), rp_id="localhost")
    said = authenticator.get(request(), ORIGIN)
    assert isinstance(asserted(said, CHALLENGE, PARTY, [elsewhere]), Unproven)


GOOD = Authenticator()
SAID = GOOD.get(request(), ORIGIN)
MADE = GOOD.create(creation(), ORIGIN)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
FIELDS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]


@given(st.text() | JUNK.map(json.dumps))
def test_garbage_is_no_passkey_and_no_fault(said):
    assert isinstance(enrolled(said, CHALLENGE, PARTY), Unproven)
    assert isinstance(asserted(said, CHALLENGE, PARTY, [kept_of(GOOD)]), Unproven)


@given(st.sampled_from([SAID, MADE]), st.sampled_from(FIELDS), JUNK | st.binary().map(text))
def test_garbage_in_a_field_is_no_fault(said, field, junk):
    changed = json.loads(said)
    before = changed["response"].get(field)
    changed["response"][field] = junk
    told = json.dumps(changed)
    shown = asserted(told, CHALLENGE, PARTY, [kept_of(GOOD)])
    made = enrolled(told, CHALLENGE, PARTY)
    if before is not None and junk != before:
        assert isinstance(shown, Unproven)
        assert isinstance(made, Unproven)


@given(st.dictionaries(st.sampled_from([1, 3, -1, -2, -3]), st.integers(-300, 300) | st.binary()))
def test_a_key_that_is_none_is_not_enrolled(key):
    """It would be found out at the first sign-in only, where it is too late."""
    authenticator = Authenticator()
    authenticator.public_key = lambda: cbor2.dumps(key)
    said = authenticator.create(creation(), ORIGIN)
    assert isinstance(enrolled(said, CHALLENGE, PARTY), Unproven)


def test_a_point_off_the_curve_is_not_enrolled():
    authenticator = Authenticator()
    point = {1: 2, 3: -7, -1: 1, -2: bytes(31) + b"\5", -3: bytes(31) + b"\5"}
    authenticator.public_key = lambda: cbor2.dumps(point)
    said = authenticator.create(creation(), ORIGIN)
    assert isinstance(enrolled(said, CHALLENGE, PARTY), Unproven)


@pytest.mark.parametrize("nested", ["[" * 100_000, '{"id":' * 50_000])
def test_deep_json_is_no_fault(nested):
    assert isinstance(asserted(nested, CHALLENGE, PARTY, []), Unproven)
    assert isinstance(enrolled(nested, CHALLENGE, PARTY), Unproven)


def test_messages_show_no_key():
    assert "phone" not in repr(kept_of(GOOD))
    assert "credential" not in repr(kept_of(GOOD))

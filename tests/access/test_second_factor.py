"""Codes of authenticator apps and recovery codes."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.access.second_factor import (
    RECOVERY_BYTES,
    STEP_US,
    code_at,
    hashed_recovery,
    matching_step,
    provisioning_uri,
    recovery_code,
    shown_secret,
    step_of,
)

SECRET = b"12345678901234567890"
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
    ],
)
def test_the_codes_of_rfc_6238(seconds, code):
    """Its appendix B, the last six of eight digits."""
    assert code_at(SECRET, step_of(seconds * SECOND)) == code


@given(st.binary(min_size=20, max_size=20), st.integers(0, 4_000_000_000), st.integers(-4, 4))
def test_two_clocks_may_differ_by_a_step(secret, seconds, off):
    """A step either way counts; what is further off does not, but for a rare coincidence."""
    now_us = seconds * SECOND
    step = step_of(now_us) + off
    if step < 0:
        return
    code = code_at(secret, step)
    near = {code_at(secret, step_of(now_us) + each) for each in (-1, 0, 1) if seconds >= 30}
    found = matching_step(secret, code, now_us, -1)
    if abs(off) <= 1:
        assert found is not None
        assert code_at(secret, found) == code
    elif code not in near and seconds >= 30:
        assert found is None


@given(st.integers(0, 4_000_000_000), st.integers(-1, 1))
def test_no_code_counts_twice(seconds, off):
    """Neither it nor one before it, however the clocks stand to each other."""
    now_us = (seconds + 60) * SECOND
    step = matching_step(SECRET, code_at(SECRET, step_of(now_us) + off), now_us, -1)
    again = matching_step(SECRET, code_at(SECRET, step_of(now_us) + off), now_us, step)
    assert again is None or again > step


@pytest.mark.parametrize(
    "typed", ["", "28708", "2870822", "২৮৭০৮২", "abcdef", "28708a", "287082\0", "-87082", "²²²²²²"]
)
def test_what_is_no_code(typed):
    assert matching_step(SECRET, typed, 59 * SECOND, -1) is None


def test_a_code_may_be_typed_in_groups():
    assert matching_step(SECRET, " 287 082 ", 59 * SECOND, -1) == 59 * SECOND // STEP_US


def test_what_the_qr_code_says():
    """As apps read it, whatever the name."""
    parts = urlsplit(provisioning_uri(SECRET, "ரவி:&secret=x@example.com"))
    said = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert said["secret"] == [shown_secret(SECRET).replace(" ", "")]
    assert (said["digits"], said["period"], said["issuer"]) == (["6"], ["30"], ["Switchhook"])


@given(st.binary(min_size=RECOVERY_BYTES, max_size=RECOVERY_BYTES))
def test_a_recovery_code_however_it_is_typed(chance):
    code = recovery_code(chance)
    kept = hashed_recovery(code)
    assert kept is not None
    assert {hashed_recovery(each) for each in (code.upper(), code.replace("-", " "))} == {kept}
    assert hashed_recovery(code[:-1]) is None


@given(st.text())
def test_any_text_is_a_recovery_code_or_none(text):
    kept = hashed_recovery(text)
    assert kept is None or len(kept) == 32


def test_a_secret_is_not_shown_in_messages(tmp_path):
    from switchhook.access.second_factor import SecondFactor

    factor = SecondFactor(secret=SECRET, last_step=1, enrolled_us=1)
    assert "1234" not in repr(factor)

"""Which signs of secrets a request has, by either of the two modules that tell."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_twin import python_twin
from switchhook.answer import secret_signs
from switchhook.answer.secret_signs import AT, PASSTHRU, QUOTE, SECRET

IN_PYTHON = python_twin(secret_signs)
BOTH = pytest.mark.parametrize("module", [secret_signs, IN_PYTHON], ids=["compiled", "python"])


@BOTH
@pytest.mark.parametrize(
    ("raw", "signs", "first"),
    [
        (b"", 0, -1),
        (b"CallSid=a1&From=1", 0, -1),
        (b"a@b", AT, -1),
        (b"a%40b", AT, -1),
        (b"a%2540", AT, -1),
        (b"a%4", 0, -1),
        (b"a254", 0, -1),
        (b"12540\x12540", AT, -1),
        (b"\x12540", 0, -1),
        (b"xWsx&url=wss", 0, 1),
        (b"w", 0, -1),
        (b"sEcReT", SECRET, -1),
        (b"ssecret=", SECRET, -1),
        (b"secre", 0, -1),
        (b"PASSthru", PASSTHRU, -1),
        (b"\x50\x41ssthr\x15", 0, -1),
        (b'"', QUOTE, -1),
        (b'"passthru" secret@ws', AT | SECRET | PASSTHRU | QUOTE, 18),
    ],
)
def test_signs(module, raw: bytes, signs: int, first: int):
    assert module.signs_of(raw) == (signs, first)


@BOTH
def test_texts_and_addresses_are_found(module):
    assert module.standing_in(b"a=1&secret", [b"secret", b"b", b"", b"a=1", b"secrets"]) == [
        b"secret",
        b"",
        b"a=1",
    ]
    assert module.standing_in(b"", [b"a", b""]) == [b""]
    assert module.standing_in(b"a\0b", [b"\0b"]) == [b"\0b"]
    assert [module.find_ws(b"ws-WS", at) for at in range(6)] == [0, 3, 3, 3, -1, -1]


PIECES = [
    b"@", b"%40", b"%2540", b"2540", b"25", b"40", b"%", b"w", b"s", b"W", b"S", b"ws", b"secret",
    b"SECRET", b"secre", b"t", b"passthru", b"PassThru", b"pass", b"p", b'"', b"\x12", b"\x15",
    b"\x13", b"\x17s", b"\xd3", b"&", b"=",
]  # fmt: skip


@settings(max_examples=2000)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12).map(b"".join))
def test_both_say_the_same(raw: bytes):
    assert secret_signs.signs_of(raw) == IN_PYTHON.signs_of(raw)
    for at in range(len(raw) + 2):
        assert secret_signs.find_ws(raw, at) == IN_PYTHON.find_ws(raw, at)
    texts = [raw[1:], raw[1:-1], raw[:2], *PIECES, raw + b"x"]
    assert secret_signs.standing_in(raw, texts) == IN_PYTHON.standing_in(raw, texts)

"""Bodies, without a connection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer.http.body import Beginning, Chunks, Counted
from switchhook.answer.http.messages import BODY_CHUNKS_BROKEN, BODY_CHUNKS_WASTEFUL, BODY_TOO_LONG


@given(st.binary(min_size=1, max_size=100), st.integers(1, 30))
def test_counted_body_ends_where_its_length_says(body: bytes, step: int) -> None:
    sent = body + b"NEXT"
    counted = Counted(len(body), 100)
    at = 0
    while (end := counted.feed(sent[at : at + step])) < 0:
        at += step
    assert (bytes(counted.body), counted.problem) == (body, None)
    assert sent[at + end :] == b"NEXT"


def test_counted_body_is_cut_at_the_most() -> None:
    counted = Counted(11, 10)
    assert counted.feed(b"x" * 9) == -1
    assert counted.feed(b"x" * 2) == -1
    assert bytes(counted.body) == b"x" * 10
    assert counted.problem == BODY_TOO_LONG


@given(st.integers(1, 400), st.integers(1, 50), st.integers(1, 100))
def test_the_beginning_of_a_body_is_held_and_no_more(length: int, step: int, kept: int) -> None:
    beginning = Beginning(length, 300, kept)
    sent = bytes(at % 251 for at in range(length)) + b"NEXT"
    at = end = 0
    while beginning.problem is None:
        end = beginning.feed(sent[at : at + step])
        if end >= 0:
            break
        at += step
    assert beginning.problem == (BODY_TOO_LONG if length > 300 else None)
    if length <= 300:
        assert sent[at + end :] == b"NEXT"
    held = bytes(beginning.body)
    assert sent.startswith(held)
    assert min(kept, length) <= len(held) < kept + step


def _chunk(body: bytes, sizes: list[int]) -> bytes:
    out = b""
    for size in sizes:
        part, body = body[:size], body[size:]
        if part:
            out += b"%x;ext=1\r\n%s\r\n" % (len(part), part)
    if body:
        out += b"%X\r\n%s\r\n" % (len(body), body)
    return out + b"0\r\nTrailer: x\r\n\r\n"


@given(
    st.binary(max_size=300),
    st.lists(st.integers(1, 50), max_size=8),
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_chunks_give_the_body_however_they_arrive(
    body: bytes, sizes: list[int], cuts: list[int]
) -> None:
    sent = _chunk(body, sizes) + b"NEXT"
    chunks = Chunks(1000)
    at = 0
    while True:
        step = cuts[at % len(cuts)]
        end = chunks.feed(sent[at : at + step])
        if end >= 0:
            break
        at += step
        assert at < len(sent)
    assert (bytes(chunks.body), chunks.problem) == (body, None)
    assert sent[at + end :] == b"NEXT"


@given(st.binary(max_size=100))
def test_chunks_never_raise(data: bytes) -> None:
    chunks = Chunks(10)
    chunks.feed(data)
    assert len(chunks.body) <= 10


@pytest.mark.parametrize(
    "sent, problem",
    [
        (b"x\r\n", BODY_CHUNKS_BROKEN),
        (b"\r\n", BODY_CHUNKS_BROKEN),
        (b"-1\r\n", BODY_CHUNKS_BROKEN),
        (b"1\nx\r\n", BODY_CHUNKS_BROKEN),
        (b"1\r\nxy\r\n", BODY_CHUNKS_BROKEN),
        (b"fffffffff\r\n", BODY_CHUNKS_BROKEN),
        (b"ffffffff\r\n" + b"x" * 101, BODY_TOO_LONG),
        (b"1;" + b"e" * 2000, BODY_CHUNKS_WASTEFUL),
        (b"0\r\n" + b"t: x\r\n" * 20_000, BODY_CHUNKS_WASTEFUL),
        (
            b"1;aaaaaaaaaaaaaaaa\r\nx\r\n" * 90 + b"0\r\n" + b"t: x\r\n" * 11_000,
            BODY_CHUNKS_WASTEFUL,
        ),
    ],
)
def test_bad_chunks(sent: bytes, problem: str) -> None:
    chunks = Chunks(100)
    assert chunks.feed(sent) == -1
    assert chunks.problem == problem
    assert len(chunks.body) <= 100

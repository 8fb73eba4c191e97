"""The same question within ten minutes is a repeat; anything else asked is new."""

import pytest

from switchhook.answer.repeats import Asked, RepeatMemory, fingerprint
from switchhook.wire.passthru import parse
from switchhook.wire.request import Request

QUERY = b"CallSid=a1&From=09000000001&To=1&CurrentTime=2024-01-01+10%3A00%3A00&digits=1"


def key_of(query: bytes) -> int | None:
    return fingerprint("sales", parse(Request(query)), b"k" * 32)


@pytest.mark.parametrize(
    ("query", "same"),
    [
        (QUERY.replace(b"10%3A00%3A00", b"10%3A00%3A09"), True),
        (QUERY.replace(b"digits=1", b"digits=2"), False),
        (QUERY + b"&Stream[StreamSID]=s1", False),
        (QUERY + b"&other=1", False),
    ],
)
def test_fingerprint_covers_all_but_current_time(query, same):
    """CurrentTime alone makes no new question."""
    assert (key_of(query) == key_of(QUERY)) is same


def test_fingerprint_needs_a_call():
    """Without a CallSid nothing is a repeat."""
    assert key_of(b"From=09000000001") is None


def test_memory_forgets_after_the_window():
    """The window is counted from the first time it was asked."""
    memory = RepeatMemory(most=10, window_ms=1000)
    memory.remember(7, Asked(1, 5, 100, 0))
    assert memory.find(7, 1099) == Asked(1, 5, 100, 0)
    assert memory.find(7, 1100) is None


def test_memory_is_bounded_and_keeps_the_newest():
    """Half of `most` is always kept, never more than `most`."""
    memory = RepeatMemory(most=100)
    for number in range(1, 1001):
        memory.remember(number, Asked(number, 0, 0, 1))
    assert len(memory) <= 100
    assert all(memory.find(number, 0) is not None for number in range(951, 1001))
    assert memory.find(1, 0) is None

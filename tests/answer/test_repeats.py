"""The same question within ten minutes is a repeat; anything else asked is new."""

from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer.repeats import FirstAnswer, RepeatMemory, askings, fingerprint
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request

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


@given(st.integers(-(2**63), 2**63 - 1).filter(bool), st.integers(0, 2**40))
def test_askings_of_neighbouring_moments_overlap(asked, now_ms):
    """Each is a signed 64-bit number other than 0, as the journal keeps it."""
    without = parse(Request(b"CallSid=a1"))
    now, later = askings(asked, without, now_ms), askings(asked, without, now_ms + 3_000)
    assert later[-1] == now[0]
    assert not set(now) & set(askings(asked, without, now_ms + 8_000))
    assert all(-(2**63) <= key < 2**63 and key for key in now)
    assert len(set(now)) == 4


@pytest.mark.parametrize(
    "said",
    [
        "2026-01-05T10:00:00",
        "2026-01-05 10:00:00." + "1" * 60,
        "Mon, 05 Jan 2026 10:00:00 +0530 (India Standard Time, as it is called there)",
    ],
)
def test_askings_go_by_current_time_in_any_form_that_is_read(said: str):
    """Not by the clock: the same request is the same question."""
    passthru = msgspec.structs.replace(parse(Request(QUERY)), current_raw=said)
    assert passthru.current_at is not None
    assert askings(7, passthru, 0) == askings(7, passthru, 10_000)
    unread = msgspec.structs.replace(passthru, current_raw="x" * len(said))
    assert not set(askings(7, unread, 0)) & set(askings(7, unread, 10_000))


def test_of_several_keys_any_that_was_asked_is_found():
    """In either generation."""
    memory = RepeatMemory(most=4)
    for key in (1, 2, 3):  # 1 and 2 are in the older
        memory.remember(key, FirstAnswer(key, 0, 0, 0))
    for key in (1, 2, 3):
        assert memory.find((7, 8, key), 0) == FirstAnswer(key, 0, 0, 0)
    assert memory.find((7, 8, 9), 0) is None


def test_of_several_keys_the_own_is_found_first_and_none_that_is_too_old():
    """It comes first, wherever it is: another's answer is not its own."""
    memory = RepeatMemory(most=4, window_ms=100)
    for key in (1, 2, 3):  # 1 and 2 are in the older
        memory.remember(key, FirstAnswer(key, 0, 10 * key, 0))
    assert memory.find((2, 3), 50) == FirstAnswer(2, 0, 20, 0)
    assert memory.find((3, 2), 50) == FirstAnswer(3, 0, 30, 0)
    assert memory.find((1, 3), 115) == FirstAnswer(3, 0, 30, 0)
    assert memory.find((1, 2), 125) is None


def test_the_askings_of_one_call_stand_apart_in_the_memory():
    """Else who asks again and again would make a heap that others' questions have to go through."""
    without = parse(Request(b"CallSid=a1"))
    keys = [askings(key_of(QUERY) or 0, without, 1000 * second)[0] for second in range(20_000)]
    memory = RepeatMemory(most=4 * len(keys))
    for key in keys:
        memory.remember(key, FirstAnswer(1, 0, 0, 0))
    young = memory._young
    run = longest = 0
    for slot in young.slots:
        run = run + 1 if slot else 0
        longest = max(longest, run)
    assert longest < 100


def test_memory_forgets_after_the_window():
    """The window is counted from the first time it was asked."""
    memory = RepeatMemory(most=10, window_ms=1000)
    memory.remember(7, FirstAnswer(1, 5, 100, 0))
    assert memory.find((7,), 1099) == FirstAnswer(1, 5, 100, 0)
    assert memory.find((7,), 1100) is None


def test_memory_is_bounded_and_keeps_the_newest():
    """Half of `most` is always kept, never more than `most`."""
    memory = RepeatMemory(most=100)
    for number in range(1, 1001):
        memory.remember(number, FirstAnswer(number, 0, 0, 1))
    assert len(memory) <= 100
    assert all(memory.find((number,), 0) is not None for number in range(951, 1001))
    assert memory.find((1,), 0) is None


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), max_size=60),
    st.integers(0, 20),
    st.integers(2, 200),
)
def test_many_loaded_at_once_are_found_as_each_would_be(keys, first, most):
    """In a memory that is empty or not; later ones count. The bound holds for any number."""
    one, many = RepeatMemory(most=most), RepeatMemory(most=most)
    for number, key in enumerate(keys):
        one.remember(key, FirstAnswer(number, number + 7, number, number % 2))
        if number < first:
            many.remember(key, FirstAnswer(number, number + 7, number, number % 2))
    numbers = range(first, len(keys))
    seq, at = array("q", numbers), array("q", [number + 7 for number in numbers])
    option = array("i", [number % 2 for number in numbers])
    many.load((array("q", keys[first:]), seq, at, seq, option))
    if len(keys) <= most // 2:
        assert [many.find((key,), 0) for key in keys] == [one.find((key,), 0) for key in keys]
    assert len(many) <= most
    assert not keys or many.find((keys[-1],), 0) == one.find((keys[-1],), 0)

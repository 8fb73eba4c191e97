"""The table of states, and the pauses between attempts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.delivery.delivery import (
    FINAL,
    MOST_RETRY_AFTER_S,
    NEXT,
    Backoff,
    Delivery,
    DeliveryEvent,
    DeliveryState,
    SendResult,
    cancelled,
    claimed,
    destinations_due,
    discarded,
    next_due,
    replaces,
    settled,
)

LEASE_MS = 60_000
HOUR_MS = 3_600_000
FAILED = SendResult("no")


def delivery(key="1", destination="ops", **more):
    told = {"created_ms": 0, "due_ms": 0, "deadline_ms": 6 * HOUR_MS} | more
    return Delivery(kind="k", key=key, destination=destination, payload=b"p", **told)


def in_state(state, **more):
    done_ms = 0 if state in FINAL else None
    return delivery(state=state, done_ms=done_ms, **more)


def test_every_state_is_reached_and_only_the_final_ones_are_for_ever():
    assert {state for state, _ in NEXT} == set(DeliveryState) - FINAL
    reached, front = {DeliveryState.AVAILABLE}, {DeliveryState.AVAILABLE}
    while front:
        front = {after for (before, _), after in NEXT.items() if before in front} - reached
        reached |= front
    assert reached == set(DeliveryState)


def test_every_event_moves_something():
    assert {event for _, event in NEXT} == set(DeliveryEvent)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_is_over_stays_so(state):
    over = in_state(state, attempts=2)
    assert settled(over, 2, SendResult(), 1, 0.5) is None
    assert settled(over, 2, FAILED, 1, 0.5) is None
    assert cancelled(over, 2, "reason", 1) is None
    assert not replaces(in_state(DeliveryState.RETRYABLE, attempts=9), over)
    for move in (lambda: claimed(over, 1, LEASE_MS), lambda: discarded(over, "no", 1)):
        with pytest.raises(KeyError):
            move()


def test_its_way():
    first = claimed(delivery(), 10, LEASE_MS)
    assert (first.state, first.attempts, first.due_ms) == (DeliveryState.EXECUTING, 1, 60_010)
    failed = settled(first, 1, FAILED, 20, 0.5)
    assert (failed.state, failed.due_ms, failed.problem) == (DeliveryState.RETRYABLE, 5020, "no")
    second = claimed(failed, 6000, LEASE_MS)
    done = settled(second, 2, SendResult(), 7000, 0.5)
    assert (done.state, done.attempts, done.done_ms) == (DeliveryState.COMPLETED, 2, 7000)
    assert done.problem == ""
    assert cancelled(second, 2, "it is over", 7000).state is DeliveryState.CANCELLED


def test_who_comes_back_after_another_claim_has_no_say():
    first = claimed(delivery(), 0, LEASE_MS)
    second = claimed(first, LEASE_MS, LEASE_MS)
    assert (second.state, second.attempts) == (DeliveryState.EXECUTING, 2)
    assert settled(second, 1, SendResult(), LEASE_MS + 1, 0.5) is None
    assert settled(second, 1, FAILED, LEASE_MS + 1, 0.5) is None
    assert cancelled(second, 1, "it is over", LEASE_MS + 1) is None


def test_what_was_taken_after_all_is_completed():
    """An attempt that was given up on, and no other began."""
    given_up_on = settled(claimed(delivery(), 0, LEASE_MS), 1, FAILED, LEASE_MS, 0.5)
    assert settled(given_up_on, 1, FAILED, LEASE_MS + 1, 0.5) is None
    assert settled(given_up_on, 1, SendResult(), LEASE_MS + 1, 0.5).state is DeliveryState.COMPLETED


@given(st.floats(0, 1), st.integers(1, 500))
def test_pauses_grow_stay_in_bounds_and_spread(chance, attempts):
    backoff = Backoff()
    pause, longer = (backoff.pause_ms(n, chance) for n in (attempts, attempts + 1))
    assert 3750 <= pause <= longer <= 750_000
    assert backoff.pause_ms(attempts, 0.0) <= pause <= backoff.pause_ms(attempts, 1.0)


def test_it_is_tried_ever_more_slowly_until_its_deadline():
    each, now_ms, pauses = delivery(), 0, []
    while not each.final:
        trying = claimed(each, now_ms, LEASE_MS)
        each = settled(trying, trying.attempts, FAILED, now_ms, 0.5)
        pauses.append((each.due_ms - now_ms) // 1000)
        now_ms = each.due_ms
    assert pauses[:6] == [5, 20, 80, 320, 600, 600]
    assert (each.state, each.problem) == (DeliveryState.DISCARDED, "no")
    assert 6 * HOUR_MS - 600_000 <= each.done_ms <= 6 * HOUR_MS


@given(st.floats(allow_nan=False), st.floats(0, 1))
def test_a_destination_is_left_alone_for_as_long_as_it_asks(retry_after_s, chance):
    trying = claimed(delivery(), 0, LEASE_MS)
    after = settled(trying, 1, SendResult("429", retry_after_s), 0, chance)
    asked_ms = int(1000 * min(max(retry_after_s, 0), MOST_RETRY_AFTER_S))
    assert after.state is DeliveryState.RETRYABLE
    assert after.due_ms == max(asked_ms, Backoff().pause_ms(1, chance))


def test_who_asks_to_be_left_alone_beyond_the_deadline_gets_it_no_more():
    trying = claimed(delivery(deadline_ms=1_000_000), 0, LEASE_MS)
    assert settled(trying, 1, SendResult("429", 1001), 0, 0.5).state is DeliveryState.DISCARDED
    assert settled(trying, 1, SendResult("429", 1000), 0, 0.5).state is DeliveryState.RETRYABLE


def test_each_is_tried_once_however_late():
    late = claimed(delivery(), 7 * HOUR_MS, LEASE_MS)
    assert late.state is DeliveryState.EXECUTING
    # Whoever tried it went away, perhaps because of it: not for ever again.
    again = claimed(late, 8 * HOUR_MS, LEASE_MS)
    assert (again.state, again.problem) == (DeliveryState.DISCARDED, "nobody knows how it went")


def test_a_destination_gets_one_at_a_time_the_oldest_first():
    old, new, other = delivery("b"), delivery("a", created_ms=1), delivery("c", "chat", due_ms=9)
    assert destinations_due([new, old, other], 5) == ["ops"]
    assert next_due([new, old, other], "ops", 5) == old
    assert next_due([new, old, other], "chat", 5) is None
    busy = claimed(old, 5, LEASE_MS)
    assert destinations_due([new, busy, other], 9) == ["chat"]
    assert next_due([new, busy], "ops", 9) is None
    # Until the claim ends.
    assert destinations_due([new, busy], LEASE_MS + 5) == ["ops"]
    assert next_due([new, busy], "ops", LEASE_MS + 5) == busy


@pytest.mark.parametrize("before", DeliveryState)
@pytest.mark.parametrize("after", DeliveryState)
def test_what_went_on_from_memory_replaces_what_was_kept_and_is_not_over(before, after):
    kept = in_state(before, attempts=1)
    ahead = msgspec.structs.replace(in_state(after, attempts=1), problem="from memory")
    assert replaces(ahead, kept) is (before not in FINAL)
    assert not replaces(ahead, in_state(before, attempts=2))


def test_its_id_is_its_own_and_stays():
    first = delivery("a")
    same = claimed(claimed(first, 5, LEASE_MS), 2 * LEASE_MS, LEASE_MS)
    assert same.public_id == first.public_id
    assert len(first.public_id) == 16
    others = [
        delivery("b"),
        delivery("a", destination="chat"),
        delivery("a", created_ms=1),
        msgspec.structs.replace(first, kind="other"),
    ]
    assert len({first.public_id, *(each.public_id for each in others)}) == 5

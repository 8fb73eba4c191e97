"""The states of a promise, and that nothing moves it otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from switchhook.callbacks.promise import (
    ENDS,
    FINAL,
    NEXT,
    NONE_LEFT,
    ON_ITS_WAY,
    Promise,
    PromiseEvent,
    PromiseOrigin,
    PromiseState,
    custom_field_of,
    moved,
    read_custom_field,
)

MADE = Promise(
    id=7,
    token="k3f9",
    account="main",
    number="+919876500001",
    class_="sales",
    reason="throttled",
    origin=PromiseOrigin.RULE,
    made_ms=1_000,
    due_ms=61_000,
    until_ms=9_000_000,
    state=PromiseState.UNPROVEN,
    since_ms=1_000,
)


def after(*events, start=MADE):
    promise = start
    for at, event in enumerate(events, 1):
        found = moved(promise, event, 1_000 + at)
        if found is not None:
            promise = found
    return promise


E = PromiseEvent


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((E.PROVEN,), PromiseState.OPEN),
        ((E.REFUTED,), PromiseState.DROPPED),
        ((E.SERVED,), PromiseState.DROPPED),
        ((E.PROVEN, E.DIALLED, E.PLACED, E.TALKED), PromiseState.KEPT),
        ((E.PROVEN, E.DIALLED, E.TALKED, E.PLACED), PromiseState.KEPT),
        ((E.PROVEN, E.DIALLED, E.PLACED, E.MISSED), PromiseState.OPEN),
        ((E.PROVEN, E.DIALLED, E.AMBIGUOUS, E.NOT_PLACED), PromiseState.OPEN),
        ((E.PROVEN, E.DIALLED, E.AMBIGUOUS, E.NOT_PLACED, E.PLACED), PromiseState.RINGING),
        ((E.PROVEN, E.DIALLED, E.AMBIGUOUS, E.GIVEN_UP), PromiseState.BROKEN),
        ((E.PROVEN, E.DIALLED, E.AMBIGUOUS, E.GIVEN_UP, E.TALKED), PromiseState.KEPT),
        ((E.PROVEN, E.DIALLED, E.POSTPONED), PromiseState.OPEN),
        ((E.PROVEN, E.DIALLED, E.REFUSED), PromiseState.BROKEN),
        ((E.PROVEN, E.DIALLED, E.SERVED), PromiseState.DIALLING),
        ((E.PROVEN, E.DIALLED, E.SERVED, E.MISSED), PromiseState.DROPPED),
        ((E.PROVEN, E.DIALLED, E.CANCELLED, E.TALKED), PromiseState.KEPT),
        ((E.PROVEN, E.PAUSED, E.DIALLED), PromiseState.PAUSED),
        ((E.PROVEN, E.PAUSED, E.RESUMED, E.DIALLED), PromiseState.DIALLING),
        ((E.PROVEN, E.EXPIRED, E.RETRIED), PromiseState.OPEN),
    ],
)
def test_what_follows(events, state):
    assert after(*events).state is state


@given(st.lists(st.sampled_from(list(PromiseEvent)), max_size=40))
def test_no_second_call_is_dialled_while_one_may_be_on_its_way(events):
    promise = MADE
    for event in events:
        found = moved(promise, event, 5_000)
        if found is None:
            continue
        if found.attempts > promise.attempts:
            assert promise.state is PromiseState.OPEN
        if promise.state is PromiseState.KEPT:
            pytest.fail("a kept promise moved")
        promise = found


@given(st.lists(st.sampled_from(list(PromiseEvent)), max_size=40))
def test_what_ends_a_promise_is_never_lost(events):
    """It ends at once, or once the call on its way is over, unless they talked then."""
    promise, ended = MADE, False
    for event in events:
        found = moved(promise, event, 5_000)
        if found is None:
            continue
        if event in ENDS:
            ended = True
        if event is PromiseEvent.RETRIED:
            ended = False
        promise = found
        if ended:
            assert promise.state in FINAL | ON_ITS_WAY


def test_a_retry_grants_one_attempt_and_forgets_doubts():
    broken = replace(MADE, state=PromiseState.BROKEN, attempts=3, doubts=2)
    again = after(PromiseEvent.RETRIED, start=broken)
    assert (again.attempts, again.granted, again.doubts) == (3, 1, 0)


@pytest.mark.parametrize("event", [E.MISSED, E.POSTPONED])
@pytest.mark.parametrize(
    ("due_ms", "state", "why"),
    [
        (MADE.until_ms - 1, PromiseState.OPEN, "their line was busy"),
        (MADE.until_ms, PromiseState.BROKEN, f"their line was busy, and {NONE_LEFT}"),
    ],
)
def test_one_that_would_be_due_again_when_its_time_is_over_is_broken_at_once(
    event, due_ms, state, why
):
    dialling = after(E.PROVEN, E.DIALLED)
    found = moved(dialling, event, 5_000, why="their line was busy", due_ms=due_ms)
    assert found is not None
    assert (found.state, found.why, found.since_ms) == (state, why, 5_000)
    assert (found.event is E.EXHAUSTED) is found.final


def test_what_was_to_end_it_after_its_call_comes_before_that_nothing_is_left():
    served = after(E.PROVEN, E.DIALLED, E.SERVED)
    found = moved(served, E.MISSED, 5_000, due_ms=MADE.until_ms)
    assert found is not None
    assert (found.state, found.event) == (PromiseState.DROPPED, E.SERVED)


def test_one_whose_time_is_over_expires_and_a_late_talk_keeps_one_without_attempts():
    over = moved(after(E.PROVEN, E.DIALLED), E.MISSED, MADE.until_ms, due_ms=MADE.until_ms + 1)
    assert over is not None
    assert over.state is PromiseState.OPEN
    broken = moved(after(E.PROVEN, E.DIALLED), E.MISSED, 5_000, due_ms=MADE.until_ms)
    assert broken is not None
    kept = moved(broken, E.TALKED, 6_000)
    assert kept is not None
    assert kept.state is PromiseState.KEPT


def test_every_state_can_be_reached_and_all_but_kept_can_be_left():
    assert set(NEXT.values()) | {PromiseState.UNPROVEN} == set(PromiseState)
    assert {state for state, _ in NEXT} == set(PromiseState) - {PromiseState.KEPT}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (custom_field_of("k3f9", 2), ("k3f9", 2)),
        (" switchhook:k3f9:2 ", ("k3f9", 2)),
        ("switchhook:k3f9:two", None),
        ("switchhook:k3f9:٢", None),
        ("switchhook::2", None),
        ("order-77", None),
        (None, None),
    ],
)
def test_custom_field(text, read):
    assert read_custom_field(text) == read

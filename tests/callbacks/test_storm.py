"""A storm: thousands are owed a call within a minute. In virtual time, over a real ledger.

They are called at the pace of free streams, and Exotel's API is never asked more often than it may
be. PROMISE_STORM says how many there are; the figures of 5,000 are in docs/calling-back.md.
"""

from __future__ import annotations

import os
from bisect import bisect_left

import msgspec
import pytest

from callbacks.exotel_world import SETTINGS, Exotel, Went, World, check_never_twice
from callbacks.promised import NOON
from switchhook.callbacks import (
    dialling_worker,
    following_worker,
    promises_worker,
    proving_worker,
)
from switchhook.callbacks.call_told import CallTold, ToldBy
from switchhook.callbacks.outcome import after_told
from switchhook.callbacks.promise import FINAL, PromiseState
from switchhook.exotel.cause import Cause
from switchhook.server.tables import open_ledger

MANY = int(os.environ.get("PROMISE_STORM", "120"))
LIMIT = 200
HOUR_S = 3600


@pytest.fixture
def ledger(tmp_path):
    found = open_ledger(tmp_path)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _seldom(monkeypatch):
    for module in (following_worker, promises_worker, proving_worker):
        monkeypatch.setattr(module, "LOOK_S", 5.0)
    assert dialling_worker.LOOK_S == 1.0


def most_within_a_minute(moments):
    """How many of some moments, in order, lie within any minute."""
    return max(n + 1 - bisect_left(moments, at - 59_999) for n, at in enumerate(moments))


def storm(ledger, *, streams, within_s, classes=("default",), weights=None):
    """What became of it: the world, and when each was called."""
    settings = msgspec.structs.replace(SETTINGS, within_s=within_s, classes=weights or {})
    exotel = Exotel(per_minute=LIMIT)
    world = World(ledger, exotel, settings)
    world.leases.free = streams
    for n in range(MANY):
        world.now_ms = NOON + n * 60_000 // MANY
        world.make(class_=classes[n % len(classes)])
    world.now_ms = NOON

    async def keep(worker, clock):
        """Be Exotel's StatusCallbacks and passthrus too, which come as each call ends."""
        told = seconds = 0
        while seconds % 30 or not FINAL.issuperset(world.states()):
            await clock.sleep(1)
            seconds += 1
            while told < len(exotel.calls) and exotel.calls[told].ends_ms <= clock.wall_ms():
                tell(world, worker, exotel.calls[told], clock.wall_ms())
                told += 1

    world.live(0, doing=keep)
    return world


def tell(world, worker, call, now_ms):
    """Every call goes alike, so that they end in the order in which they began."""
    found = world.promises.by_custom_field(call.custom_field)
    assert found is not None
    promise, attempt = found
    told = CallTold(
        by=ToldBy.CALLBACK,
        at_ms=now_ms,
        call_sid=call.sid,
        status="completed",
        answered_by="human",
        cause=Cause.BOT_DONE,
        bot_s=call.went.value[1],
    )
    follows = after_told(promise, attempt, told, world.settings, now_ms, 0.5)
    world.promises.settle(
        promise.id, follows.event, now_ms, attempt=attempt.number, change=follows.change
    )
    worker.followed(attempt, follows.event)


def test_they_are_called_at_the_pace_of_free_streams_and_within_the_apis_limit(ledger):
    streams, hold_s = 20, sum(Went.TALKED.value)
    world = storm(ledger, streams=streams, within_s=6 * HOUR_S)
    assert set(world.states()) == {PromiseState.KEPT}
    assert world.leases.most == streams
    assert most_within_a_minute(sorted(world.exotel.asked_ms)) <= LIMIT
    calls = [call.at_ms for call in world.exotel.calls]
    took_s = (calls[-1] - calls[0]) / 1000
    ideal_s = (MANY - streams) / streams * hold_s
    assert took_s <= ideal_s * 1.15
    # Evenly: no minute has more than the streams can take, however many wait.
    assert most_within_a_minute(calls) <= streams * (60 / hold_s + 1)
    check_never_twice(world)


def test_with_streams_enough_the_apis_limit_is_the_pace(ledger):
    """Polls and details need some of it; what is left is used."""
    world = storm(ledger, streams=10_000, within_s=6 * HOUR_S)
    assert set(world.states()) == {PromiseState.KEPT}
    assert most_within_a_minute(sorted(world.exotel.asked_ms)) <= LIMIT
    calls = [call.at_ms for call in world.exotel.calls]
    pace = len(calls) / ((calls[-1] - calls[0]) / 60_000)
    assert pace >= min(LIMIT * 0.75, MANY * 0.9)


def test_those_whose_time_is_over_are_dropped_and_nobody_is_called_late(ledger):
    world = storm(ledger, streams=5, within_s=300)
    states = world.states()
    assert set(states) == {PromiseState.KEPT, PromiseState.DROPPED}
    late = [c for c in world.exotel.calls if c.at_ms > NOON + 60_000 + 300_000 + 1_000]
    assert late == []


def test_a_class_with_more_weight_has_more_of_the_turns(ledger):
    world = storm(
        ledger, streams=5, within_s=6 * HOUR_S, classes=("default", "vip"), weights={"vip": 3}
    )
    of = {world.promises.get(n + 1).token: n % 2 for n in range(MANY)}
    first = [of[call.custom_field.split(":")[1]] for call in world.exotel.calls[10:60]]
    assert 0.7 <= sum(first) / len(first) <= 0.8


def test_while_the_bot_is_dead_one_is_called_at_a_time_to_see(ledger):
    """Whoever answers finds nobody there: each such call is one too many."""
    world = World(ledger, Exotel(), msgspec.structs.replace(SETTINGS, gap_s=3600))
    world.make(count=90)

    async def keep(worker, clock):
        told = 0
        for _ in range(10 * 60):
            await clock.sleep(1)
            while told < len(world.exotel.calls):
                call = world.exotel.calls[told]
                if call.at_ms + 6_000 > clock.wall_ms():
                    break
                fail(world, worker, call, clock.wall_ms())
                told += 1
        waits.update(worker.waits())

    waits: dict[str, str] = {}
    world.live(0, doing=keep)
    first = world.exotel.calls[0].at_ms
    later = [call for call in world.exotel.calls if call.at_ms > first + 30_000]
    assert 6 <= len(later) <= 10, "about one a minute"
    assert "found nobody there" in waits["main"]


def fail(world, worker, call, now_ms):
    """The passthru of a stream that failed."""
    promise, attempt = world.promises.by_custom_field(call.custom_field)
    told = CallTold(
        by=ToldBy.PASSTHRU,
        at_ms=now_ms,
        call_sid=call.sid,
        custom_field=call.custom_field,
        cause=Cause.CONNECT_FAILED,
    )
    follows = after_told(promise, attempt, told, world.settings, now_ms, 0.5)
    world.promises.note(promise.id, attempt.number, follows.change)
    worker.followed(attempt, follows.event)

"""Promises are kept, and none twice: in virtual time, over a real ledger, killed at any moment."""

from __future__ import annotations

import os
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callbacks.exotel_world import DEED, SETTINGS, Api, Exotel, Fate, Went, World, check_never_twice
from callbacks.promised import NOON
from switchhook.callbacks import (
    dialling_worker,
    following_worker,
    promises_worker,
    proving_worker,
)
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.dialling_worker import MOST_ASKED
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.may_be_called import REGISTERED, UNSUBSCRIBED
from switchhook.callbacks.promise import FINAL, NONE_LEFT, PromiseEvent, PromiseState
from switchhook.errors import LedgerError
from switchhook.exotel.wire.whitelist import WhitelistStatus
from switchhook.server.tables import open_ledger


@pytest.fixture(autouse=True)
def _seldom(monkeypatch):
    """Looks are minutes of virtual time and real work: each some seconds apart is enough."""
    for module in (dialling_worker, following_worker, promises_worker, proving_worker):
        monkeypatch.setattr(module, "LOOK_S", 5.0)


@pytest.fixture
def ledger(tmp_path):
    found = open_ledger(tmp_path)
    yield found
    found.close()


def test_a_promise_is_kept(ledger):
    world = World(ledger, Exotel())
    world.make()
    world.live(300)
    assert world.states() == [PromiseState.KEPT]
    (call,) = world.exotel.calls
    assert call.custom_field == "switchhook:t0:1"
    assert not world.leases.held


def run_out(world):
    """Go on without being killed until all promises are over."""

    async def until_over(worker, clock):
        for _ in range(world.settings.within_s // 30 + 40):
            await clock.sleep(30)
            if FINAL.issuperset(world.states()):
                return

    world.live(0, doing=until_over)


def test_one_who_does_not_answer_is_called_again_after_the_gap_and_then_no_more(ledger):
    world = World(ledger, Exotel(went=[Went.NO_ANSWER] * 9))
    world.make()
    run_out(world)
    assert len(world.exotel.calls) == 3
    gaps = [b.at_ms - a.ends_ms for a, b in pairwise(world.exotel.calls)]
    assert all(gap >= 108_000 for gap in gaps)
    assert world.states() == [PromiseState.BROKEN]
    assert world.promises.get(1).why == "they were called 3 times in vain: they did not answer"
    # At once: nothing is waited for.
    assert world.promises.get(1).since_ms - world.exotel.calls[-1].ends_ms <= 180_000


def test_a_busy_line_is_not_called_soon_again(ledger):
    world = World(ledger, Exotel(went=[Went.BUSY, Went.TALKED]))
    world.make()
    run_out(world)
    first, second = world.exotel.calls
    assert second.at_ms - first.ends_ms >= 162_000
    assert world.states() == [PromiseState.KEPT]


def test_a_busy_line_whose_gap_takes_all_the_time_that_is_left_breaks_it_at_once(ledger):
    settings = msgspec.structs.replace(SETTINGS, declined_gap_s=SETTINGS.within_s * 2)
    world = World(ledger, Exotel(went=[Went.BUSY, Went.TALKED]), settings)
    world.make()
    run_out(world)
    (call,) = world.exotel.calls
    promise = world.promises.get(1)
    assert (promise.state, promise.event) == (PromiseState.BROKEN, PromiseEvent.EXHAUSTED)
    assert promise.why == f"their line was busy, and {NONE_LEFT}"
    assert promise.since_ms - call.ends_ms <= 180_000
    assert not world.leases.held


AMBIGUOUS = [Fate.DROPPED_BEFORE, Fate.DROPPED_AFTER, Fate.FAILS_AFTER]


@pytest.mark.parametrize("fate", AMBIGUOUS)
def test_what_nobody_knows_of_is_looked_up_and_only_what_was_not_placed_is_placed_again(
    ledger, fate
):
    world = World(ledger, Exotel(fates=[fate]))
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    assert len(world.exotel.calls) == 1
    assert len(world.exotel.requests) == (2 if fate is Fate.DROPPED_BEFORE else 1)
    check_never_twice(world)


def test_the_second_doubt_breaks_a_promise(ledger):
    world = World(ledger, Exotel(fates=[Fate.DROPPED_BEFORE] * 9))
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.BROKEN]
    assert len(world.exotel.requests) == 2
    assert "twice nobody could tell whether Exotel called" in world.promises.get(1).why


def test_a_call_that_no_list_shows_is_followed_by_one_other_at_most(ledger):
    world = World(
        ledger, Exotel(fates=[Fate.DROPPED_AFTER] * 9, hides=[True] * 9, went=[Went.NO_ANSWER] * 9)
    )
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.BROKEN]
    assert len(world.exotel.calls) == 2
    check_never_twice(world)


def test_lists_that_fail_count_for_nothing(ledger):
    exotel = Exotel(fates=[Fate.DROPPED_AFTER])
    exotel.list_fails = 20
    world = World(ledger, exotel)
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    assert len(exotel.calls) == 1


def test_one_who_talked_to_a_person_is_not_called_again_though_nobody_tells_of_it(ledger):
    """No passthru and no StatusCallback comes, and details have the legs two minutes late."""
    world = World(ledger, Exotel(went=[Went.PERSON]))
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    assert len(world.exotel.calls) == 1


def test_of_lists_that_cannot_be_had_people_are_told(ledger):
    exotel = Exotel(fates=[Fate.DROPPED_AFTER])
    exotel.list_fails = 5
    world = World(ledger, exotel)
    world.make()
    said = []

    async def look(worker, clock):
        for _ in range(300):
            await clock.sleep(1)
            said.append(tuple(worker.complaints()))

    world.live(0, doing=look)
    told = ("account main: lists of calls can't be had: 500",)
    assert set(said) == {(), told}
    assert said[-1] == ()


def test_who_was_asked_too_often_is_asked_later_and_no_attempt_is_counted(ledger):
    world = World(ledger, Exotel(fates=[Fate.LIMITED] * 5))
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    moments = [at for at, _ in world.exotel.requests]
    pauses = [round((b - a) / 1000) for a, b in pairwise(moments)]
    assert all(pause >= 7 for pause in pauses)
    assert pauses == sorted(pauses)
    assert len(world.exotel.calls) == 1


def test_a_number_that_is_refused_is_called_no_more(ledger):
    world = World(ledger, Exotel(fates=[Fate.REFUSED]))
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.BROKEN]
    assert world.promises.get(1).why == "DND"
    assert len(world.exotel.requests) == 1


def test_nobody_is_dialled_until_somebody_allows_it_nor_after_it_was_stopped(ledger):
    world = World(ledger, Exotel())
    world.dialling.stop(["main"], "a test", DEED, NOON)
    world.make(3)
    world.live(300)
    assert world.exotel.requests == []
    world.dialling.allow("main", DEED, world.now_ms)
    world.live(60)
    assert len(world.exotel.requests) == 3


def test_without_a_free_stream_nobody_is_called(ledger):
    world = World(ledger, Exotel())
    world.leases.free = 0
    world.make()
    run_out(world)
    assert world.states() == [PromiseState.DROPPED]
    assert world.exotel.requests == []


CHECKING = msgspec.structs.replace(SETTINGS, check_whitelist=True)


def test_whom_exotel_would_not_call_is_not_dialled(ledger):
    world = World(ledger, Exotel(), CHECKING)
    first, second, third = world.make(3)
    world.exotel.whitelist = {first.number: WhitelistStatus.BLACKLIST}
    world.exotel.registered = {second.number}
    world.live(1200)
    assert [call.number for call in world.exotel.calls] == [third.number]
    assert world.states() == [PromiseState.DROPPED, PromiseState.DROPPED, PromiseState.KEPT]
    assert world.promises.get(first.id).why == UNSUBSCRIBED
    assert world.promises.get(second.id).why == REGISTERED


def test_nobody_is_asked_about_who_waits_for_a_place(ledger):
    world = World(ledger, Exotel(), CHECKING)
    (promise,) = world.make(1)
    world.leases.free = 0
    world.live(600)
    assert world.exotel.checked == []
    world.leases.free = 1
    world.live(60)
    assert world.exotel.checked == [promise.number]


def test_after_three_refusals_that_nobody_knows_the_account_is_stopped_and_says_so(ledger):
    world = World(ledger, Exotel(fates=[Fate.REFUSED_UNKNOWN] * 9))
    world.make(5)
    world.live(300)
    assert len(world.exotel.requests) >= 3
    switch = world.dialling.of("main")
    assert switch.stopped == "3 numbers in a row were refused: 403"
    assert switch.stopped_by == ""
    assert world.states().count(PromiseState.OPEN) == 5 - len(world.exotel.requests)


def test_an_account_without_money_is_stopped_and_nobody_is_forgotten(ledger):
    world = World(ledger, Exotel(fates=[Fate.NO_MONEY]))
    world.make()
    world.live(300)
    assert world.dialling.of("main").stopped == "the balance is used up"
    assert world.states() == [PromiseState.OPEN]
    world.dialling.allow("main", DEED, world.now_ms)
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    assert len(world.exotel.requests) == 2


def test_after_dialling_was_stopped_no_request_leaves(ledger):
    """Stopped at each step of dialling: what was claimed before may leave, nothing after."""
    for stop_at in range(1, 24):
        world = World(ledger, Exotel())
        world.exotel_numbers = stop_at * 100
        world.dialling.allow("main", DEED, world.now_ms)
        (promise,) = world.make()
        stopped = []

        def stop(world=world, stopped=stopped):
            world.dialling.stop(["main"], "a test", DEED, world.now_ms)
            stopped.append(len(world.exotel.requests))

        world.live(60, at_step=(stop_at, stop))
        asked = [field for _, field in world.exotel.requests]
        state = world.promises.get(promise.id).state
        if stopped and stopped[0] == 0 and asked:
            # It had been claimed before it was stopped, and was about to leave.
            assert state is not PromiseState.OPEN
        else:
            assert (state is PromiseState.OPEN) is (not asked)


def test_one_on_its_way_at_a_start_holds_its_place_until_it_is_over(ledger):
    world = World(ledger, Exotel(went=[Went.TALKED]))
    world.make()
    world.live(13)
    assert world.states() == [PromiseState.RINGING]
    seen = []

    async def watch(worker, clock):
        for _ in range(90):
            await clock.sleep(1)
            seen.append(len(world.leases.held))

    world.live(0, doing=watch)
    assert (max(seen), seen[-1]) == (1, 0)
    run_out(world)
    assert world.states() == [PromiseState.KEPT]


def test_a_place_of_one_that_nobody_knows_of_is_given_back_once_it_rings_no_more(ledger):
    world = World(ledger, Exotel(fates=[Fate.DROPPED_BEFORE]))
    world.make()
    held = []

    async def watch(worker, clock):
        for _ in range(170):
            await clock.sleep(1)
            held.append(len(world.leases.held))

    world.live(0, doing=watch)
    assert world.states() == [PromiseState.UNKNOWN]
    # Dialled after 10 s, rung out 35 + 20 s later, and seconds more until that is looked at.
    assert held[100] == 1
    assert held[-1] == 0


def test_a_ledger_that_takes_nothing_is_said_and_nothing_is_asked_of_exotel(ledger, monkeypatch):
    monkeypatch.setattr(dialling_worker, "REST_S", 1.0)
    world = World(ledger, Exotel())
    world.make()
    failing, claim, said = [True], LedgerPromises.claim, []

    def claims(self, *given, **named):
        if failing[0]:
            raise LedgerError("the ledger", "the disk is full", "make room")
        return claim(self, *given, **named)

    monkeypatch.setattr(LedgerPromises, "claim", claims)

    async def mend(worker, clock):
        await clock.sleep(40)
        said.extend(worker.complaints())
        assert world.exotel.requests == []
        assert not world.leases.held
        failing[0] = False
        await clock.sleep(60)

    world.live(0, doing=mend)
    assert len(said) == 1
    assert said[0].startswith("account main can't call back: ")
    assert world.states() == [PromiseState.RINGING]


def test_a_stop_that_the_ledger_does_not_take_holds_until_it_does(ledger, monkeypatch):
    world = World(ledger, Exotel())
    world.make()
    stop, full, said = LedgerDialling.stop, [True], []

    def stops(self, *given):
        if full[0]:
            raise LedgerError("the ledger", "the disk is full", "make room")
        return stop(self, *given)

    monkeypatch.setattr(LedgerDialling, "stop", stops)

    async def mend(worker, clock):
        worker.halt(None, "it is wrong", DEED)
        await clock.sleep(40)
        said.extend([worker.waits(), *worker.complaints()])
        full[0] = False
        await clock.sleep(10)
        said.append(worker.waits())

    world.live(0, doing=mend)
    assert world.exotel.requests == []
    assert said[0] == {"main": "dialling is stopped: it is wrong, which is not kept yet"}
    assert "the disk is full" in said[1]
    assert said[2] == {"main": "dialling is stopped: it is wrong"}
    assert world.dialling.of("main").stopped == "it is wrong"


def test_a_claim_that_was_kept_though_it_failed_is_taken_back(ledger, monkeypatch):
    monkeypatch.setattr(dialling_worker, "REST_S", 1.0)
    world = World(ledger, Exotel())
    world.make()
    claim, failed = LedgerPromises.claim, []

    def claims(self, *given, **named):
        found = claim(self, *given, **named)
        if not failed:
            failed.append(found)
            raise LedgerError("the ledger", "nobody knows whether it was kept", "look")
        return found

    monkeypatch.setattr(LedgerPromises, "claim", claims)
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    assert [field for _, field in world.exotel.requests] == ["switchhook:t0:2"]
    check_never_twice(world)


def test_an_answer_that_cannot_be_kept_is_kept_as_soon_as_it_can_be(ledger, monkeypatch):
    monkeypatch.setattr(dialling_worker, "REST_S", 1.0)
    world = World(ledger, Exotel())
    world.make()
    settle, failures = LedgerPromises.settle, []

    def settles(self, id, event, *given, **named):
        if event is PromiseEvent.PLACED and len(failures) < 3:
            failures.append(event)
            raise LedgerError("the ledger", "the disk is full", "make room")
        return settle(self, id, event, *given, **named)

    monkeypatch.setattr(LedgerPromises, "settle", settles)
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    assert len(world.exotel.requests) == 1


def test_a_changed_account_begins_anew_and_what_it_asked_for_is_not_lost(ledger):
    world = World(ledger, Exotel(fates=[Fate.LATE]))
    world.make()

    async def change(worker, clock):
        await clock.sleep(20)
        assert len(world.exotel.requests) == 1
        await worker.use([])
        await clock.sleep(60)

    world.live(0, doing=change)
    assert world.states() == [PromiseState.RINGING]
    run_out(world)
    assert world.states() == [PromiseState.KEPT]
    assert len(world.exotel.requests) == 1


def test_while_not_all_is_heard_nobody_is_dialled_and_no_call_taken_for_none(ledger):
    """Who was served while the console was down is in the journal, and so is a StatusCallback."""
    world = World(ledger, Exotel(fates=[Fate.DROPPED_AFTER], hides=[True]))
    world.behind = "what was received meanwhile is still being heard"
    world.make()
    world.live(120)
    assert world.exotel.requests == []
    world.behind = ""
    world.live(60)
    assert world.states() == [PromiseState.UNKNOWN]
    world.behind = "what was received meanwhile is still being heard"
    world.live(900)
    assert world.states() == [PromiseState.UNKNOWN]
    assert len(world.exotel.requests) == 1


def test_a_bug_in_asking_is_a_doubt_and_one_in_looking_holds_up_no_other(
    ledger, caplog, monkeypatch
):
    world = World(ledger, Exotel())
    world.make(2)
    connect, details, failed = Api.connect, Api.call_details, set()

    async def connects(self, request):
        if "connect" not in failed:
            failed.add("connect")
            raise TypeError("a bug")
        return await connect(self, request)

    async def tells(self, call_sid):
        if "details" not in failed:
            failed.add("details")
            raise KeyError(call_sid)
        return await details(self, call_sid)

    monkeypatch.setattr(Api, "connect", connects)
    monkeypatch.setattr(Api, "call_details", tells)
    run_out(world)
    assert world.states() == [PromiseState.KEPT] * 2
    check_never_twice(world)
    assert "asking Exotel for a call failed" in caplog.text
    assert "can't be followed" in caplog.text


def test_whoever_is_woken_looks_at_once(ledger, monkeypatch):
    monkeypatch.setattr(dialling_worker, "LOOK_S", 500.0)
    world = World(ledger, Exotel())

    async def wake(worker, clock):
        await clock.sleep(5)
        world.make(due_ms=world.now_ms)
        worker.wake("other")
        await clock.sleep(5)
        assert world.exotel.requests == []
        worker.wake("main")
        await clock.sleep(5)
        assert len(world.exotel.requests) == 1

    world.live(0, doing=wake)


def test_it_says_for_what_those_wait_who_are_due(ledger):
    world = World(ledger, Exotel())
    world.leases.free = 0
    world.make()
    said = []

    async def look(worker, clock):
        await clock.sleep(20)
        said.append(worker.waits())
        world.leases.free = 1
        await clock.sleep(20)
        said.append(worker.waits())

    world.live(0, doing=look)
    assert said == [{"main": "no stream is free"}, {}]


def test_who_crashes_is_said_and_logged(ledger, caplog, monkeypatch):
    async def crash(self):
        raise ValueError("a bug")

    monkeypatch.setattr(following_worker.FollowingWorker, "_round", crash)
    world = World(ledger, Exotel())

    async def look(worker, clock):
        await clock.sleep(10)
        assert worker.complaints() == [
            "following callbacks of account main has failed: restart the console"
        ]
        worker._crashed.clear()

    world.live(0, doing=look)
    assert "following callbacks of account main failed" in caplog.text


UNPROVEN = {"state": PromiseState.UNPROVEN, "call_sid": "in1"}


def test_a_promise_is_dialled_once_its_call_is_confirmed(ledger):
    world = World(ledger, Exotel())
    (promise,) = world.make(**UNPROVEN)
    world.exotel.called_in["in1"] = promise.number
    run_out(world)
    assert world.states() == [PromiseState.KEPT]


def test_nobody_is_dialled_for_a_call_that_never_was_or_was_anothers(ledger):
    world = World(ledger, Exotel())
    world.make(2, **UNPROVEN)
    world.exotel.called_in["in1"] = "+919811999999"
    run_out(world)
    assert world.states() == [PromiseState.DROPPED] * 2
    assert world.exotel.requests == []
    assert world.promises.get(1).event is PromiseEvent.REFUTED


@pytest.mark.parametrize(
    ("campaigns", "end"), [(False, PromiseState.DROPPED), (True, PromiseState.KEPT)]
)
def test_who_was_called_is_called_back_only_where_campaigns_are(ledger, campaigns, end):
    """Their passthru said that they called; whoever has the secret says what they like."""
    settings = msgspec.structs.replace(SETTINGS, campaigns=campaigns)
    world = World(ledger, Exotel(), settings=settings)
    (promise,) = world.make(**UNPROVEN)
    world.exotel.called_in["in1"] = promise.number
    world.exotel.way = "outbound-api"
    run_out(world)
    assert world.states() == [end]
    assert len(world.exotel.requests) == campaigns


@pytest.mark.parametrize("kill_at", range(1, 120))
def test_killed_at_any_step_nobody_is_called_twice_and_nobody_forgotten(ledger, kill_at):
    """Of two promises one is placed, of the other the answer is lost."""
    world = World(ledger, Exotel(fates=[Fate.PLACED, Fate.DROPPED_AFTER]))
    world.make(2)
    world.live(200, kill_at=kill_at)
    run_out(world)
    check_never_twice(world)
    assert world.states() == [PromiseState.KEPT] * 2


@given(
    fates=st.lists(st.sampled_from(Fate), max_size=12),
    went=st.lists(st.sampled_from(Went), max_size=8),
    hides=st.lists(st.booleans(), max_size=6),
    kills=st.lists(st.integers(1, 400), max_size=6),
    list_fails=st.integers(0, 10),
)
@settings(max_examples=int(os.environ.get("PROMISE_EXAMPLES", "25")), deadline=None)
def test_whatever_exotel_does_and_whenever_it_is_killed_nobody_is_called_twice(
    tmp_path_factory, fates, went, hides, kills, list_fails
):
    ledger = open_ledger(tmp_path_factory.mktemp("ledger"))
    try:
        exotel = Exotel(fates, went, hides)
        exotel.list_fails = list_fails
        world = World(ledger, exotel)
        world.make(3)
        for kill_at in kills:
            world.live(900, kill_at=kill_at)
        run_out(world)
        check_never_twice(world)
        assert set(world.states()) <= FINAL
    finally:
        ledger.close()


def test_it_is_said_that_requests_wait_for_an_answer(ledger):
    """Exotel may take half a minute for each, and nothing else holds up those that are due."""
    world = World(ledger, Exotel(fates=[Fate.LATE] * MOST_ASKED))
    world.make(count=MOST_ASKED + 1)
    said = {}

    async def look(worker, clock):
        await clock.sleep(SETTINGS.delay_s + 20)
        said.update(worker.waits())

    world.live(0, doing=look)
    assert said == {"main": f"{MOST_ASKED} requests for a call wait for Exotel's answer"}

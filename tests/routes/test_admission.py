"""How much room there is, by all that is known; and that nothing known is never room."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.routes.admission import FRESH_MS, AccountAdmission, budget_of
from switchhook.routes.foreign import AGES_MS
from switchhook.routes.leases import Held
from switchhook.rules.routing import AdmissionBudget

NOW = 1_790_000_000_000
S = 1_000


def test_room_is_what_nothing_has_taken():
    admission = AccountAdmission()
    admission.polled(NOW, 0, 10)
    for number in range(4):
        admission.leases.admitted(f"c{number}", NOW, endpoint="gate")
    admission.leases.started("c0", NOW)
    estimate = admission.estimate(NOW + S)
    assert (estimate.held, estimate.allowed, estimate.room) == (Held(3, 1), 10, 6)
    assert budget_of(estimate, 7, {"campaign": 2}) == AdmissionBudget(6, 7, {"campaign": 2})


def test_what_is_not_ours_and_the_reserve_take_room():
    admission = AccountAdmission()
    for number in range(40):
        at_ms = NOW + number * 3 * S
        admission.polled(at_ms, 20 + 2 * (number % 2), 100)
        admission.look(at_ms + 5 * S)
    estimate = admission.estimate(NOW + 120 * S)
    assert 20 < estimate.foreign < 22
    assert 0.9 < estimate.reserve < 1.3
    assert estimate.room == 77
    admission.throttled(NOW + 120 * S)
    assert admission.estimate(NOW + 120 * S).reserve == pytest.approx(estimate.reserve + 0.5)


@pytest.mark.parametrize(
    "polled, why",
    [
        (None, "Exotel has not been asked yet"),
        ((0, None), "Exotel does not say how many streams are allowed"),
        ((0, 100), "Exotel last answered 61 s ago"),
    ],
)
def test_where_nothing_is_known_there_is_no_room_and_it_is_said_why(polled, why):
    admission = AccountAdmission()
    if polled is not None:
        admission.polled(NOW, *polled)
    estimate = admission.estimate(NOW + FRESH_MS + S)
    assert (estimate.unknown, estimate.room) == (why, 0)
    assert budget_of(estimate, 0, {}).unknown == why


def test_leases_are_enough_to_go_on_by_while_exotel_does_not_answer():
    admission = AccountAdmission()
    admission.polled(NOW, 0, 3)
    admission.leases.admitted("c1", NOW + 30 * S, endpoint="gate")
    fresh, old = admission.estimate(NOW + 60 * S), admission.estimate(NOW + 72 * S)
    assert (fresh.room, fresh.unknown, fresh.poll_age_ms, fresh.old) == (2, "", 60_000, "")
    assert (old.room, old.unknown, old.poll_age_ms) == (2, "", 72_000)
    assert old.old == "Exotel last answered 72 s ago"
    admission.leases.ended("c1", NOW + 73 * S, told_ms=NOW + 73 * S, ran=True)
    unknown = admission.estimate(NOW + 73 * S)
    assert (unknown.room, unknown.unknown) == (0, "Exotel last answered 73 s ago")
    admission.polled(NOW + 74 * S, 0, 3)
    again = admission.estimate(NOW + 74 * S)
    assert (again.room, again.unknown, again.old) == (3, "", "")


def test_ends_that_are_told_of_late_are_allowed_for():
    """Each second a stream starts and one ends, of which is told three seconds later."""
    admission = AccountAdmission()
    admission.polled(NOW, 0, 100)
    for second in range(120):
        now = NOW + second * S
        admission.leases.admitted(f"c{second}", now, endpoint="gate")
        admission.leases.started(f"c{second}", now)
        if second >= 23:
            call, ended = f"c{second - 23}", now - 3 * S
            admission.leases.ended(call, ended, told_ms=now, ran=True)
        admission.look(now)
    estimate = admission.estimate(NOW + 119 * S)
    assert estimate.held.live == 23
    assert estimate.unseen == pytest.approx(3)
    assert estimate.room >= 100 - 21


def test_ghosts_are_given_up_once_and_never_the_streams_that_run():
    """97 were let in and never had a stream, 5 have one, and no start is told of."""
    admission, second = AccountAdmission(), 0
    for number in range(97):
        admission.leases.admitted(f"ghost{number}", NOW, endpoint="gate")
    for number in range(5):
        admission.leases.admitted(f"true{number}", NOW - 10 * S, endpoint="gate")
    waited = None
    for second in range(180):
        now = NOW + second * S
        if second % 3 == 0:
            admission.polled(now, 5, 100)
        admission.look(now)
        estimate = admission.estimate(now)
        in_use = estimate.held.all - estimate.unseen + estimate.foreign
        assert in_use >= 5
        assert estimate.room <= 95
        if waited is None and estimate.room:
            waited = second
    assert waited is not None
    assert 35 <= waited <= 45
    assert (admission.leases.given_up, admission.estimate(NOW + 180 * S).room) == (97, 95)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ghost", "lost", "stream", "told", "not ours"]),
            st.integers(0, 120),
            st.integers(1, 90),
        ),
        max_size=40,
    ),
    st.sampled_from([2, 3, 7]),
)
def test_after_giving_up_no_fewer_are_taken_for_running_than_were_polled(calls, poll_s):
    """Of whatever calls: without a stream, whose end or start nobody tells of, or not ours."""
    admission, polls = AccountAdmission(), []
    for second in range(240):
        now = NOW + second * S
        for number, (kind, begins, lasts) in enumerate(calls):
            call = f"c{number}"
            if begins == second and kind != "not ours":
                admission.leases.admitted(call, now, endpoint="gate")
            if begins == second and kind == "told":
                admission.leases.started(call, now)
            if begins + lasts == second and kind in {"stream", "told"}:
                admission.leases.ended(call, now, told_ms=now, ran=True)
        if second % poll_s == 0:
            active = sum(
                begins <= second < begins + lasts
                for kind, begins, lasts in calls
                if kind != "ghost"
            )
            admission.polled(now, active, 100)
            polls.append((now, active))
        leases, recent = admission.leases, [each for each in polls if each[0] > now - 45 * S]
        moments = [at_ms - age_ms for at_ms, _ in recent for age_ms in AGES_MS]
        before, given_up = {each: leases.live_at(each) for each in moments}, leases.given_up
        admission.look(now)
        if leases.given_up == given_up:
            continue
        for at_ms, active in recent:
            moment = at_ms - admission.foreign.age_ms
            assert leases.live_at(moment) >= min(before[moment], active)
            if at_ms > now - 15 * S:
                assert leases.live_at(moment) >= active


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["admitted", "started", "ended", "polled", "throttled", "look"]),
            st.integers(0, 9),
            st.integers(0, 150),
        ),
        max_size=80,
    )
)
def test_room_is_between_nothing_and_the_limit(events):
    admission, now = AccountAdmission(), NOW
    for kind, call, number in events:
        now += 500
        match kind:
            case "admitted":
                admission.leases.admitted(f"c{call}", now, endpoint="gate")
            case "started":
                admission.leases.started(f"c{call}", now)
            case "ended":
                admission.leases.ended(f"c{call}", now - number, told_ms=now, ran=True)
            case "polled":
                admission.polled(now, number, 100)
            case "throttled":
                admission.throttled(now)
            case _:
                admission.look(now)
        estimate = admission.estimate(now)
        assert 0 <= estimate.room <= 100
        assert estimate.foreign >= 0
        assert estimate.reserve >= 0
        assert 0 <= estimate.unseen <= estimate.held.live
        assert not (estimate.unknown and estimate.room)

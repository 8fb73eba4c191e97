"""How members are: by their streams, the probe, and what their bots report."""

from __future__ import annotations

import pytest

from routes.pools import BACKUP, SALES, THIRD
from switchhook.exotel.cause import Cause
from switchhook.journal.bot_report import BotEvent
from switchhook.routes.health import (
    LIVES_MS,
    PROBE_COUNTS_MS,
    SILENT_MS,
    WINDOW_MS,
    MemberHealth,
    shares_of_calls,
)
from switchhook.routes.probe import DAY_MS, Probed, Step

NOW = 1_700_000_000_000
A, B = ("sales", "vendor-a"), ("sales", "vendor-b")


@pytest.fixture
def health():
    found = MemberHealth()
    found.use([SALES, BACKUP, THIRD])
    return found


def said(health, key=A, now_ms=NOW):
    return {each.source.value: (each.good, each.said) for each in health.evidence(key, now_ms)}


def call(health, name, cause, key=A, at_ms=NOW):
    health.given(name, key, at_ms - 1000)
    health.ended(name, None, cause, at_ms, 1)


def probed(at_ms=NOW, problem="connection refused", certain=True):
    step = Step.CONNECT if problem else Step.DONE
    return Probed(at_ms=at_ms, step=step, problem=problem, certain=certain, ms=12.3)


def test_of_whom_nobody_tells_nothing_is_known(health):
    assert said(health) == {
        "streams": (None, "no stream ended in 15 min"),
        "probe": (None, "not probed yet"),
        "reports": (None, "its bot reports nothing"),
    }
    assert health.outcomes(A) == []
    assert health.unreachable(A, NOW) == ""


def test_a_stream_is_the_members_whose_address_was_given(health):
    """Also where the StreamUrl says nothing of it."""
    call(health, "c1", Cause.CONNECT_FAILED)
    call(health, "c2", Cause.CALLER_LEFT)
    assert said(health)["streams"] == (False, "1 of 2 streams failed in 15 min")
    assert [each.failed for each in health.outcomes(A)] == [True, False]
    assert health.outcomes(B) == []


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("wss://a.example/stream", A),
        ("wss://a.example:443/stream/?x=1", A),
        ("wss://a.example/elsewhere", A),
        ("wss://c.example/stream", ("third", "vendor-b")),
        ("wss://unknown.example/", None),
        ("wss://[", None),
        ("", None),
    ],
)
def test_without_an_address_given_it_is_whose_host_it_has(health, url, key):
    health.ended("c1", url, Cause.BOT_DROPPED, NOW, 30)
    found = {k for k in (A, B, ("third", "vendor-b")) if health.outcomes(k)}
    assert found == ({key} if key else set())


def test_a_host_of_two_members_tells_neither_but_by_its_path():
    import msgspec

    twin = msgspec.structs.replace(SALES.members[1], url="wss://a.example/b")
    health = MemberHealth()
    health.use([msgspec.structs.replace(SALES, members=(SALES.members[0], twin))])
    health.ended("c1", "wss://a.example/nowhere", Cause.BOT_DROPPED, NOW, 1)
    assert not health.outcomes(A)
    assert not health.outcomes(B)
    health.ended("c2", "wss://a.example/b", Cause.BOT_DROPPED, NOW, 1)
    assert health.outcomes(B)


@pytest.mark.parametrize(
    "cause", [Cause.THROTTLED, Cause.CALLER_LEFT_EARLY, Cause.NO_STREAM, Cause.UNKNOWN]
)
def test_what_says_nothing_of_the_bot_is_no_outcome(health, cause):
    call(health, "c1", cause)
    assert health.outcomes(A) == []
    assert health.live(A) == []


def test_a_stream_counts_once_and_as_failed_where_it_did_at_all(health):
    health.given("c1", A, NOW)
    health.reported("c1", BotEvent.FIRST_OUT, NOW + 10)
    assert [each.failed for each in health.outcomes(A)] == [False]
    health.ended("c1", None, Cause.BOT_DROPPED, NOW + 20, 1)
    health.ended("c1", None, Cause.CALLER_LEFT, NOW + 30, 1)
    assert [(each.failed, each.at_ms) for each in health.outcomes(A)] == [(True, NOW + 20)]


def test_an_error_that_the_bot_reports_is_a_failure(health):
    health.given("c1", A, NOW)
    health.reported("c1", BotEvent.ERROR, NOW + 10)
    assert [each.failed for each in health.outcomes(A)] == [True]


def test_reports_of_calls_that_were_given_nobody_are_passed_over(health):
    health.reported("c9", BotEvent.ERROR, NOW)
    health.given("c9", ("gone", "x"), NOW)
    assert said(health)["reports"][0] is None


def connected(health, name, *, heard, now_ms=NOW):
    health.given(name, A, now_ms)
    health.reported(name, BotEvent.STARTED, now_ms + 1)
    health.reported(name, BotEvent.FIRST_IN, now_ms + 2)
    if heard:
        health.reported(name, BotEvent.FIRST_OUT, now_ms + 3)


def test_a_bot_that_is_connected_and_silent_fails_its_caller(health):
    connected(health, "c1", heard=False)
    health.look(NOW + SILENT_MS)
    assert health.silent(A, NOW + SILENT_MS) == 0
    health.look(NOW + SILENT_MS + 1)
    assert health.silent(A, NOW + SILENT_MS + 1) == 1
    assert [each.failed for each in health.outcomes(A)] == [True]
    assert said(health)["reports"] == (
        False,
        "connected and silent in 1 calls of the last 15 min",
    )


def test_a_bot_that_spoke_or_left_in_time_is_not_silent(health):
    connected(health, "c1", heard=True)
    connected(health, "c2", heard=False)
    health.reported("c2", BotEvent.ENDED, NOW + 500)
    connected(health, "c3", heard=False)
    health.ended("c3", None, Cause.CALLER_LEFT, NOW + 900, 1)
    health.look(NOW + 60_000)
    assert health.silent(A, NOW + 60_000) == 0
    assert said(health)["reports"] == (True, "speaks")


def test_a_bot_that_never_tells_of_sound_is_not_called_silent(health):
    health.given("c1", A, NOW)
    health.reported("c1", BotEvent.STARTED, NOW + 1)
    health.look(NOW + 60_000)
    assert health.silent(A, NOW + 60_000) == 0
    assert said(health)["reports"] == (None, "tells of no sound")


def test_two_probes_in_a_row_have_to_fail(health):
    health.probed(A, probed())
    assert health.unreachable(A, NOW) == ""
    health.probed(A, probed(NOW + 1000))
    assert health.unreachable(A, NOW + 1000) == "the probe: connection refused"
    health.probed(A, probed(NOW + 2000, problem=""))
    assert health.unreachable(A, NOW + 2000) == ""


def test_what_only_we_may_fail_at_counts_where_the_probe_got_through_before(health):
    """A bot may let in Exotel alone."""
    for at in (0, 1000):
        health.probed(A, probed(NOW + at, "timed out", certain=False))
    assert health.unreachable(A, NOW + 1000) == ""
    health.probed(A, probed(NOW + 2000, problem=""))
    for at in (3000, 4000):
        health.probed(A, probed(NOW + at, "timed out", certain=False))
    assert health.unreachable(A, NOW + 4000) == "the probe: timed out"
    assert health.was_reached(A)


def test_that_a_probe_got_through_outlives_a_restart(health):
    health.remember(A, reached=True)
    health.remember(("gone", "x"), reached=True)
    for at in (0, 1000):
        health.probed(A, probed(NOW + at, "timed out", certain=False))
    assert health.unreachable(A, NOW + 1000) != ""


def test_a_stream_given_since_that_goes_well_is_worth_more_than_the_probe(health):
    health.given("before", A, NOW - 5000)
    health.probed(A, probed())
    health.probed(A, probed(NOW + 1000))
    health.ended("before", None, Cause.CALLER_LEFT, NOW + 2000, 7)
    assert health.unreachable(A, NOW + 2000) != ""
    health.given("since", A, NOW + 500)
    health.ended("since", None, Cause.CALLER_LEFT, NOW + 3000, 2)
    assert health.unreachable(A, NOW + 3000) == ""


def test_a_probe_that_is_old_does_not_count(health):
    health.probed(A, probed())
    health.probed(A, probed(NOW + 1000))
    assert health.unreachable(A, NOW + 1000 + PROBE_COUNTS_MS + 1) == ""


def test_the_probe_in_words(health):
    health.probed(A, probed(problem=""))
    assert said(health)["probe"] == (True, "takes a WebSocket, in 12 ms")
    ends = Probed(at_ms=NOW, step=Step.DONE, ms=12, ends_ms=NOW + 9 * DAY_MS + 5)
    health.probed(A, ends)
    assert said(health)["probe"][1].endswith("certificate ends in 9 days")
    health.probed(A, probed())
    assert said(health)["probe"] == (False, "connection refused")


def test_room_is_what_the_limit_leaves(health):
    for name in ("c1", "c2", "c3"):
        health.given(name, A, NOW)
    health.ended("c2", None, Cause.CALLER_LEFT, NOW, 0)
    assert health.room(A, 3, NOW) == 1
    assert health.room(A, 1, NOW) == 0
    assert health.room(A, None, NOW) is None
    assert health.room(A, 3, NOW + LIVES_MS + 1) == 3


def test_a_call_that_is_given_another_member_leaves_the_first(health):
    health.given("c1", A, NOW)
    health.given("c1", B, NOW + 1)
    assert (len(health.live(A)), len(health.live(B))) == (0, 1)


def test_calls_given_are_of_the_window(health):
    health.given("c1", A, NOW)
    health.given("c2", A, NOW + 5000)
    assert health.given_lately(A, NOW + 5000) == 2
    assert health.given_lately(A, NOW + WINDOW_MS + 1) == 1
    assert shares_of_calls({"a": 3, "b": 1}) == {"a": 0.75, "b": 0.25}
    assert shares_of_calls({"a": 0}) == {}


def test_members_that_go_are_forgotten_and_those_that_stay_are_not(health):
    call(health, "c1", Cause.BOT_DROPPED)
    call(health, "c2", Cause.BOT_DROPPED, B)
    import msgspec

    health.use([msgspec.structs.replace(SALES, members=SALES.members[:1])])
    assert health.outcomes(A)
    with pytest.raises(KeyError):
        health.outcomes(B)
    call(health, "c3", Cause.BOT_DROPPED, B)
    health.ended("c2", "wss://b.example/stream", Cause.BOT_DROPPED, NOW, 1)


def test_where_its_name_leads_to_holds_until_it_is_looked_up_again(health):
    at_home = Probed(at_ms=NOW, step=Step.NAME, problem="x", network="a private network")
    health.probed(A, at_home)
    health.probed(A, at_home)
    assert health.network(A) == "a private network"
    assert health.unreachable(A, NOW) == ""  # nobody is given it anyway
    health.probed(A, Probed(at_ms=NOW, step=Step.NAME, problem="its name can't be looked up now"))
    assert health.network(A) == "a private network"
    health.probed(A, probed())
    assert health.network(A) == ""

"""Fetching call details: at its times, within bounds, and over restarts and full disks."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime

import msgspec
import pytest

from patience import PATIENCE_S
from switchhook.calls.details_fetcher import DetailsFetcher, look_of
from switchhook.calls.ledger import LedgerCalls
from switchhook.calls.sources import GIVE_UP_MS, DetailsAttempt
from switchhook.errors import LedgerError
from switchhook.exotel.answers import Outcome
from switchhook.exotel.wire.calls import CallRecord, build_call
from switchhook.server.tables import open_ledger

ENDED = 1_780_000_000_000
RECORD = CallRecord(
    sid="c1",
    account_sid="acme",
    from_="09811100001",
    to=None,
    phone_number_sid="",
    status="completed",
    direction="inbound",
    created=datetime(2026, 1, 5, 10),
    updated=None,
    ended=datetime(2026, 1, 5, 10, 5),
)


class Answer(msgspec.Struct, frozen=True):
    outcome: Outcome
    record: CallRecord | None = None
    body: bytes = b""
    problem: str = ""


GOOD = Answer(Outcome.READ, RECORD, build_call(RECORD, xml=False, details=True))
FAILED = Answer(Outcome.FAILING, problem="it answered 500")


class Clock:
    """Every sleep takes a second or so of its time, and hardly any of ours."""

    def __init__(self):
        self.now_ms = ENDED

    def wall_ms(self):
        return self.now_ms

    def mono_ms(self):
        return self.now_ms

    async def sleep(self, seconds):
        await asyncio.sleep(0.0002)


class Api:
    def __init__(self, clock, answer=GOOD):
        self.clock, self.answer, self.asked = clock, answer, []

    async def call_details(self, call_sid):
        self.asked.append((call_sid, (self.clock.now_ms - ENDED) / 60_000))
        return self.answer


async def until(true):
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - threads don't set its events
            await asyncio.sleep(0.001)


@pytest.fixture
def book(tmp_path):
    ledger = open_ledger(tmp_path)
    yield LedgerCalls(ledger)
    ledger.close()


def play(steps, book):
    """Run `steps(fetcher, clock)`, with a fetcher that is stopped in the end."""

    async def main():
        clock = Clock()
        fetcher = DetailsFetcher(book, clock, lambda: 1.0)
        try:
            await steps(fetcher, clock)
        finally:
            await fetcher.stop()

    asyncio.run(main())


def waiting(book):
    """How many calls are to be asked for, now or later."""
    return sum(len(book.due(account, 2**53, 100)) for account in ("main", "other"))


async def minutes(clock, api, *times):
    """Step through the minutes; at each something has to be asked."""
    for at in times:
        before = len(api.asked)
        clock.now_ms = ENDED + round(at * 60_000)
        await until(lambda before=before: len(api.asked) > before)


def test_details_are_fetched_at_two_five_and_fifteen_minutes(book):
    async def steps(fetcher, clock):
        api, heard = Api(clock), []
        fetcher.observe(lambda *told: heard.append(told))
        await fetcher.use({"main": api})
        fetcher.ended("c1", "main", ENDED)
        fetcher.ended("c1", "main", ENDED)
        fetcher.ended("c9", "another", ENDED)
        await until(lambda: waiting(book))
        assert api.asked == []
        await minutes(clock, api, 2, 5, 15)
        assert api.asked == [("c1", 2), ("c1", 5), ("c1", 15)]
        await until(lambda: not waiting(book))
        (kept,) = book.details("c1")
        assert (kept.account, kept.fetched_ms) == ("main", ENDED + 15 * 60_000)
        assert kept.body.encode() == GOOD.body
        assert fetcher.dropped == 0
        await until(lambda: len(heard) >= 3)
        assert heard == [("main", RECORD)] * 3

    play(steps, book)


def test_a_restart_forgets_nothing(book):
    async def before(fetcher, clock):
        await fetcher.use({"main": Api(clock)})
        fetcher.ended("c1", "main", ENDED)

    async def after(fetcher, clock):
        api = Api(clock)
        await fetcher.use({"main": api})
        await minutes(clock, api, 2)

    play(before, book)
    play(after, book)


def test_it_gives_up_after_an_hour(book):
    async def steps(fetcher, clock):
        api = Api(clock, FAILED)
        await fetcher.use({"main": api})
        fetcher.ended("c1", "main", ENDED)
        await until(lambda: waiting(book))
        at = 2
        while waiting(book):
            clock.now_ms = ENDED + at * 60_000
            await asyncio.sleep(0.002)
            at += 1
            assert at < 10_000
        assert 5 <= len(api.asked) <= 20
        assert api.asked[-1][1] <= GIVE_UP_MS / 60_000 + 1
        await until(lambda: fetcher.dropped == 1)
        assert book.details("c1") == []

    play(steps, book)


class SlowToForget:
    """A book that takes its time to forget, all but the first time."""

    def __init__(self, book):
        self._book, self._forgot = book, 0
        self.done = threading.Event()

    def __getattr__(self, name):
        return getattr(self._book, name)

    def forget(self, accounts, ended_before_ms):
        self._forgot += 1
        if self._forgot > 1:
            assert self.done.wait(PATIENCE_S)
        return 0


def test_what_is_given_up_counts_though_others_are_forgotten_meanwhile(book):
    slow = SlowToForget(book)

    async def steps(fetcher, clock):
        await fetcher.use({"main": Api(clock, FAILED)})
        fetcher.ended("c1", "main", ENDED)
        await until(lambda: waiting(book))
        while waiting(book):
            clock.now_ms += 60_000
            await asyncio.sleep(0.002)
        await until(lambda: fetcher.dropped == 1)
        slow.done.set()
        await fetcher.stop()
        assert fetcher.dropped == 1

    play(steps, slow)


def test_what_failed_is_asked_again_and_then_goes_on(book):
    async def steps(fetcher, clock):
        api = Api(clock, FAILED)
        await fetcher.use({"main": api})
        fetcher.ended("c1", "main", ENDED)
        await until(lambda: waiting(book))
        await minutes(clock, api, 2)
        api.answer = GOOD
        await minutes(clock, api, 2.5, 5, 15)
        await until(lambda: not waiting(book))

    play(steps, book)


def test_a_bug_in_asking_is_a_failure_and_not_the_end(book):
    class Broken(Api):
        async def call_details(self, call_sid):
            await super().call_details(call_sid)
            if len(self.asked) == 1:
                raise RuntimeError("the token is abc")
            return GOOD

    async def steps(fetcher, clock):
        api = Broken(clock)
        await fetcher.use({"main": api})
        fetcher.ended("c1", "main", ENDED)
        await until(lambda: waiting(book))
        await minutes(clock, api, 2, 2.5)
        await until(lambda: book.details("c1"))
        assert fetcher.complaints() == []

    play(steps, book)


def test_accounts_that_go_are_no_longer_asked_for(book):
    async def steps(fetcher, clock):
        main, other = Api(clock), Api(clock)
        await fetcher.use({"main": main, "other": other})
        fetcher.ended("c1", "main", ENDED)
        fetcher.ended("c2", "other", ENDED)
        await until(lambda: waiting(book) == 2)
        await fetcher.use({"other": other})
        clock.now_ms += 700_000
        await until(lambda: other.asked)
        await until(lambda: waiting(book) == 1)
        assert main.asked == []

    play(steps, book)


class FullBook:
    def __getattr__(self, name):
        def fail(*_):
            raise LedgerError("ledger.sqlite", "disk full", "make room on its disk")

        return fail


def test_a_full_disk_is_said_and_stops_nothing():
    async def steps(fetcher, clock):
        await fetcher.use({"main": Api(clock)})
        fetcher.ended("c1", "main", ENDED)
        await until(fetcher.complaints)
        assert "disk full" in fetcher.complaints()[0]

    play(steps, FullBook())


@pytest.mark.parametrize(
    "answer, look",
    [
        (GOOD, DetailsAttempt.ENDED),
        (FAILED, DetailsAttempt.FAILED),
        (Answer(Outcome.READ), DetailsAttempt.FAILED),
        (
            Answer(Outcome.READ, msgspec.structs.replace(RECORD, ended=None, status="In-Progress")),
            DetailsAttempt.RUNNING,
        ),
        (
            Answer(Outcome.READ, msgspec.structs.replace(RECORD, ended=None)),
            DetailsAttempt.ENDED,
        ),
    ],
)
def test_what_an_answer_means(answer, look):
    assert look_of(answer) is look

"""Exotel is asked about a number once an hour, and only what it said of it is believed."""

from __future__ import annotations

import asyncio

import pytest

from switchhook.callbacks import number_fetcher
from switchhook.callbacks.may_be_called import REGISTERED, UNSUBSCRIBED
from switchhook.callbacks.number_fetcher import GOOD_FOR_MS, CallableNumbers, CheckedNumber
from switchhook.exotel.answers import NumberTold, Outcome, Whitelisted
from switchhook.exotel.wire.number_metadata import Dnd, NumberMetadata
from switchhook.exotel.wire.whitelist import WhitelistEntry, WhitelistStatus

NUMBER = "+919811100001"
WHITELIST, BLACKLIST, NEUTRAL, _ = WhitelistStatus


class Api:
    """Says what it is told to, and what it was asked."""

    def __init__(self, listed, told=None):
        self.listed, self.told, self.asked = listed, told, []

    async def whitelist(self, number):
        self.asked.append(("whitelist", number))
        return self.listed

    async def number_metadata(self, number):
        self.asked.append(("metadata", number))
        return self.told


class Clock:
    def __init__(self):
        self.now_ms = 1_780_000_000_000

    def wall_ms(self):
        return self.now_ms

    mono_ms = wall_ms

    async def sleep(self, seconds):
        self.now_ms += int(seconds * 1000)


def listed(status, expires_s=None):
    return Whitelisted(Outcome.READ, WhitelistEntry(status, "", expires_s))


def told(dnd):
    return NumberTold(Outcome.READ, NumberMetadata(dnd=dnd))


def ask(api, *after_ms):
    """What comes of asking, and of asking again so many ms later each."""

    async def main():
        clock = Clock()
        numbers = CallableNumbers(api, clock)
        found = [await numbers.ask(NUMBER)]
        for each in after_ms:
            clock.now_ms += each
            found.append(await numbers.ask(NUMBER))
        return found

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("api", "why", "asked"),
    [
        (Api(listed(WHITELIST)), "", ["whitelist"]),
        (Api(listed(BLACKLIST)), UNSUBSCRIBED, ["whitelist"]),
        (Api(listed(NEUTRAL), told(Dnd.NO)), "", ["whitelist", "metadata"]),
        (Api(listed(NEUTRAL), told(Dnd.YES)), REGISTERED, ["whitelist", "metadata"]),
    ],
)
def test_what_exotel_says_counts_and_no_more_is_asked_than_is_needed(api, why, asked):
    assert ask(api) == [CheckedNumber(why)]
    assert api.asked == [(each, NUMBER) for each in asked]


def test_who_may_be_called_is_asked_about_once_an_hour():
    api = Api(listed(WHITELIST))
    assert ask(api, 1, GOOD_FOR_MS - 2, 1, 1) == [CheckedNumber()] * 5
    assert len(api.asked) == 2


def test_an_entry_that_ends_sooner_is_asked_about_sooner():
    api = Api(listed(WHITELIST, 60))
    ask(api, 59_999, 1)
    assert len(api.asked) == 2


def test_a_clock_that_was_put_back_makes_nobody_callable_for_long():
    api = Api(listed(WHITELIST))
    ask(api, -2 * GOOD_FOR_MS)
    assert len(api.asked) == 2


def test_those_who_were_asked_about_longest_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr(number_fetcher, "_MOST_KNOWN", 2)
    api = Api(listed(WHITELIST))

    async def main():
        numbers = CallableNumbers(api, Clock())
        for last in (1, 2, 3, 3, 2, 1):
            await numbers.ask(f"+91981110000{last}")

    asyncio.run(main())
    assert [number[-1] for _, number in api.asked] == ["1", "2", "3", "1"]


def test_who_may_not_be_called_is_not_remembered():
    api = Api(listed(BLACKLIST))
    ask(api, 1)
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    "api",
    [
        Api(Whitelisted(Outcome.LIMITED, problem="429", retry_after_s=7.0)),
        Api(listed(NEUTRAL), NumberTold(Outcome.LIMITED, problem="429", retry_after_s=7.0)),
    ],
    ids=["whitelist", "metadata"],
)
def test_who_cannot_be_asked_about_is_neither(api):
    assert ask(api, 1) == [CheckedNumber("", "429", 7.0)] * 2
    assert len(api.asked) >= 2

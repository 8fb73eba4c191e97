"""What a scenario of a pool or of admission does: calls, bots that fail and return, bursts.

Each gives what was not as it should be, in words; empty is good. A good server sends no call to a
bot any more once three of its calls have failed and were told of, or sooner.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from switchhook.emulator.plan.bots import bot_key
from switchhook.emulator.plan.plan import Fault
from switchhook.emulator.runs.scenarios.definition import OPTIONS, selected
from switchhook.emulator.stream.outcome import cause_of
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.plan.plan import FaultKind
    from switchhook.emulator.runs.client_steps import Client

    Drive = Callable[[Client, str], Awaitable[list[str]]]

_FAILURES = 3
"""Failed calls after which a good server knows that a bot is ill."""
_NOTICE_S = 2.0
"""How long it may take from there until no call goes to the bot."""
_GAP_S = 0.5
_MOST = 80
_MEETING = 300
"""Calls in which a second bot is met at the latest: two and a half minutes."""
_AFTER = 20
_TRIALS = 2
"""Calls by which it may try meanwhile whether the bot is back."""
_RETURN_GAP_S = 1.0
_RETURN_CALLS = 120


class Seen:
    """The calls of one run, and where their streams went."""

    def __init__(self, client: Client, number: str) -> None:
        self._client, self._number = client, number
        self.calls: list[Call] = []

    def ring(self) -> Call:
        """One more call."""
        call = self._client.exchange.ring(self._number)
        self.calls.append(call)
        return call

    async def ring_one(self, gap_s: float) -> Call:
        """The same, then some time."""
        call = self.ring()
        await asyncio.sleep(gap_s)
        return call

    async def over(self) -> None:
        """Wait for their end."""
        await asyncio.gather(*(call.over.wait() for call in self.calls))

    @property
    def members(self) -> dict[str, list[Call]]:
        """The calls by the bot that they were sent to."""
        found: dict[str, list[Call]] = {}
        for call in self.calls:
            for address in addresses(call):
                found.setdefault(bot_key(address), []).append(call)
        return found

    def failed_and_told(self, key: str) -> list[Call]:
        """Calls whose stream to a bot failed, of which the passthru after it was answered."""
        return [
            call
            for call in self.members.get(key, ())
            if _failed(call) and (call.trace.find("answer") or call.trace.find("no_answer"))
        ]


def addresses(call: Call) -> list[str]:
    """Where the dynamic URL sent the streams of a call."""
    return [str(entry["url"]) for entry in call.trace.find("stream_url")]


def _failed(call: Call) -> bool:
    return cause_of(call.stream_outcome) in (Cause.CONNECT_FAILED, Cause.BOT_DROPPED)


def vendor_fails(what: FaultKind, **more: Any) -> Drive:
    """One bot of a pool fails while calls come, and returns."""

    async def drive(client: Client, number: str) -> list[str]:
        seen = Seen(client, number)
        problem = await _meet(seen)
        if problem:
            return [problem]
        victim = max(seen.members, key=lambda key: len(seen.members[key]))
        url = addresses(seen.members[victim][0])[0]
        armed = client.exchange.faults.add(Fault(what=what, bot=url, **more))
        problems = await _while_ill(seen, victim)
        client.exchange.faults.remove(armed)
        if not problems:
            problems = await _until_back(seen, victim)
        await seen.over()
        return problems + wrong_answers(seen.calls, client.people)

    return drive


async def _meet(seen: Seen) -> str:
    """Call until two bots of the pool have been met; the problem where that can't be.

    One that an earlier trial left ill, or that was played nowhere until now, has to be found well
    again first.
    """
    for _ in range(_MEETING):
        await seen.ring_one(_GAP_S)
        if len(seen.members) >= 2:
            return ""
    await seen.over()
    said = [str(x["text"]) for call in seen.calls for x in call.trace.find("warning")]
    if said:
        return said[0]
    names = ", ".join(seen.members) or "none"
    return f"in {_MEETING} calls the server named fewer than two bots ({names}): a pool has two"


async def _while_ill(seen: Seen, victim: str) -> list[str]:
    """The bot has failed: after three failures at most, the server has to send no call there."""
    before = len(seen.calls)
    while len(seen.failed_and_told(victim)) < _FAILURES and len(seen.calls) - before < _MOST:
        await seen.ring_one(_GAP_S)
        recent = seen.calls[-_AFTER:]
        if len(seen.calls) - before > 2 * _AFTER and not _sent(recent, victim):
            return []  # it knew sooner
    await asyncio.sleep(_NOTICE_S)
    late = [await seen.ring_one(_GAP_S) for _ in range(_AFTER)]
    sent = _sent(late, victim)
    if len(sent) > _TRIALS:
        return [
            f"{len(sent)} of {_AFTER} calls went to {victim} later than {_NOTICE_S:g} s after the"
            f" third of its failures was told"
        ]
    return []


def _sent(calls: Iterable[Call], key: str) -> list[Call]:
    return [call for call in calls if key in map(bot_key, addresses(call))]


async def _until_back(seen: Seen, victim: str) -> list[str]:
    """The bot works again: it has to get calls again."""
    for _ in range(_RETURN_CALLS):
        call = await seen.ring_one(_RETURN_GAP_S)
        if _sent([call], victim):
            return []
    return [f"{victim} is back, and got no call in {_RETURN_CALLS * _RETURN_GAP_S:g} s"]


async def pool_drains(client: Client, number: str) -> list[str]:
    """Every bot of a pool dies: each caller still has to be answered, and led to a person."""
    seen = Seen(client, number)
    problem = await _meet(seen)
    if problem:
        return [problem]
    armed = client.exchange.faults.add(Fault(what="bot-dies"))
    dry = [await seen.ring_one(_GAP_S) for _ in range(_AFTER)]
    client.exchange.faults.remove(armed)
    await seen.over()
    lost = [call for call in dry if not _met_a_person(call, client.people)]
    problems = []
    if lost:
        problems.append(f"{len(lost)} of {len(dry)} callers met no bot and no person")
    for _ in range(_RETURN_CALLS):
        call = await seen.ring_one(_RETURN_GAP_S)
        await call.over.wait()
        if call.trace.find("dialled_bot"):
            return problems + wrong_answers(seen.calls, client.people)
    problems.append("the bots are back, and none got a call")
    return problems + wrong_answers(seen.calls, client.people)


# Admission.


async def _known(client: Client) -> bool:
    """Give the server time to learn the account's figures; whether it asks for them at all."""
    if not await client.asked_for_streams(3, within_s=30):
        return False
    await asyncio.sleep(_LEARNT_S)
    return True


def burst(calls: int, over_s: float, least: int) -> Drive:
    """Many calls in a short time: none is to meet a full line, and the line is to be used."""

    async def drive(client: Client, number: str) -> list[str]:
        if not await _known(client):
            return [NOBODY_ASKS]
        seen = Seen(client, number)
        for _ in range(calls):
            await seen.ring_one(over_s / calls)
        await seen.over()
        return _admitted_well(seen.calls, least) + wrong_answers(seen.calls, client.people)

    return drive


NOBODY_ASKS = (
    "nobody asked for ActiveStreams: point your server's account at the address of --listen, with"
    " the SID, key and token of --account"
)


def _admitted_well(calls: list[Call], least: int) -> list[str]:
    throttled = sum(cause_of(call.stream_outcome) is Cause.THROTTLED for call in calls)
    served = sum(bool(call.trace.find("dialled_bot")) for call in calls)
    problems = []
    if throttled > len(calls) // 20:
        problems.append(f"{throttled} of {len(calls)} callers were let in, and met a full line")
    if served < least:
        problems.append(f"{served} of {len(calls)} calls got a stream where {least} could have")
    return problems


def lost_passthrus(streams: int, least: int) -> Drive:
    """Passthrus that tell of ended streams are lost: their places have to come back all the same.

    What a server knows then is ActiveStreams.
    """

    async def drive(client: Client, number: str) -> list[str]:
        if not await _known(client):
            return [NOBODY_ASKS]
        seen = Seen(client, number)
        armed = client.exchange.faults.add(Fault(what="passthru-lost", applet="told"))
        for _ in range(streams):
            seen.ring()
        await seen.over()
        client.exchange.faults.remove(armed)
        first = list(seen.calls)
        # The line is empty. A server that asks about it once a second sees that in good time.
        await asyncio.sleep(_SEEN_EMPTY_S)
        again = [seen.ring() for _ in range(streams)]
        await seen.over()
        return _admitted_well(first, 1) + [
            f"{text}: the places of lost passthrus are still held"
            for text in _admitted_well(again, least)
        ]

    return drive


_LEARNT_S = 30.0
"""After so long a server knows how many streams are not its own: a moment tells little."""
_SEEN_EMPTY_S = 45.0
"""After so long it has seen that the line is empty, and that what it counts is gone."""


def wrong_answers(calls: Iterable[Call], people: str) -> list[str]:
    """What was wrong with the answers themselves: of dynamic URLs, and after streams.

    Where B is due, A with the keyword `people` for a SwitchCase leads to a person as well.
    """
    found: dict[str, int] = {}
    for call in calls:
        texts = [str(entry["text"]) for entry in call.trace.find("no_answer")]
        status = [entry["status"] for entry in call.trace.find("dynamic_url_answer")]
        texts += [f"a dynamic URL was answered {each}" for each in status if each >= 500]
        texts += [
            f"{entry['text']}"
            for entry in call.trace.find("warning")
            if "gave no answer" in str(entry["text"])
        ]
        cause = cause_of(call.stream_outcome)
        for entry in call.trace.find("option"):
            wanted = OPTIONS[cause]
            if entry["applet"] != "told" or not wanted or entry["option"] == wanted:
                continue
            if wanted == "B" and people in _selected(call):
                continue
            texts.append(_not_due(entry["option"], cause, wanted, _selected(call), people))
        for text in texts:
            found[text] = found.get(text, 0) + 1
    return [f"{count} times: {text}" for text, count in found.items()]


def _not_due(option: str, cause: Cause, wanted: str, keywords: Iterable[str], people: str) -> str:
    words = ", ".join(map(repr, keywords))
    if not words:
        return f"Option {option} after {cause}; {wanted} was due"
    return (
        f"Option {option} with the keyword {words} after {cause}; {wanted} was due, or the keyword"
        f" {people!r} (--select names yours)"
    )


def _selected(call: Call) -> list[str]:
    """The keywords that the answers after a call's stream select, for a SwitchCase."""
    said = [
        selected(str(entry["body"]))
        for entry in call.trace.find("answer")
        if entry["applet"] == "told" and entry["status"] == 200
    ]
    return [word for word in said if word is not None]


def _met_a_person(call: Call, people: str) -> bool:
    """Whether a call was led to a person: by the flow, or by a keyword for a SwitchCase."""
    return bool(call.trace.find("connected")) or people in _selected(call)

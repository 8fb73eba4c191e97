"""What a scenario of a release under way does: callers by the hundred, and a bot that some get.

The server under test is to send a part of its callers to another bot than before: a canary of
rules, or of weights. If that bot drops them, the part has to go to nothing; else it has to grow.
Each gives what was not as it should be, in words; empty is good.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from switchhook.emulator.plan.bots import bot_key
from switchhook.emulator.plan.plan import Fault
from switchhook.emulator.runs.route_steps import Seen, addresses, wrong_answers

if TYPE_CHECKING:
    from switchhook.emulator.call.call import Call
    from switchhook.emulator.runs.client_steps import Client

_GAP_S = 0.2
MEETING = 600
"""Calls in which two bots are met at the latest: two minutes."""
MOST = 3_000
"""Calls in which the release is taken back, or goes to everybody: ten minutes."""
WINDOW = 100
"""So many calls in a row tell which part of them a bot gets."""
_GROWN = 2.0


async def release_harms(client: Client, number: str) -> list[str]:
    """The bot that fewer callers get drops each of them: soon nobody may get it."""
    seen = Seen(client, number)
    problem = await _meet(seen)
    if problem:
        return [problem]
    key, url = _newest(seen)
    armed = client.exchange.faults.add(Fault(what="bot-crash", bot=url, seconds=1.0))
    last = 0
    for count in range(MOST):
        call = await seen.ring_one(_GAP_S)
        last = count if _got(call, key) else last
        if count - last >= WINDOW:
            break
    client.exchange.faults.remove(armed)
    await seen.over()
    problems = [] if count - last >= WINDOW else [_still(key)]
    return problems + wrong_answers(seen.calls, client.people)


async def release_is_well(client: Client, number: str) -> list[str]:
    """Nothing is wrong with the bot that fewer callers get: the part that gets it has to grow."""
    seen = Seen(client, number)
    problem = await _meet(seen)
    if problem:
        return [problem]
    key, _ = _newest(seen)
    first = [_got(await seen.ring_one(_GAP_S), key) for _ in range(WINDOW)]
    enough = min(WINDOW, _GROWN * max(1, sum(first)))
    newest = deque(first, maxlen=WINDOW)
    for _ in range(MOST):
        if sum(newest) >= enough:
            break
        newest.append(_got(await seen.ring_one(_GAP_S), key))
    await seen.over()
    problems = [] if sum(newest) >= enough else [_not_grown(key, sum(first), sum(newest))]
    return problems + wrong_answers(seen.calls, client.people)


async def _meet(seen: Seen) -> str:
    """Call until two bots have been met; the problem where that can't be."""
    for _ in range(MEETING):
        await seen.ring_one(_GAP_S)
        if len(seen.members) >= 2:
            return ""
    await seen.over()
    names = ", ".join(seen.members) or "none"
    return (
        f"in {MEETING:,} calls the server named fewer than two bots ({names}): put a release under"
        " way that sends some callers to another one"
    )


def _newest(seen: Seen) -> tuple[str, str]:
    """The bot that fewest callers got, and its address."""
    key = min(seen.members, key=lambda each: len(seen.members[each]))
    return key, addresses(seen.members[key][0])[0]


def _got(call: Call, key: str) -> bool:
    return key in map(bot_key, addresses(call))


def _still(key: str) -> str:
    return (
        f"{key} drops each caller, and after {MOST:,} calls some are still sent there: the release"
        " was not taken back"
    )


def _not_grown(key: str, before: int, after: int) -> str:
    return (
        f"{key} serves its callers well, and after {MOST:,} calls {after} of {WINDOW} get it"
        f" where {before} did: the release does not go on"
    )

"""What a scenario is, and which answer to its passthrus is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from switchhook.emulator.plan.plan import Plan
    from switchhook.emulator.runs.client_steps import Client

Option = Literal["A", "B"]

OPTIONS: dict[Cause, Option | None] = {
    Cause.THROTTLED: "B",
    Cause.CONNECT_FAILED: "B",
    Cause.BOT_DROPPED: "B",
    Cause.CALLER_LEFT_EARLY: "A",
    Cause.CALLER_LEFT: "A",
    Cause.BOT_DONE: "A",
    Cause.ENDED_BY_SYSTEM: "A",
    Cause.RUNNING: "A",
    Cause.NO_STREAM: None,
    Cause.UNKNOWN: "B",
}
"""What a good backend answers (exotel-platform G.1); None where it is the operator's choice."""


_NO_DECISIONS = {
    401: "it wants credentials: write what it wants into the URL",
    403: "it does not let Exotel in: is the secret in the URL the right one?",
    404: "there is nothing at this URL: check its path",
    405: "it does not take GET, which is all that Exotel sends: check path and method",
    407: "a proxy wants credentials: let Exotel reach the server without it",
    410: "what was at this URL is gone: check its path",
    426: "it wants another protocol: is this the bot's URL, or another server's?",
}


def no_decision(status: int) -> str | None:
    """Why an HTTP status is nobody's decision, though Exotel takes it for Option B; else None.

    Who sees such an answer has the wrong URL, method or secret, or a server that fell over.
    """
    if status >= 500:
        return "a crash is no decision: look in the server's log"
    return _NO_DECISIONS.get(status)


def selected(body: str) -> str | None:
    """The keyword for a SwitchCase that the body of an answer selects; None where it is none."""
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    word = said.get("select") if isinstance(said, dict) else None
    return word if isinstance(word, str) else None


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """Where a scenario aims: the passthru of the server under test, and bad peers of ours."""

    passthru: str
    refused: str = "127.0.0.1:9"
    """An address that refuses connections."""
    untrusted: str = "localhost:9"
    """A TLS server whose certificate nobody trusts."""
    select: str | None = None
    """The keyword that the server selects in the SwitchCase scenario."""
    voicebot: str = ""
    """The URL of the server under test that tells where a stream goes."""
    admit: str = ""
    """The URL of the server under test that is asked before the stream whether there is room."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `judged` has, by applet, what happened to the stream that its passthru tells of."""

    name: str
    summary: str
    plan: Callable[[Aim], Plan]
    judged: dict[str, Cause]
    calls: int = 1
    requests: int = 1
    """How many requests the server under test gets from each judged applet, all calls together."""
    warns: str = ""
    """What a trace has to warn of: the bad peer was really met."""
    mode: Literal["decide", "async", "select", "route"] = "decide"
    keyword: str = "agent"
    """What a server selects where nobody said another keyword."""
    needs: tuple[Literal["voicebot", "admit", "api"], ...] = ()
    """URLs of the server beside its passthru, and whether it has to ask Exotel's API."""
    drive: Callable[[Client, str], Awaitable[list[str]]] | None = None
    """What is done instead of ringing `calls` times; gives what was wrong."""
    least_failed: int = 0
    """Calls that have to be throttled; the rest have to be as `judged` says."""

"""Every bad day of Exotel by name: each row of exotel-platform G.2, aimed at a server under test.

A scenario places its calls on a plan of its own and says, for each of its passthrus to the server
under test, what had happened to the stream. What a good backend answers then is the table of
exotel-platform G.1. A crash (5xx), a late answer and a dead connection are never an expected
answer, though Exotel takes them for Option B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from switchhook.emulator.plan.flow import (
    Connect,
    Flow,
    Greeting,
    Hangup,
    Passthru,
    Stream,
    SwitchCase,
    Voicebot,
)
from switchhook.emulator.plan.plan import Account, Act, Agent, Caller, Fault, Number, Plan
from switchhook.emulator.runs import client_steps
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from switchhook.emulator.plan.flow import Applet
    from switchhook.emulator.runs.client_steps import Client

ACCOUNT = "exotelt"
EXOPHONE = "+918047112233"
AGENT = "+919111100001"
BOT = "wss://bot.example.com"
"""The built-in bot, called in this process."""
BAD = "https://bad.example.com"
"""The server that misbehaves, in this process too."""

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


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """Where a scenario aims: the passthru of the server under test, and bad peers of ours."""

    passthru: str
    refused: str = "127.0.0.1:9"
    """An address that refuses connections."""
    untrusted: str = "localhost:9"
    """A TLS server whose certificate nobody trusts."""
    select: str | None = None
    """The keyword that the server selects in the SwitchCase scenario."""


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
    mode: Literal["decide", "async", "select"] = "decide"
    drive: Callable[[Client, str], Awaitable[list[str]]] | None = None
    """What is done instead of ringing `calls` times; gives what was wrong."""
    least_failed: int = 0
    """Calls that have to be throttled; the rest have to be as `judged` says."""


def _plan(
    aim: Aim,
    bot: str | None = f"{BOT}/bot",
    *,
    applets: dict[str, Applet] | None = None,
    first: str = "bot",
    caller: Caller | None = None,
    faults: tuple[Fault, ...] = (),
    streams: int = 100,
    record: bool = False,
    **behaviour: Any,
) -> Plan:
    """Voicebot, passthru, then A to the end and B to a person: the flow of most rows."""
    usual: dict[str, Applet] = {
        "told": Passthru(url=aim.passthru, a="end", b="people"),
        "people": Connect(numbers=(AGENT,), answered="end", no_answer="end"),
        "end": Hangup(),
    }
    if bot is not None:
        usual["bot"] = Voicebot(url=bot, record=record, next="told")
    return Plan(
        account={ACCOUNT: Account(streams=streams)},
        number={EXOPHONE: Number(account=ACCOUNT, flow="flow")},
        flow={"flow": Flow(first=first, applet=usual | (applets or {}))},
        caller={"caller": caller or Caller()},
        agent={AGENT: Agent(rings_s=2, talks_s=5)},
        fault=faults,
        behaviour=behaviour,
    )


def _bot(path: str, **more: Any) -> Callable[[Aim], Plan]:
    return lambda aim: _plan(aim, f"{BOT}{path}", **more)


def _fault(what: Any, **more: Any) -> tuple[Fault, ...]:
    return (Fault(what=what, **more),)


def _hangs_up(at: str | None, after_s: float) -> Caller:
    return Caller(does=(Act(at=at, after_s=after_s, hangs_up=True),))


def _misled(path: str, option: Literal["a", "b"] = "b") -> Callable[[Aim], Plan]:
    """A passthru to a bad server first; one of its options leads to the server under test."""

    def plan(aim: Aim) -> Plan:
        url = path.format(bad=BAD, refused=aim.refused, untrusted=aim.untrusted)
        a, b = ("told", "end") if option == "a" else ("end", "told")
        bad = Passthru(url=url, a=a, b=b)
        bot = Voicebot(url=f"{BOT}/bot", next="misled")
        return _plan(aim, applets={"bot": bot, "misled": bad})

    return plan


def _two_streams(aim: Aim) -> Plan:
    again = Passthru(url=aim.passthru, a="second", b="people")
    return _plan(
        aim,
        applets={
            "first": Voicebot(url=f"{BOT}/bot?say=1", next="told-first"),
            "told-first": again,
            "second": Voicebot(url=f"{BOT}/bot?say=2", next="told"),
        },
        first="first",
    )


def _fork(aim: Aim) -> Plan:
    return _plan(
        aim,
        None,
        applets={
            "start": Stream(action="start", url=f"{BOT}/bot/silent", next="beside"),
            "beside": Passthru(url=aim.passthru, a="music", b="music"),
            "music": Greeting(seconds=8, next="stop"),
            "stop": Stream(action="stop", next="told"),
        },
        first="start",
    )


def _switchcase(aim: Aim) -> Plan:
    keyword = aim.select or "agent"
    return _plan(
        aim,
        applets={
            "told": Passthru(url=aim.passthru, a="switch", b="people"),
            "switch": SwitchCase(cases={keyword: "end"}, otherwise="people"),
        },
    )


def _async(aim: Aim) -> Plan:
    told = Passthru(url=aim.passthru, mode="async", next="people")
    return _plan(aim, applets={"told": told})


def _reordered(aim: Aim) -> Plan:
    """Two streams whose passthrus arrive the wrong way round."""
    first = Passthru(url=aim.passthru, a="second", b="second")
    return _plan(
        aim,
        applets={
            "bot": Voicebot(url=f"{BOT}/bot?say=1", next="told-first"),
            "told-first": first,
            "second": Voicebot(url=f"{BOT}/bot?say=2", next="told"),
        },
        faults=_fault("passthru-out-of-order", applet="told-first"),
    )


def _dynamic(path: str) -> Callable[[Aim], Plan]:
    return lambda aim: _plan(aim, f"{BAD}{path}")


_TALK = "/bot?after=29"
_GOOD_URL = f"url={BOT.replace(':', '%3A').replace('/', '%2F')}%2Fbot"

_ALL = (
    Scenario(
        name="bot-done",
        summary="the bot talks for 29 seconds and ends it (Exotel's test 4)",
        plan=_bot(_TALK),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="caller-hangs-up-mid-talk",
        summary="the caller hangs up after 28 seconds of talk",
        plan=_bot("/bot/talk", caller=_hangs_up("bot", 28.5), record=True),
        judged={"told": Cause.CALLER_LEFT},
    ),
    Scenario(
        name="caller-hangs-up-in-greeting",
        summary="the caller hangs up before there is a stream (Exotel's test 1)",
        plan=lambda aim: _plan(
            aim,
            applets={"hello": Greeting(seconds=5, next="bot")},
            first="hello",
            caller=_hangs_up("hello", 2),
        ),
        judged={"told": Cause.CALLER_LEFT_EARLY},
    ),
    Scenario(
        name="cancelled-late",
        summary="the caller hangs up while the stream is being set up (Exotel's test 3)",
        plan=_bot("/bot?handshake=8", caller=_hangs_up("bot", 6)),
        judged={"told": Cause.CALLER_LEFT_EARLY},
    ),
    Scenario(
        name="bot-refused",
        summary="nobody listens at the bot's address (Exotel's test 2)",
        plan=lambda aim: _plan(aim, f"ws://{aim.refused}/media", recording_on_failed=True),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="bot-dns-failure",
        summary="the bot's host name does not exist",
        plan=lambda aim: _plan(aim, "wss://bot.invalid/media"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="bot-tls-failure",
        summary="the bot's certificate is signed by nobody",
        plan=lambda aim: _plan(aim, f"wss://{aim.untrusted}/media"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="bot-401",
        summary="the bot wants other credentials",
        plan=_bot("/bot/refuse"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="slow-handshake",
        summary="the bot accepts after the 10 seconds that it has",
        plan=_bot("/bot/late"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="retry-then-success",
        summary="the first handshake fails, the second succeeds",
        plan=_bot("/bot/flaky"),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="throttled",
        summary="the account's streams are all in use",
        plan=lambda aim: _plan(aim, streams=0),
        judged={"told": Cause.THROTTLED},
    ),
    Scenario(
        name="throttled-minimal",
        summary="the same, told with the two fields of Exotel's article only",
        plan=lambda aim: _plan(aim, streams=0, throttled="minimal"),
        judged={"told": Cause.THROTTLED},
    ),
    Scenario(
        name="bot-crash",
        summary="the bot's connection breaks off without a close frame (1006)",
        plan=_bot("/bot/crash?after=12"),
        judged={"told": Cause.BOT_DROPPED},
    ),
    Scenario(
        name="bot-close-1011",
        summary="the bot closes with 1011, internal error",
        plan=_bot("/bot/error?after=12"),
        judged={"told": Cause.BOT_DROPPED},
    ),
    Scenario(
        name="sixty-minute-cap",
        summary="the talk reaches the limit of 60 minutes",
        plan=_bot("/bot/silent", caller=Caller(patience_s=7200)),
        judged={"told": Cause.ENDED_BY_SYSTEM},
    ),
    Scenario(
        name="oversize-chunk",
        summary="the bot sends chunks of over 100,000 bytes",
        plan=_bot("/bot?breach=oversize"),
        judged={"told": Cause.BOT_DONE},
        warns="over-100000-bytes",
    ),
    Scenario(
        name="bot-silent",
        summary="the bot accepts and never speaks; the caller gives up",
        plan=_bot("/bot/silent", caller=_hangs_up("bot", 20)),
        judged={"told": Cause.CALLER_LEFT_EARLY},
        warns="no-audio",
    ),
    Scenario(
        name="dynamic-url-good",
        summary="the stream's URL is asked for, and told",
        plan=_dynamic(f"/dynamic-url?{_GOOD_URL}"),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="dynamic-url-bad",
        summary="the stream's URL is asked for; the answer is plain text",
        plan=_dynamic(f"/dynamic-text?{_GOOD_URL}"),
        judged={"told": Cause.CONNECT_FAILED},
        warns="has to answer JSON",
    ),
    Scenario(
        name="dynamic-url-slow",
        summary="the stream's URL is asked for; the answer takes too long",
        plan=_dynamic(f"/dynamic-slow?seconds=30&{_GOOD_URL}"),
        judged={"told": Cause.CONNECT_FAILED},
        warns="gave no answer",
    ),
    Scenario(
        name="dynamic-url-twiml",
        summary="the stream's URL is asked for; the answer is TwiML",
        plan=_dynamic(f"/dynamic-twiml?{_GOOD_URL}"),
        judged={"told": Cause.CONNECT_FAILED},
        warns="TwiML",
    ),
    Scenario(
        name="json-form",
        summary="the stream's parameters come as JSON in `Stream`",
        plan=_bot("/bot/talk", caller=_hangs_up("bot", 28.5), record=True, dialect="json"),
        judged={"told": Cause.CALLER_LEFT},
    ),
    Scenario(
        name="double-encoded",
        summary="keys and values are percent-encoded twice; the bot refuses",
        plan=lambda aim: _plan(aim, f"ws://{aim.refused}/media", dialect="double-encoded"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="mixed",
        summary="flat and JSON together; the streams are all in use",
        plan=lambda aim: _plan(aim, streams=0, dialect="mixed"),
        judged={"told": Cause.THROTTLED},
    ),
    Scenario(
        name="lower-case",
        summary="every key in lower case; the bot crashes",
        plan=_bot("/bot/crash?after=12", dialect="lower-case"),
        judged={"told": Cause.BOT_DROPPED},
    ),
    Scenario(
        name="missing-fields",
        summary="no CallSid, no StreamSID, no numbers; the bot refuses",
        plan=lambda aim: _plan(
            aim,
            f"ws://{aim.refused}/media",
            leave_out=("CallSid", "CallFrom", "CallTo", "From", "To", "Stream[StreamSID]"),
        ),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="unknown-enum",
        summary="a status that nobody has heard of",
        plan=_bot("/bot", change={"Stream[Status]": "parked", "Stream[DisconnectedBy]": "ghost"}),
        judged={"told": Cause.UNKNOWN},
    ),
    Scenario(
        name="new-key",
        summary="a parameter that is documented nowhere",
        plan=_bot("/bot", change={"Stream[Codec]": "opus", "SomethingNew": "1"}),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="duplicate-passthru",
        summary="the same request comes twice; the bot crashed",
        plan=_bot("/bot/crash?after=12", faults=_fault("passthru-twice", applet="told")),
        judged={"told": Cause.BOT_DROPPED},
        requests=2,
    ),
    Scenario(
        name="late-passthru",
        summary="the request comes 30 seconds late",
        plan=_bot("/bot", faults=_fault("passthru-late", applet="told", seconds=30.0)),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="reordered-passthrus",
        summary="two streams of one call, told in the wrong order",
        plan=_reordered,
        judged={"told": Cause.BOT_DONE, "told-first": Cause.BOT_DONE},
    ),
    Scenario(
        name="passthru-200",
        summary="another server answers 200: Option A leads to the server under test",
        plan=_misled("{bad}/200", option="a"),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="passthru-302",
        summary="another server answers 302: Option B leads to the server under test",
        plan=_misled("{bad}/302"),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="passthru-204",
        summary="another server answers 204, which is Option B by accident",
        plan=_misled("{bad}/204"),
        judged={"told": Cause.BOT_DONE},
        warns="answered 204",
    ),
    Scenario(
        name="passthru-500",
        summary="another server crashes",
        plan=_misled("{bad}/500"),
        judged={"told": Cause.BOT_DONE},
        warns="answered 500",
    ),
    Scenario(
        name="passthru-slow",
        summary="another server is too slow",
        plan=_misled("{bad}/slow?seconds=60"),
        judged={"told": Cause.BOT_DONE},
        warns="timeout",
    ),
    Scenario(
        name="passthru-refused",
        summary="another server does not listen",
        plan=_misled("http://{refused}/passthru"),
        judged={"told": Cause.BOT_DONE},
        warns="refused",
    ),
    Scenario(
        name="passthru-bad-tls",
        summary="another server's certificate is signed by nobody",
        plan=_misled("https://{untrusted}/passthru"),
        judged={"told": Cause.BOT_DONE},
        warns="tls",
    ),
    Scenario(
        name="passthru-endless",
        summary="another server's body never ends",
        plan=_misled("{bad}/endless", option="a"),
        judged={"told": Cause.BOT_DONE},
        warns="endless",
    ),
    Scenario(
        name="passthru-redirect-loop",
        summary="another server redirects to itself",
        plan=_misled("{bad}/301"),
        judged={"told": Cause.BOT_DONE},
        warns="answered 301",
    ),
    Scenario(
        name="async",
        summary="an async passthru: the flow does not wait; --passthru is an async endpoint",
        plan=_async,
        judged={"told": Cause.BOT_DONE},
        mode="async",
    ),
    Scenario(
        name="switchcase",
        summary="a SwitchCase follows; --passthru answers 200 and {\"select\": …}",
        plan=_switchcase,
        judged={"told": Cause.BOT_DONE},
        mode="select",
    ),
    Scenario(
        name="two-streams",
        summary="two streams in one call, each told",
        plan=_two_streams,
        judged={"told-first": Cause.BOT_DONE, "told": Cause.BOT_DONE},
    ),
    Scenario(
        name="stream-start-stop",
        summary="a unidirectional stream, told while it runs and after it was stopped",
        plan=_fork,
        judged={"beside": Cause.RUNNING, "told": Cause.ENDED_BY_SYSTEM},
    ),
    Scenario(
        name="burst-over-limit",
        summary="20 calls at once where 8 streams are allowed",
        plan=lambda aim: _plan(aim, f"{BOT}/bot?after=20", streams=8),
        judged={"told": Cause.BOT_DONE},
        calls=20,
        requests=20,
        least_failed=12,
    ),
    Scenario(
        name="active-streams-xml",
        summary="ActiveStreams answers in its XML form while the stream runs, and after it",
        plan=_bot(_TALK, xml_streams=True),
        judged={"told": Cause.BOT_DONE},
        drive=client_steps.poll_streams,
    ),
    Scenario(
        name="calls-api-errors",
        summary="a call-back is refused with 429, 503, 500 and 403, then goes through",
        plan=_bot(_TALK),
        judged={"told": Cause.BOT_DONE},
        drive=client_steps.call_through_errors,
    ),
    Scenario(
        name="recording-late",
        summary="the recording that the passthru names is there a minute later",
        plan=_bot(_TALK, record=True),
        judged={"told": Cause.BOT_DONE},
        drive=client_steps.fetch_recording,
    ),
)  # fmt: skip

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}

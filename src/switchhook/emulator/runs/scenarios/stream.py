"""Scenarios by what becomes of the stream: it ends well, badly, or never begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.emulator.plan.flow import Greeting
from switchhook.emulator.plan.plan import Caller
from switchhook.emulator.runs.scenarios.definition import Scenario
from switchhook.emulator.runs.scenarios.plans import BAD, BOT, TALK, hangs_up, usual_plan, with_bot
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.emulator.plan.plan import Plan
    from switchhook.emulator.runs.scenarios.definition import Aim

_GOOD_URL = f"url={BOT.replace(':', '%3A').replace('/', '%2F')}%2Fbot"


def _dynamic(path: str) -> Callable[[Aim], Plan]:
    return lambda aim: usual_plan(aim, f"{BAD}{path}")


ROWS = (
    Scenario(
        name="bot-done",
        summary="the bot talks for 29 seconds and ends it (Exotel's test 4)",
        plan=with_bot(TALK),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="caller-hangs-up-mid-talk",
        summary="the caller hangs up after 28 seconds of talk",
        plan=with_bot("/bot/talk", caller=hangs_up("bot", 28.5), record=True),
        judged={"told": Cause.CALLER_LEFT},
    ),
    Scenario(
        name="caller-hangs-up-in-greeting",
        summary="the caller hangs up before there is a stream (Exotel's test 1)",
        plan=lambda aim: usual_plan(
            aim,
            applets={"hello": Greeting(seconds=5, next="bot")},
            first="hello",
            caller=hangs_up("hello", 2),
        ),
        judged={"told": Cause.CALLER_LEFT_EARLY},
    ),
    Scenario(
        name="cancelled-late",
        summary="the caller hangs up while the stream is being set up (Exotel's test 3)",
        plan=with_bot("/bot?handshake=8", caller=hangs_up("bot", 6)),
        judged={"told": Cause.CALLER_LEFT_EARLY},
    ),
    Scenario(
        name="bot-refused",
        summary="nobody listens at the bot's address (Exotel's test 2)",
        plan=lambda aim: usual_plan(aim, f"ws://{aim.refused}/media", recording_on_failed=True),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="bot-dns-failure",
        summary="the bot's host name does not exist",
        plan=lambda aim: usual_plan(aim, "wss://bot.invalid/media"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="bot-tls-failure",
        summary="the bot's certificate is signed by nobody",
        plan=lambda aim: usual_plan(aim, f"wss://{aim.untrusted}/media"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="bot-401",
        summary="the bot wants other credentials",
        plan=with_bot("/bot/refuse"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="slow-handshake",
        summary="the bot accepts after the 10 seconds that it has",
        plan=with_bot("/bot/late"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="retry-then-success",
        summary="the first handshake fails, the second succeeds",
        plan=with_bot("/bot/flaky"),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="throttled",
        summary="the account's streams are all in use",
        plan=lambda aim: usual_plan(aim, streams=0),
        judged={"told": Cause.THROTTLED},
    ),
    Scenario(
        name="throttled-minimal",
        summary="the same, told with the two fields of Exotel's article only",
        plan=lambda aim: usual_plan(aim, streams=0, throttled="minimal"),
        judged={"told": Cause.THROTTLED},
    ),
    Scenario(
        name="bot-crash",
        summary="the bot's connection breaks off without a close frame (1006)",
        plan=with_bot("/bot/crash?after=12"),
        judged={"told": Cause.BOT_DROPPED},
    ),
    Scenario(
        name="bot-close-1011",
        summary="the bot closes with 1011, internal error",
        plan=with_bot("/bot/error?after=12"),
        judged={"told": Cause.BOT_DROPPED},
    ),
    Scenario(
        name="sixty-minute-cap",
        summary="the talk reaches the limit of 60 minutes",
        plan=with_bot("/bot/silent", caller=Caller(patience_s=7200)),
        judged={"told": Cause.ENDED_BY_SYSTEM},
    ),
    Scenario(
        name="oversize-chunk",
        summary="the bot sends chunks of over 100,000 bytes",
        plan=with_bot("/bot?breach=oversize"),
        judged={"told": Cause.BOT_DONE},
        warns="over-100000-bytes",
    ),
    Scenario(
        name="bot-silent",
        summary="the bot accepts and never speaks; the caller gives up",
        plan=with_bot("/bot/silent", caller=hangs_up("bot", 20)),
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
)

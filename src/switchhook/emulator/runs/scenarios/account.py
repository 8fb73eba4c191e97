"""Scenarios of an account: its limit of streams, its APIs, its recordings."""

from __future__ import annotations

from switchhook.emulator.runs import client_steps
from switchhook.emulator.runs.scenarios.definition import Scenario
from switchhook.emulator.runs.scenarios.plans import BOT, TALK, usual_plan, with_bot
from switchhook.exotel.cause import Cause

ROWS = (
    Scenario(
        name="burst-over-limit",
        summary="20 calls at once where 8 streams are allowed",
        plan=lambda aim: usual_plan(aim, f"{BOT}/bot?after=20", streams=8),
        judged={"told": Cause.BOT_DONE},
        calls=20,
        requests=20,
        least_failed=12,
    ),
    Scenario(
        name="active-streams-xml",
        summary="ActiveStreams answers in its XML form while the stream runs, and after it",
        plan=with_bot(TALK, xml_streams=True),
        judged={"told": Cause.BOT_DONE},
        drive=client_steps.poll_streams,
    ),
    Scenario(
        name="calls-api-errors",
        summary="a call-back is refused with 429, 503, 500 and 403, then goes through",
        plan=with_bot(TALK),
        judged={"told": Cause.BOT_DONE},
        drive=client_steps.call_through_errors,
    ),
    Scenario(
        name="recording-late",
        summary="the recording that the passthru names is there a minute later",
        plan=with_bot(TALK, record=True),
        judged={"told": Cause.BOT_DONE},
        drive=client_steps.fetch_recording,
    ),
)

"""Scenarios by how a passthru is asked: in another form, with less or more, twice, late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.emulator.plan.flow import Passthru, Voicebot
from switchhook.emulator.runs.scenarios.definition import Scenario
from switchhook.emulator.runs.scenarios.plans import BOT, fault, hangs_up, usual_plan, with_bot
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from switchhook.emulator.plan.plan import Plan
    from switchhook.emulator.runs.scenarios.definition import Aim


def _reordered(aim: Aim) -> Plan:
    """Two streams whose passthrus arrive the wrong way round."""
    first = Passthru(url=aim.passthru, a="second", b="second")
    return usual_plan(
        aim,
        applets={
            "bot": Voicebot(url=f"{BOT}/bot?say=1", next="told-first"),
            "told-first": first,
            "second": Voicebot(url=f"{BOT}/bot?say=2", next="told"),
        },
        faults=fault("passthru-out-of-order", applet="told-first"),
    )


ROWS = (
    Scenario(
        name="json-form",
        summary="the stream's parameters come as JSON in `Stream`",
        plan=with_bot("/bot/talk", caller=hangs_up("bot", 28.5), record=True, dialect="json"),
        judged={"told": Cause.CALLER_LEFT},
    ),
    Scenario(
        name="double-encoded",
        summary="keys and values are percent-encoded twice; the bot refuses",
        plan=lambda aim: usual_plan(aim, f"ws://{aim.refused}/media", dialect="double-encoded"),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="mixed",
        summary="flat and JSON together; the streams are all in use",
        plan=lambda aim: usual_plan(aim, streams=0, dialect="mixed"),
        judged={"told": Cause.THROTTLED},
    ),
    Scenario(
        name="lower-case",
        summary="every key in lower case; the bot crashes",
        plan=with_bot("/bot/crash?after=12", dialect="lower-case"),
        judged={"told": Cause.BOT_DROPPED},
    ),
    Scenario(
        name="missing-fields",
        summary="no CallSid, no StreamSID, no numbers; the bot refuses",
        plan=lambda aim: usual_plan(
            aim,
            f"ws://{aim.refused}/media",
            leave_out=("CallSid", "CallFrom", "CallTo", "From", "To", "Stream[StreamSID]"),
        ),
        judged={"told": Cause.CONNECT_FAILED},
    ),
    Scenario(
        name="unknown-enum",
        summary="a status that nobody has heard of",
        plan=with_bot(
            "/bot", change={"Stream[Status]": "parked", "Stream[DisconnectedBy]": "ghost"}
        ),
        judged={"told": Cause.UNKNOWN},
    ),
    Scenario(
        name="new-key",
        summary="a parameter that is documented nowhere",
        plan=with_bot("/bot", change={"Stream[Codec]": "opus", "SomethingNew": "1"}),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="duplicate-passthru",
        summary="the same request comes twice; the bot crashed",
        plan=with_bot("/bot/crash?after=12", faults=fault("passthru-twice", applet="told")),
        judged={"told": Cause.BOT_DROPPED},
        requests=2,
    ),
    Scenario(
        name="late-passthru",
        summary="the request comes 30 seconds late",
        plan=with_bot("/bot", faults=fault("passthru-late", applet="told", seconds=30.0)),
        judged={"told": Cause.BOT_DONE},
    ),
    Scenario(
        name="reordered-passthrus",
        summary="two streams of one call, told in the wrong order",
        plan=_reordered,
        judged={"told": Cause.BOT_DONE, "told-first": Cause.BOT_DONE},
    ),
)

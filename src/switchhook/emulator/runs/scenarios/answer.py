"""Scenarios in which another server answers its passthru badly first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from switchhook.emulator.plan.flow import Passthru, Voicebot
from switchhook.emulator.runs.scenarios.definition import Scenario
from switchhook.emulator.runs.scenarios.plans import BAD, BOT, usual_plan
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.emulator.plan.plan import Plan
    from switchhook.emulator.runs.scenarios.definition import Aim


def _misled(path: str, option: Literal["a", "b"] = "b") -> Callable[[Aim], Plan]:
    """A passthru to a bad server first; one of its options leads to the server under test."""

    def plan(aim: Aim) -> Plan:
        url = path.format(bad=BAD, refused=aim.refused, untrusted=aim.untrusted)
        a, b = ("told", "end") if option == "a" else ("end", "told")
        bad = Passthru(url=url, a=a, b=b)
        bot = Voicebot(url=f"{BOT}/bot", next="misled")
        return usual_plan(aim, applets={"bot": bot, "misled": bad})

    return plan


ROWS = (
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
)

"""A line busy enough to ship a change on within minutes, and two changes: one helps, one harms.

Stages of a canary last until so many callers came that harm would have been seen. The other lines
of the demo have a dozen calls a minute; this one, on an account of its own, has hundreds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBER, ACCOUNT, PER_MINUTE = "08047112266", "surveyt", 240
BOTS = ("survey", "survey-new", "survey-broken")
RUNNING, BETTER, BROKEN = "survey-in.toml", "better.toml", "broken.toml"
"""The rules that run, and two candidates: a fifth of the callers gets another bot."""

_PLAN = """\
voice = ""

[account.{account}]
key = "demo-key"
token = "demo-token"
streams = 200

[number.{number}]
account = "{account}"
flow = "survey"

[flow.survey]
first = "bot"

[flow.survey.applet.bot]
applet = "voicebot"
url = "{asked}"
next = "told"

[flow.survey.applet.told]
applet = "passthru"
url = "{told}"
a = "end"
b = "end"

[flow.survey.applet.end]
applet = "hangup"

[bot.survey]
url = "{survey}"
plays = "/bot?say=2"

[bot.survey-new]
url = "{survey_new}"
plays = "/bot?say=2"

[bot.survey-broken]
url = "{survey_broken}"
plays = "/bot/crash"

[caller.patient]
patience_s = 60

[[fault]]
what = "bot-crash"
probability = 0.04
seconds = 1

[arrivals]
per_minute = {per_minute}
"""

ACCOUNTS = """\
# The survey line is an account of its own: nobody waits for its streams.
[accounts.survey]
sid = "{sid}"
poll = false

"""

_POOLS = """\
# Survey: which bot takes a call is said by rules, so that a change of them can be shipped safely.
[bots.survey]
exophones = ["+918047112266"]
owner = "Farah"
contact = "farah@bots.example"

[bots.survey.members.survey]
url = "{survey}"
allow_private = true

[bots."survey new".members.survey-new]
url = "{survey_new}"
allow_private = true

[bots."survey broken".members.survey-broken]
url = "{survey_broken}"
allow_private = true

[endpoints.survey-in]
secrets = ["{secret}"]
kind = "voicebot"
account = "survey"
rules = "{rules}"

[endpoints.survey]
secrets = ["{secret}"]
account = "survey"

# Stages that take minutes here. Without these lines they take half an hour, and more callers.
[releases]
exclude_points = 20
least_stage_min = 1
again_within_min = 1

"""

EXOPHONE = """
[exophones."+918047112266"]
name = "Survey line"
"""

_RULES = """\
[default]
pool = "survey"
"""

_CANDIDATE = """\
[[rule]]
name = "a fifth: {pool}"
when = 'call.from.endsWith("3") || call.from.endsWith("7")'
pool = "{pool}"

[default]
pool = "survey"
"""


def addresses(hosts: Sequence[str], ports: Sequence[int]) -> dict[str, str]:
    """Where each of `BOTS` is dialled, by its name.

    The console tells bots by their hosts, so that each has one of its own where there are some.
    """
    places = zip(BOTS, hosts, ports, strict=True)
    return {name: f"ws://{host}:{port}/{name}" for name, host, port in places}


def plan(bots: dict[str, str], asked: str, told: str) -> str:
    """What the second Exotel plays: `asked` and `told` are the URLs of its two endpoints."""
    return _PLAN.format(
        account=ACCOUNT,
        number=NUMBER,
        asked=asked,
        told=told,
        per_minute=PER_MINUTE,
        **_named(bots),
    )


def pools(bots: dict[str, str], secret: str) -> str:
    """The part of the configuration that is there once its bots are."""
    return _POOLS.format(secret=secret, rules=RUNNING, **_named(bots))


def write_rules(folder: Path) -> None:
    """The rules that run, and the two candidates beside them."""
    (folder / RUNNING).write_text(_RULES)
    for name, pool in ((BETTER, "survey new"), (BROKEN, "survey broken")):
        (folder / name).write_text(_CANDIDATE.format(pool=pool))


def _named(bots: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): url for name, url in bots.items()}

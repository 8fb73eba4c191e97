"""The files of the demo: what the Exotel of its own plays, and how Switchhook is set up for it."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import NamedTuple

from demo import survey

SUPPORT, BOOKINGS, SALES = "08047112233", "08047112244", "08047112255"
ACCOUNT, KEY, TOKEN = "exotelt", "demo-key", "demo-token"
SECRET = secrets.token_urlsafe(24)
"""Of the endpoints whose URLs are needed before they are configured; another one in each run."""
STREAMS = 12
"""How many streams the demo's account may have at once: few enough to be seen to run out."""

DIES_AFTER_S, DEAD_FOR_S, DIES_EVERY_S = 20, 75, 240
"""When the bot of the bookings dies, comes back, and dies again, in seconds."""

A_DIES_AFTER_S, A_DEAD_FOR_S = 180, 75
"""The same of Vendor A, one of the two that take the calls of Sales."""

RUSH, RUSH_AFTER_S = 14, 120
"""How many call Support at once, and when: more than there are streams."""


class Ports(NamedTuple):
    """Where the bots of pools listen, besides the one that the emulator has anyway."""

    bookings: int
    reserve: int
    vendor_a: int
    vendor_b: int


def addresses(ports: Ports, vendors: str, reserve: str) -> dict[str, str]:
    """Where each bot is dialled, by its name in the plan; the console tells bots by their hosts.

    `vendors` and `reserve` are hosts of this machine, others than 127.0.0.1 where it has some.
    """
    return {
        "bookings": f"ws://localhost:{ports.bookings}/bookings",
        "reserve": f"ws://{reserve}:{ports.reserve}/reserve",
        "vendor-a": f"ws://{vendors}:{ports.vendor_a}/a",
        "vendor-b": f"ws://{vendors}:{ports.vendor_b}/b",
    }


_PLAN = """\
voice = ""

[behaviour]
details_delay_s = 5

[account.{account}]
key = "{key}"
token = "{token}"
streams = {streams}

{flows}
{bots}
[caller.patient]
share = 5
patience_s = 60

[caller.done-early]
share = 2
[[caller.done-early.does]]
at = "bot"
after_s = 4
hangs_up = true

[caller.hurried]
[[caller.hurried.does]]
at = "hello"
after_s = 1
hangs_up = true

[[fault]]
what = "bot-crash"
probability = 0.04
seconds = 5

[[fault]]
what = "bot-dies"
bot = "bookings"
after_s = {after_s}
for_s = {for_s}
every_s = {every_s}

[[fault]]
what = "bot-dies"
bot = "vendor-a"
after_s = {a_after_s}
for_s = {a_for_s}
every_s = {every_s}

[arrivals]
per_minute = 50

[[burst]]
number = "{support}"
calls = {rush}
after_s = {rush_after_s}
every_s = {every_s}
"""

_FLOW = """\
[number.{number}]
account = "{account}"
flow = "{name}"

[flow.{name}]
first = "hello"

[flow.{name}.applet.hello]
applet = "greeting"
seconds = 2
next = "{after_hello}"

[flow.{name}.applet.bot]
applet = "voicebot"
url = "{bot}"
record = true
next = "told"

[flow.{name}.applet.told]
applet = "passthru"
url = "{told}"
a = "{well}"
b = "{ill}"

[flow.{name}.applet.people]
applet = "connect"
numbers = ["09111100001"]
answered = "end"
no_answer = "end"

[flow.{name}.applet.end]
applet = "hangup"

"""

_BEFORE_AND_AFTER = """\
[flow.sales.applet.gate]
applet = "passthru"
url = "{gate}"
a = "bot"
b = "people"

[flow.sales.applet.switch]
applet = "switchcase"
cases = {{ people = "people", goodbye = "end" }}
otherwise = "people"

"""

_CALLED_BACK = """\
[flow.support.applet.sorry]
applet = "greeting"
seconds = 2
next = "end"

[flow.callback]
first = "bot"

[flow.callback.applet.bot]
applet = "voicebot"
url = "{bot}"
next = "told"

[flow.callback.applet.told]
applet = "passthru"
url = "{told}"
a = "end"
b = "end"

[flow.callback.applet.end]
applet = "hangup"

"""

_BOT = """\
[bot.{name}]
url = "{url}"
plays = "/bot?say=3"

"""

_CONFIG = """\
# Switchhook's configuration in the demo. docs/configuration.md explains every key.

[accounts.demo]
sid = "{sid}"
{account}
{accounts}# Support: its bot's address stands in the Voicebot applet itself.
[bots."Support bot"]
hosts = ["127.0.0.1"]
exophones = ["+918047112233"]
owner = "Priya"
contact = "priya@bots.example"

[endpoints.default]
account = "demo"

[endpoints.default.leads]
A = "the end of the call"
B = "a person"

# Support: whom no bot could take is promised a callback.
[endpoints.support]
secrets = ["{secret}"]
account = "demo"
rules = "support.toml"

[endpoints.support.leads]
A = "the end of the call"
B = "a promise to call back"

{pools}[exophones."+918047112233"]
name = "Support line"

[exophones."+918047112244"]
name = "Bookings · बुकिंग"

[exophones."+918047112255"]
name = "Sales line"
{exophones}"""

_POOLS = """\
# Bookings: the applet asks where its bot is, so that a person can send its calls elsewhere.
[bots."Bookings bot"]
exophones = ["+918047112244"]
owner = "Arjun"
contact = "arjun@bots.example"

[bots."Bookings bot".members.bookings]
url = "{bookings}"
allow_private = true

[bots."Bookings reserve".members.reserve]
url = "{reserve}"
allow_private = true

[endpoints.bookings-in]
secrets = ["{secret}"]
kind = "voicebot"
account = "demo"
pool = "Bookings bot"

# Sales: two vendors take its calls. One that fails is left out, and tried again.
[bots.sales]
exophones = ["+918047112255"]
owner = "Meera"
contact = "meera@bots.example"

[bots.sales.breaker]
enabled = true
cool_down_s = 15

[bots.sales.members.vendor-a]
url = "{vendor_a}"
weight = 60
allow_private = true

[bots.sales.members.vendor-b]
url = "{vendor_b}"
weight = 40
allow_private = true

# Before the stream: is there room? And which vendor?
[endpoints.sales-gate]
secrets = ["{secret}"]
kind = "admit"
account = "demo"
safe_option = "A"                 # where nothing is known of the line, a bot is better than nobody

[endpoints.sales-gate.leads]
A = "a bot"
B = "a person"

[endpoints.sales-in]
secrets = ["{secret}"]
kind = "voicebot"
account = "demo"
pool = "sales"

# After it: where to, by a keyword.
[endpoints.sales]
secrets = ["{secret}"]
account = "demo"
rules = "sales.toml"

[endpoints.sales.selects]
people = "a person"
goodbye = "the end of the call"

"""

_RULES = """\
[[rule]]
name = "bot trouble: people"
when = 'stream.cause in ["throttled", "connect_failed", "bot_dropped", "unknown"]'
option = "A"
select = "people"

[default]
option = "A"
select = "goodbye"
"""

_PROMISES = """\
[[rule]]
name = "bot trouble: a promise"
when = 'stream.cause in ["throttled", "connect_failed", "bot_dropped"]'
option = "B"
promise = true
reason = "no bot had time"
class = "support"

[default]
option = "A"
"""

_NOT_YET = "poll = false\n"
_ACCOUNT = """\
url = {url}
key_file = "key.txt"
token_file = "token.txt"
quiet_s = 2
busy_s = 1
rate_per_minute = 180
call_details = true

# Once dialling is allowed. By day and night, and soon: nobody waits for an hour in a demo.
[accounts.demo.callbacks]
exophone = "+918047112233"
flow = "callback"
hours = "0:00-24:00"
delay_s = 5
within_s = 1800
gap_s = 30
ring_s = 10
longest_s = 60
reserve = 1
"""


def plan(bot: str, bots: dict[str, str], urls: dict[str, str]) -> str:
    """Three numbers: a bot of its own, a pool of one that dies for a while, and a pool of two.

    Callers of the first whom it fails are called back, into a flow without a number.

    `bot` is the emulator's own, `bots` the others, `urls` those of Switchhook's endpoints.
    """
    ends = {"after_hello": "bot", "told": urls["default"], "well": "end", "account": ACCOUNT}
    ends["ill"] = "people"
    support = ends | {"told": urls["support"], "ill": "sorry", "bot": f"{bot}?say=3"}
    flows = _FLOW.format(name="support", number=SUPPORT, **support)
    flows += _CALLED_BACK.format(bot=support["bot"], told=urls["support"])
    flows += _FLOW.format(name="bookings", number=BOOKINGS, bot=urls["bookings-in"], **ends)
    sales = {"after_hello": "gate", "told": urls["sales"], "well": "switch"}
    flows += _FLOW.format(name="sales", number=SALES, bot=urls["sales-in"], **(ends | sales))
    flows += _BEFORE_AND_AFTER.format(gate=urls["sales-gate"])
    return _PLAN.format(
        account=ACCOUNT,
        key=KEY,
        token=TOKEN,
        streams=STREAMS,
        flows=flows,
        bots="".join(
            _BOT.format(name=name, url=url) for name, url in bots.items() if name not in survey.BOTS
        ),
        after_s=DIES_AFTER_S,
        for_s=DEAD_FOR_S,
        a_after_s=A_DIES_AFTER_S,
        a_for_s=A_DEAD_FOR_S,
        every_s=DIES_EVERY_S,
        support=SUPPORT,
        rush=RUSH,
        rush_after_s=RUSH_AFTER_S,
    )


def _pools(bots: dict[str, str]) -> str:
    named = {name.replace("-", "_"): url for name, url in bots.items() if name not in survey.BOTS}
    return _POOLS.format(secret=SECRET, **named)


def _config(bots: dict[str, str], account: str, *, whole: bool) -> str:
    """The configuration; the survey is in it where its bots are among those of `bots`."""
    surveyed = {name: bots[name] for name in survey.BOTS if name in bots}
    pools = _pools(bots) if whole else ""
    if whole and surveyed:
        pools += survey.pools(surveyed, SECRET)
    return _CONFIG.format(
        sid=ACCOUNT,
        account=account,
        secret=SECRET,
        accounts=survey.ACCOUNTS.format(sid=survey.ACCOUNT) if surveyed else "",
        pools=pools,
        exophones=survey.EXOPHONE if surveyed else "",
    )


def urls_of(default: str) -> dict[str, str]:
    """Where Exotel asks each endpoint, by its name, from the URL of `default`."""
    base = default.partition("/passthru/")[0]
    asked = dict.fromkeys(("bookings-in", "sales-in", "survey-in"), "voicebot")
    others = {
        name: f"{base}/{asked.get(name, 'passthru')}/{name}/{SECRET}"
        for name in (
            "support",
            "bookings-in",
            "sales-gate",
            "sales-in",
            "sales",
            "survey-in",
            "survey",
        )
    }
    return {"default": default, **others}


def write_config(folder: Path, bots: dict[str, str], *, whole: bool) -> Path:
    """The configuration before Exotel is there to be asked for figures.

    Pools are in it only where it is `whole`: their bots are played by that Exotel, and the console
    would find all of them dead.
    """
    path = folder / "switchhook.toml"
    path.touch(mode=0o600)
    path.write_text(_config(bots, _NOT_YET, whole=whole))
    (folder / "sales.toml").write_text(_RULES)
    (folder / "support.toml").write_text(_PROMISES)
    survey.write_rules(folder)
    return path


def add_account(folder: Path, bots: dict[str, str], ready: Path) -> None:
    """Have Switchhook watch the account of the demo's Exotel, and its pools; it takes that over."""
    told = json.loads(ready.read_text())
    for name, secret in (("key", KEY), ("token", TOKEN)):
        path = folder / f"{name}.txt"
        path.touch(mode=0o600)
        path.write_text(secret)
    said = _ACCOUNT.format(url=json.dumps(told["url"]))
    (folder / "switchhook.toml").write_text(_config(bots, said, whole=True))

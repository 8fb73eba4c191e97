"""The files of the demo: what the Exotel of its own plays, and how Switchhook is set up for it."""

from __future__ import annotations

import json
from pathlib import Path

SUPPORT, BOOKINGS = "08047112233", "08047112244"
STREAMS = 9
"""How many streams the demo's account may have at once: few enough to be seen to run out."""

DIES_AFTER_S, DEAD_FOR_S, DIES_EVERY_S = 20, 75, 240
"""When the bot of the bookings dies, comes back, and dies again, in seconds."""

_PLAN = """\
voice = ""

[account.exotelt]
streams = {streams}

[number.{support}]
account = "exotelt"
flow = "support"

[number.{bookings}]
account = "exotelt"
flow = "bookings"

{flows}
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
what = "bot-refused"
flow = "bookings"
after_s = {after_s}
for_s = {for_s}
every_s = {every_s}

[arrivals]
per_minute = 40
"""

_FLOW = """\
[flow.{name}]
first = "hello"

[flow.{name}.applet.hello]
applet = "greeting"
seconds = 2
next = "bot"

[flow.{name}.applet.bot]
applet = "voicebot"
url = "{bot}"
record = true
next = "told"

[flow.{name}.applet.told]
applet = "passthru"
url = "{passthru}"
a = "end"
b = "people"

[flow.{name}.applet.people]
applet = "connect"
numbers = ["09111100001"]
answered = "end"
no_answer = "end"

[flow.{name}.applet.end]
applet = "hangup"

"""

_CONFIG = """\
# Switchhook's configuration in the demo. docs/configuration.md explains every key.

[endpoints.default.leads]
A = "the end of the call"
B = "a person"

[bots."Support bot"]
hosts = ["127.0.0.1"]
exophones = ["+918047112233"]
owner = "Priya"
contact = "priya@bots.example"

[bots."Bookings bot"]
hosts = ["localhost"]
exophones = ["+918047112244"]
owner = "Arjun"
contact = "arjun@bots.example"

[exophones."+918047112233"]
name = "Support line"

[exophones."+918047112244"]
name = "Bookings · बुकिंग"
"""

_ACCOUNT = """
[accounts.demo]
sid = {sid}
url = {url}
key_file = "key.txt"
token_file = "token.txt"
quiet_s = 2
busy_s = 1
rate_per_minute = 120
call_details = true
"""


def plan(bot: str, passthru: str) -> str:
    """Two numbers, each with a bot of its own; the second one's dies for a while."""
    flows = _FLOW.format(name="support", bot=f"{bot}?say=3", passthru=passthru)
    # A host of its own, by which the console tells the two apart.
    other = bot.replace("127.0.0.1", "localhost")
    flows += _FLOW.format(name="bookings", bot=f"{other}?say=3", passthru=passthru)
    return _PLAN.format(
        streams=STREAMS,
        support=SUPPORT,
        bookings=BOOKINGS,
        flows=flows,
        after_s=DIES_AFTER_S,
        for_s=DEAD_FOR_S,
        every_s=DIES_EVERY_S,
    )


def write_config(folder: Path) -> Path:
    """The configuration before the account is known."""
    path = folder / "switchhook.toml"
    path.write_text(_CONFIG)
    return path


def add_account(folder: Path, ready: Path) -> None:
    """Have Switchhook watch the account that the demo's Exotel has made; it takes that over."""
    told = json.loads(ready.read_text())
    (sid, account), *_ = told["accounts"].items()
    for name in ("key", "token"):
        path = folder / f"{name}.txt"
        path.touch(mode=0o600)
        path.write_text(account[name])
    said = _ACCOUNT.format(sid=json.dumps(sid), url=json.dumps(told["url"]))
    (folder / "switchhook.toml").write_text(_CONFIG + said)

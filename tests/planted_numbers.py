"""242 telephone numbers planted in all that comes in, in many spellings; and a look for them.

`plant` sends them to a running program, `paths_of` names every address of a console by its own
table of routes, `leaks` says which numbers can be read in something. For `make attack` too.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

from program import Program, http
from switchhook.config.live import SettingsKeeper
from switchhook.server.console_parts import ConsoleSide
from switchhook.server.keeping import one_machine
from switchhook.system.data_folder import DataFolder

STATUS, HEARTBEAT = "dddd-secret-of-status-1", "eeee-secret-of-heartbeat"
CONFIG = """
[console]
users = true
[accounts.main]
sid = "acme1"
poll = false
status_secret_files = ["status.secret"]
heartbeat_secret_files = ["heartbeat.secret"]
[accounts.calling]
sid = "acme2"
url = "http://127.0.0.1:9"
key_file = "key"
token_file = "token"
[accounts.calling.callbacks]
exophone = "+918047112233"
flow = "4711"
[endpoints.default]
[endpoints.gate]
kind = "admit"
account = "main"
secrets = ["ffff-secret-before-streams"]
[endpoints.sales-in]
kind = "voicebot"
pool = "sales"
secrets = ["ffff-secret-before-streams"]
[bots.sales]
sticky = true
[bots.sales.members.vendor-a]
url = "wss://a.example/stream"
[bots.sales.members.vendor-b]
url = "wss://b.example/stream"
"""
BEFORE = "ffff-secret-before-streams"
ENOUGH = 7
"""Digits in a row that are too many."""
MANY = 242
CALL_SID = "5f2ac1d09be47d10c6ab8{number:07x}197d"
"""Of the form that Exotel's have, without seven digits in a row that are a number's."""


def write_config(folder: Path) -> Path:
    """The configuration that `plant` needs, with its secrets."""
    for name in ("key", "token"):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(name * 8)
    (folder / "status.secret").write_text(STATUS)
    (folder / "heartbeat.secret").write_text(HEARTBEAT)
    config = folder / "switchhook.toml"
    config.write_text(CONFIG)
    return config


def number_of(at: int) -> str:
    """Ten digits of their own; the same seven come first, so that few others look like one."""
    return f"9869869{at:03d}"


def _in_script(zero: int) -> Callable[[str], str]:
    return lambda digits: "".join(chr(zero + int(c)) for c in digits)


def _between(sign: str) -> Callable[[str], str]:
    return lambda digits: f"{digits[:2]}{sign}{digits[2:5]}{sign}{digits[5:]}"


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _json(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "plus": lambda digits: f"+91{digits}",
    "zero": lambda digits: f"0{digits}",
    "word before": lambda digits: f"cust{digits}",
    "word around": lambda digits: f"cust{digits}end",
    "sip": lambda digits: f"sip:+91{digits}@pbx.example;user=phone",
    "tel": lambda digits: f"<tel:{digits};ext=1>",
    "path": lambda digits: f"https://files.example/{digits}/audio.mp3?n={digits}",
    "user": lambda digits: f"wss://{digits}:x@bot.example/ws",
    "blank": _between(" "),
    "no-break space": _between("\u00a0"),
    "thin space": _between("\u2009"),
    "hyphen": _between("-"),
    "true hyphen": _between("\u2010"),
    "en dash": _between("\u2013"),
    "dot": _between("."),
    "slash": _between("/"),
    "underscore": _between("_"),
    "comma": _between(","),
    "brackets": lambda digits: f"({digits[:3]}) [{digits[3:6]}] {digits[6:]}",
    "zero width": _between("\u200b"),
    "joiner": _between("\u2060"),
    "each apart": " ".join,
    "percent": _percent,
    "percent twice": lambda digits: quote(_percent(digits), safe=""),
    "percent between": lambda digits: _between("%20")(digits),
    "json": _json,
    "json slashes": _between("\\/"),
    "json object": lambda digits: json.dumps({"n": [f"+91 {digits}"], digits: 1}),
    "html": lambda digits: "".join(f"&#{ord(c)};" for c in digits),
    "markup": lambda digits: f"<b>{digits[:5]}</b><i>{digits[5:]}</i>",
    "devanagari": _in_script(0x966),
    "arabic-indic": _in_script(0x660),
    "fullwidth": _in_script(0xFF10),
    "tamil": _in_script(0xBE6),
    "mathematical": _in_script(0x1D7CE),
}


class Planted(NamedTuple):
    """What was sent, by the number's ten digits."""

    numbers: dict[str, str]
    calls: list[str]


FIELDS = (
    "CallFrom", "CallTo", "From", "To", "CustomField", "DialWhomNumber", "digits", "ForwardedFrom",
    "RecordingUrl", "Direction", "CallType", "flow_id", "tenant_id", "CallStatus", "Created",
    "Stream[StreamUrl]", "Stream[Error]", "Stream[DetailedStatus]", "Stream[Status]",
    "Stream[DisconnectedBy]", "Stream[RecordingUrl]", "Stream[StreamSID]", "Legs[0][Number]",
    "any_name", "NAME",
)  # fmt: skip
"""Parameters of a passthru; of `NAME` the number is the name."""


def plant(program: Program) -> Planted:
    """Send `MANY` numbers by all that comes in, each in a spelling."""
    spellings, numbers, calls = list(SPELLINGS.items()), {}, []
    for at in range(MANY):
        digits = number_of(at)
        name, spell = spellings[at % len(spellings)]
        call = CALL_SID.format(number=at)
        where = _send(program, at, call, spell(digits))
        _send_before(program, at, call, spell(digits))
        numbers[digits] = f"{name} in {where}"
        calls.append(call)
    return Planted(numbers, calls)


def _send(program: Program, at: int, call: str, spelt: str) -> str:
    if at % 11 == 10:
        body = json.dumps(
            {"timestamp": "2026-11-25T10:00:00Z", "status_type": spelt, "data": spelt}
        )
        _post(program, f"/heartbeat/main/{HEARTBEAT}", body, "application/json")
        return "a heartbeat"
    if at % 11 == 9:
        program.ask(f"CallSid={call}&CallFrom=09000000001")
        fields = {"CallSid": call, "Status": "completed", "CustomField": spelt, "From": spelt}
        body = "&".join(f"{name}={quote_plus(text)}" for name, text in fields.items())
        _post(program, f"/status/main/{STATUS}", body, "application/x-www-form-urlencoded")
        return "a status callback"
    field = FIELDS[(at * 7) % len(FIELDS)]
    pair = f"{quote(spelt, safe='')}=x" if field == "NAME" else f"{quote(field)}={quote(spelt)}"
    stream = f"Stream[Status]=failed&Stream[StreamSID]={call[::-1]}&Stream[Error]=3009+refused"
    if "Status" in field or "StreamSID" in field or "Error" in field:
        stream = "Stream[Status]=failed" if "Status" not in field else "Stream[Duration]=3"
    program.ask(f"CallSid={call}&{stream}&{pair}", headers={"User-Agent": f"exotel {at}"})
    return field


def _send_before(program: Program, at: int, call: str, spelt: str) -> None:
    """The same number before the stream of its call, or by its bot."""
    if at % 3 == 0:
        said = {"call_sid": call, "stream_sid": spelt, "by": spelt, "error": spelt, "more": spelt}
        body = json.dumps({**said, "event": "error"})
        _post(program, f"/report/gate/{BEFORE}", body, "application/json")
        return
    fields = ("From", "To", "CustomField", "any_name")
    pairs = "&".join(f"{field}={quote(spelt)}" for field in fields)
    path = "/passthru/gate" if at % 3 == 1 else "/voicebot/sales-in"
    program.ask(f"CallSid={call}&Direction=incoming&{pairs}", f"{path}/{BEFORE}")


def _post(program: Program, path: str, body: str, kind: str) -> None:
    headers = {"Content-Type": kind}
    sent = body.encode()
    reply = http(
        program.address("answer"), path.encode(), method="POST", headers=headers, body=sent
    )
    assert reply.status == 200, reply


# Where to look.


def routes_of(folder: Path) -> list[tuple[str, frozenset[str]]]:
    """Every path of the console with its methods, by the table that it answers by."""
    config = write_config(folder)
    keeper = SettingsKeeper(folder / "routes", str(config), environ={})
    held = DataFolder.open(folder / "routes", "console")
    try:
        side = ConsoleSide(held, one_machine(held), keeper.start(), address="", answer_url=None)
        try:
            table: Any = side.routes
            return [(each.path, frozenset(each.methods or ())) for each in table]
        finally:
            side.journal.close()
            side.ledger.close()
    finally:
        held.close()


def paths_of(routes: Iterable[tuple[str, frozenset[str]]], ids: dict[str, list[str]]) -> set[str]:
    """The addresses that can be read: each route, with every value that `ids` has for its place.

    A place is named by its path and its name, without what the path takes there (`{number}`).

    Raises KeyError for a place that nobody knows values for: a new route must be told of.
    """
    paths: set[str] = set()
    for path, methods in routes:
        if "GET" not in methods and methods:
            continue
        plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
        places = re.findall(r"\{(\w+)\}", plain)
        for values in product(*(ids[f"{plain} {place}"] for place in places)):
            pieces = re.split(r"\{[^}]*\}", path)
            quoted = [quote(value, safe="") for value in values]
            paths.add("".join(map("".join, zip(pieces, [*quoted, ""], strict=True))))
    return paths


# Whether they are there.

_TIME = re.compile(
    r"(?:(?:19|20)\d\d-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:\.\d+)?|\b1[78]\d{8}(?:\d{6})?\b"
)
"""Times, and Unix times in seconds and microseconds, whose digits are a number's by chance."""


def readings(text: str) -> Iterator[str]:
    """What somebody could read there: unescaped again and again, with and without markup."""
    for _ in range(6):
        yield text
        yield re.sub(r"<[^<>]*>", "", text)
        before = text
        text = _unescaped(html.unescape(unquote(text)))
        if text == before:
            return


def _unescaped(text: str) -> str:
    whole = re.sub(
        r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}",
        lambda found: json.loads(f'"{found[0]}"'),
        text,
    )
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), whole).replace(
        "\\/", "/"
    )


def _ascii_digits(text: str) -> str:
    return "".join(c if c < "\x80" else str(unicodedata.digit(c, c)) for c in text)


def leaks(numbers: Iterable[str], seen: str) -> list[str]:
    """The numbers of which seven digits in a row can be read, whatever signs are between."""
    grams = {
        number[at : at + ENOUGH]: number
        for number in numbers
        for at in range(len(number) - ENOUGH, -1, -1)
    }
    found: dict[str, None] = {}
    for reading in readings(_TIME.sub("", seen)):
        for run in re.findall(r"\d(?:[\W_]{0,8}\d){6,}", _ascii_digits(reading)):
            digits = re.sub(r"[^0-9]", "", run)
            for at in range(len(digits) - ENOUGH + 1):
                if gram := grams.get(digits[at : at + ENOUGH]):
                    found[gram] = None
    return list(found)

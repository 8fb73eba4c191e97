"""The built-in bot: it answers a Voicebot applet with speech-like sounds, or misbehaves on demand.

It says something at once, and again whenever the caller has spoken and is silent; it stops when
the caller speaks over it (`clear`), beeps for each DTMF digit, and sends a `mark` after whatever
it says. Audio is what Exotel asks for (exotel-platform C.5): 16-bit little-endian PCM at the
stream's rate, in chunks of 200 ms (3,200 B at 8 kHz), at 0.9 of the time they play.

What it does is chosen by the path, then by the query, then by the custom parameters of `start`:

| Path | Stands for | What it does |
| --- | --- | --- |
| `/bot` | – | says three things, then closes with 1000 |
| `/bot/talk` | `then=wait` | speaks until the caller hangs up |
| `/bot/silent` | `say=0&then=wait` | accepts and never speaks |
| `/bot/crash` | `then=crash&after=2` | ends without a close frame (1006) |
| `/bot/error` | `code=1011&after=2` | closes with 1011 |
| `/bot/policy` | `code=1008&after=2` | closes with 1008 |
| `/bot/refuse` | `reject=401` | answers the handshake with 401 |
| `/bot/late` | `handshake=12` | accepts after 12 s, when Exotel has given up |
| `/bot/flaky` | `fail-first=1` | refuses the first handshake, accepts the second |

| Parameter | Value | What it is |
| --- | --- | --- |
| `say` | 0 to 10000 | how many things it says; without: 3, or no end with `after` or `then=wait` |
| `length` | 0.2 to 60 s | how long each of them is; without: 1.6 |
| `patience` | 0 to 3600 s | how long it waits for the caller's word before it goes on; without: 4 |
| `after` | 0 to 86400 s | from `start`: ends its talk then, whatever it is about |
| `then` | `close`, `crash`, `wait` | at the end: close, end without a close frame, keep silent |
| `code` | 1000 to 1003, 1007 to 1014, 3000 to 4999 | the code that it closes with; without: 1000 |
| `reject` | 400 to 599 | answers the handshake with this HTTP status |
| `fail-first` | 0 to 100 | refuses so many (503 or `reject`), takes the next, and so on |
| `key` | any text | what `fail-first` counts by; without: path and query |
| `handshake` | 0 to 3600 s | how long it takes to answer the handshake |
| `breach` | see below | breaks one rule for bots, the others not |
| `sample-rate` | any | passed over: Exotel says the rate in `start` |

`say=0` never ends by itself. `reject`, `fail-first`, `key`, `handshake` can't be said in `start`.

| `breach` | In everything it says |
| --- | --- |
| `oversize` | chunks of 100,480 B, over the most of 100,000 |
| `tiny` | chunks of 320 B, under the least of 3,200 |
| `ragged` | chunks of 3,300 B, not a multiple of 320 |
| `odd` | chunks of 3,201 B: half a sample over |
| `burst` | 30 s of audio at once (the first thing; what follows is paced) |
| `bad-base64` | one chunk's payload isn't base64 |
| `wrong-stream-sid` | one chunk names a stream that isn't |
| `binary` | one chunk comes a second time, as a binary frame |
| `garbage` | one text frame isn't JSON |

An unknown name or value is refused with HTTP 400, or 1008 where it came in `start`; the text names
it. A message that can't be read is answered with 1007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Violation = Literal[
    "oversize",
    "tiny",
    "ragged",
    "odd",
    "burst",
    "bad-base64",
    "wrong-stream-sid",
    "binary",
    "garbage",
]

_Count = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
_Wait = Annotated[float, msgspec.Meta(ge=0, le=3600)]

_SENDABLE = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}  # RFC 6455, 7.4


class BotScript(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"
):
    """What the bot does in one connection; each field is a parameter of the module's table."""

    say: _Count | None = None
    length: Annotated[float, msgspec.Meta(ge=0.2, le=60)] = 1.6
    patience: _Wait = 4.0
    after: _Seconds | None = None
    then: Literal["close", "crash", "wait"] = "close"
    code: int = 1000

    reject: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    fail_first: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    key: str = ""
    handshake: _Wait = 0.0

    breach: Violation | None = None

    def __post_init__(self) -> None:
        if self.code not in _SENDABLE:
            raise ValueError(f"code: {self.code} can't be sent in a close frame (RFC 6455, 7.4)")

    @property
    def turns(self) -> int | None:
        """How many things it says; None for as many as there is time for."""
        if self.say is None and self.after is None and self.then != "wait":
            return 3
        return self.say

    @property
    def at_handshake(self) -> tuple[object, ...]:
        """What is decided before `start` comes, in the order of `AT_HANDSHAKE`."""
        return self.reject, self.fail_first, self.key, self.handshake


class ScriptRefusal(msgspec.Struct, frozen=True):
    """Why a connection isn't taken, and the HTTP status that says so."""

    status: int
    text: str


NAMED: dict[str, dict[str, str]] = {
    "talk": {"then": "wait"},
    "silent": {"say": "0", "then": "wait"},
    "crash": {"then": "crash", "after": "2"},
    "error": {"code": "1011", "after": "2"},
    "policy": {"code": "1008", "after": "2"},
    "refuse": {"reject": "401"},
    "late": {"handshake": "12"},
    "flaky": {"fail-first": "1"},
}
"""The scripts that have a path of their own, `/bot/NAME`, in the words of a query."""

_PARAMETERS = tuple(field.encode_name for field in msgspec.structs.fields(BotScript))
AT_HANDSHAKE = ("reject", "fail-first", "key", "handshake")
_EXOTELS_OWN = {"sample-rate"}


def read_script(
    path: str, parameters: Mapping[str, str], default: BotScript | None = None
) -> BotScript | ScriptRefusal:
    """What a bot dialled at this path, with these parameters, is to do.

    >>> read_script("/bot", {"say": "1", "code": "4400"}).code
    4400
    """
    root, _, name = path.strip("/").partition("/")
    if root not in {"", "bot"} or (name and name not in NAMED):
        known = ", ".join(["/bot", *(f"/bot/{each}" for each in NAMED)])
        return ScriptRefusal(404, f"no bot at {path}; there are {known}")
    said = {key: value for key, value in parameters.items() if key not in _EXOTELS_OWN}
    for key in said:
        if key not in _PARAMETERS:
            return ScriptRefusal(400, f"{key}: unknown; a bot knows {', '.join(_PARAMETERS)}")
    try:
        return msgspec.convert(
            msgspec.to_builtins(default or BotScript()) | NAMED.get(name, {}) | said,
            BotScript,
            strict=False,
        )
    except msgspec.ValidationError as error:
        return ScriptRefusal(400, str(error))


def script_of(address: str) -> BotScript | ScriptRefusal:
    """The same of a path with its query, `/bot?say=3` or `/bot/talk`."""
    parts = urlsplit(address)
    return read_script(parts.path, dict(parse_qsl(parts.query)))

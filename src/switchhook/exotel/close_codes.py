"""Close codes of a WebSocket: which one a text names, what it means, and which side closed.

RFC 6455, section 7.4, and IANA's registry of WebSocket close codes (exotel-platform C.9). A code
stands in a close frame, which only an open connection has; so whoever was told a code had been
connected. Three codes are in no frame: 1005 and 1006 are made up by the side that is left, and 1015
by one that never got there.
"""

from __future__ import annotations

import re

import msgspec

NORMAL = 1000
NO_TLS = 1015
"""The handshake of TLS failed: the one code that says that no connection stood."""
BROKEN = 1006
"""No close frame at all. Some libraries say so, too, of a connection that never stood."""


class CloseCode(msgspec.Struct, frozen=True):
    """What a code means, who closed as far as it tells, and what to do.

    `fails` is whether it says that something went wrong, and not only that it is over.
    """

    meaning: str
    who: str
    todo: str
    fails: bool = True


_BY_ANY = "either side may have closed"
_BY_RECEIVER = "the side that was sent it closed"
_BY_BOT = "the bot's side closed"
_BY_NOBODY = "neither side closed it"

_PROTOCOL_TODO = "bring the bot's WebSocket library up to date, and look at proxies between"

CLOSE_CODES: dict[int, CloseCode] = {
    NORMAL: CloseCode("normal closure", _BY_ANY, "nothing to do", fails=False),
    1001: CloseCode(
        "going away",
        "the side that goes away closed, a server that is stopped or replaced as a rule",
        "let the bot finish its talks before it is stopped or deployed anew",
        fails=False,
    ),
    1002: CloseCode(
        "protocol error",
        "the side closed that could not read the other's frames",
        _PROTOCOL_TODO,
    ),
    1003: CloseCode(
        "unsupported data",
        _BY_RECEIVER,
        "send and take text frames with JSON only, as Exotel's protocol has it",
    ),
    1004: CloseCode("a code that is reserved", _BY_ANY, _PROTOCOL_TODO),
    1005: CloseCode(
        "no code in the close frame",
        "a side closed in order, without saying why",
        "let the bot close with 1000 when it is done, and with a code of its own when it fails",
        fails=False,
    ),
    BROKEN: CloseCode(
        "no close frame",
        _BY_NOBODY,
        "look in the bot's log for a crash at that time, and at idle limits of proxies between",
    ),
    1007: CloseCode(
        "data that does not fit its type, such as text that is not UTF-8",
        _BY_RECEIVER,
        "send text frames in UTF-8, with JSON in them",
    ),
    1008: CloseCode(
        "policy violation",
        "the side closed that refuses, the bot as a rule",
        "check the credentials in the bot's URL, and whom it lets in",
    ),
    1009: CloseCode(
        "message too big",
        _BY_RECEIVER,
        "send audio in smaller messages: 100,000 bytes are the most that Exotel documents",
    ),
    1010: CloseCode(
        "an extension is missing",
        "the client closed, which is Exotel",
        "let the bot's server agree to the extension that the close reason names",
    ),
    1011: CloseCode(
        "internal error", "the bot's side closed, by an error of its own", "look in the bot's log"
    ),
    1012: CloseCode(
        "service restart", _BY_BOT, "let the bot finish its talks before it is restarted"
    ),
    1013: CloseCode(
        "try again later", _BY_BOT, "the bot is overloaded: give it more instances, or fewer calls"
    ),
    1014: CloseCode(
        "bad gateway",
        "a proxy before the bot closed",
        "look in the proxy's log: it had no good answer from the bot behind it",
    ),
    NO_TLS: CloseCode(
        "TLS handshake failed", _BY_NOBODY, "check the bot's certificate, and the TLS it speaks"
    ),
    3000: CloseCode("unauthorized", _BY_BOT, "check the credentials in the bot's URL"),
    3003: CloseCode("forbidden", _BY_BOT, "check whom the bot lets in"),
    3008: CloseCode("timeout", _BY_BOT, "look in the bot's log for what it waited for"),
}
_OF_LIBRARY = CloseCode(
    "a code of a library or framework",
    "the side that uses it closed, the bot as a rule",
    "look the code up in the documentation of the bot's WebSocket library",
    fails=False,
)
_OF_BOT = CloseCode(
    "a code of the bot's own",
    "the bot's program closed on purpose",
    "look the code up in the bot's source, and in its log at that time",
    fails=False,
)


def meaning_of(code: int) -> CloseCode:
    """What a code from `close_code` means."""
    known = CLOSE_CODES.get(code)
    if known is not None:
        return known
    return _OF_LIBRARY if code < _PRIVATE else _OF_BOT


_PRIVATE = 4000
_ANY = r"(10(?:0[0-9]|1[0-5])|[34][0-9]{3})(?![0-9])(?!\.[0-9])(?!\s?(?:ms|s|bytes|hz)\b)"
_UNDOUBTED = r"(10(?:0[0-9]|1[0-5])|4[0-9]{3})(?![0-9])(?!\.[0-9])(?!\s?(?:ms|s|bytes|hz)\b)"
_NAMES = {
    "normalclosure": 1000,
    "goingaway": 1001,
    "protocolerror": 1002,
    "unsupporteddata": 1003,
    "nostatusrcvd": 1005,
    "abnormalclosure": 1006,
    "invalidframepayloaddata": 1007,
    "policyviolation": 1008,
    "messagetoobig": 1009,
    "mandatoryextension": 1010,
    "internalerror": 1011,
    "servicerestart": 1012,
    "tryagainlater": 1013,
    "badgateway": 1014,
    "tlshandshake": NO_TLS,
}
"""As coder/websocket spells them: `status = StatusGoingAway`."""
_BETWEEN = (
    r"(?:[\W_]|frame|with|code|status|reason|connection|websocket|ws|by|from|the|was|is|a|"
    r"peer|remote|server|client|bot|received|sent|abnormally|uncleanly|unexpectedly|error){0,30}?"
)
_SAID = tuple(
    re.compile(pattern)
    for pattern in (
        # gorilla "websocket: close 1006 (…)", gobwas "ws closed: 1006", JavaScript's "closeCode":
        # 1006, Spring CloseStatus[code=1006], "disconnected with code 4001", ws_close_1011
        rf"(?:clos(?:e|ed|es|ing|ure)|disconnect(?:ed|ion)?){_BETWEEN}(?<![0-9.]){_ANY}",
        # Python's websockets: "received 1011 (internal error); then sent 1011 …"
        rf"\b(?:received|sent) {_ANY} \(",
        # {"code": 1006}, code=4001, "status code 1011"
        rf"(?<![a-z])(?<!exit )(?:status[ _]?)?code[\W_]{{0,6}}(?<![0-9.]){_UNDOUBTED}",
        rf"\bstatuscode\({_ANY}\)",
        # Alone, or first as Exotel's own codes are; of those is 3009, so no other 3xxx is taken.
        # OpenSSL begins with a number of its process: "4027:error:1408F09C:…".
        rf"\A\s*{_UNDOUBTED}(?!\.?\w|[-/:][0-9]|:error:)",
    )
)
_STATUS_NAME = re.compile(r"\bstatus = status([a-z]+)\b")


def close_code(text: str) -> int | None:
    """The close code that a text names in words of its own, in lower case; None where it doesn't.

    A number alone is none: it may be a port, a line, a length. Of several the first counts, which
    is the one that came first.
    """
    named = _STATUS_NAME.search(text)
    if named is not None and named[1] in _NAMES:
        return _NAMES[named[1]]
    found = [match for pattern in _SAID if (match := pattern.search(text)) is not None]
    first = min(found, key=lambda match: match.start(1), default=None)
    return None if first is None else int(first[1])

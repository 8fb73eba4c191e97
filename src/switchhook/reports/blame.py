"""Whose it was that a stream went wrong, and how sure that is: by what Exotel said of it.

Three words of certainty, and no fourth: *said* is Exotel's own word, *concluded* is ours from what
it said, *open* is that it says that something failed and not where.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.close_codes import BROKEN, NO_TLS, meaning_of
from switchhook.exotel.stream_error import ErrorKind

if TYPE_CHECKING:
    from switchhook.exotel.cause import Verdict


class Whose(StrEnum):
    """Whose fault, or whose doing, the end of a stream was."""

    BOT = "bot"
    BOT_OR_WAY = "bot or the way to it"
    LIMIT = "the account's limit"
    CALLER = "caller"
    CALLER_EARLY = "caller, before the bot spoke"
    SYSTEM = "Exotel, or a limit on the length of calls"
    NOBODY = "nobody: it went well"
    NOT_TOLD = "not told"


class Certainty(StrEnum):
    """How sure a claim is."""

    SAID = "said"
    CONCLUDED = "concluded"
    OPEN = "open"


MEANING = {
    Certainty.SAID: "Exotel says so in its request, whose words stand beside it.",
    Certainty.CONCLUDED: "Exotel does not say it; it follows from what it does say.",
    Certainty.OPEN: "Exotel says that something failed, and not where: it may be the bot, its name,"
    " its network, or what lies between.",
}


class Blame(msgspec.Struct, frozen=True, order=True):
    """Whose it was, how sure, and why in a sentence."""

    whose: Whose
    certainty: Certainty
    why: str


_SAID, _CONCLUDED, _OPEN = Certainty.SAID, Certainty.CONCLUDED, Certainty.OPEN

_CONNECT = {
    ErrorKind.REFUSED: (Whose.BOT, _SAID, "The bot's address refused the connection."),
    ErrorKind.TLS: (Whose.BOT, _SAID, "TLS with the bot's address failed."),
    ErrorKind.BAD_HANDSHAKE: (
        Whose.BOT_OR_WAY,
        _CONCLUDED,
        "What answered at the bot's address refused the WebSocket: path or credentials of the URL"
        " may be wrong on either side.",
    ),
    ErrorKind.DEADLINE: (Whose.BOT, _SAID, "The bot did not accept within Exotel's time."),
    ErrorKind.TLS_TO_PLAIN: (
        Whose.BOT_OR_WAY,
        _CONCLUDED,
        "The port speaks no TLS: either it lacks it, or the URL names another port.",
    ),
    ErrorKind.PLAIN_TO_TLS: (
        Whose.BOT_OR_WAY,
        _CONCLUDED,
        "The port speaks TLS, and the URL has ws://: whoever gave the URL has to mend it.",
    ),
    ErrorKind.TIMEOUT: (Whose.BOT_OR_WAY, _OPEN, "Nothing answered at the bot's address in time."),
    ErrorKind.UNREACHABLE: (Whose.BOT_OR_WAY, _OPEN, "There was no route to the bot's address."),
    ErrorKind.DNS: (Whose.BOT_OR_WAY, _OPEN, "The bot's name could not be looked up."),
}
_OTHERS = {
    Cause.THROTTLED: (
        Whose.LIMIT,
        _SAID,
        "The account had no free stream, so the bot was never asked.",
    ),
    Cause.CALLER_LEFT_EARLY: (
        Whose.CALLER_EARLY,
        _CONCLUDED,
        "Exotel says that the caller hung up while the stream was being set up: before the bot's"
        " first sound. Whether that took too long is not told.",
    ),
    Cause.CALLER_LEFT: (Whose.CALLER, _SAID, "The caller ended the talk."),
    Cause.BOT_DONE: (Whose.NOBODY, _SAID, "The bot ended the talk in order."),
    Cause.ENDED_BY_SYSTEM: (Whose.SYSTEM, _SAID, "Neither caller nor bot ended the talk."),
    Cause.RUNNING: (Whose.NOT_TOLD, _OPEN, "Its end has not been told."),
}


def blame(verdict: Verdict) -> Blame:
    """Whose the end of a stream was, by our verdict on it."""
    cause, error = verdict.cause, verdict.error
    if cause in _OTHERS:
        return Blame(*_OTHERS[cause])
    if cause is Cause.CONNECT_FAILED:
        known = _CONNECT.get(error.kind) if error is not None else None
        if known is not None:
            return Blame(*known)
        why = "The connection failed before it stood; Exotel does not say why."
        return Blame(Whose.BOT_OR_WAY, _OPEN, why)
    if cause is Cause.BOT_DROPPED:
        code = None if error is None else error.close_code
        if code is not None and code not in (BROKEN, NO_TLS):
            meant = meaning_of(code)
            why = f"The connection stood, and was closed with code {code}, {meant.meaning}:"
            sure = _SAID if "bot" in meant.who else _CONCLUDED
            return Blame(Whose.BOT, sure, f"{why} {meant.who}.")
        if error is None:
            why = "Exotel calls the stream failed after it had lasted: the connection had stood."
            return Blame(Whose.BOT_OR_WAY, _CONCLUDED, why)
        why = "The connection stood, and broke without a close: a crash, a restart, or the network."
        return Blame(Whose.BOT_OR_WAY, _OPEN, why)
    return Blame(Whose.NOT_TOLD, _OPEN, "Exotel's words for its end are none that are known.")


_LEAD = {
    Whose.BOT: "The bot's",
    Whose.BOT_OR_WAY: "The bot's, or of the way to it",
    Whose.CALLER_EARLY: "Perhaps the bot's, if it takes long to speak",
    Whose.SYSTEM: f"Not known to be the bot's: {Whose.SYSTEM}",
    Whose.NOT_TOLD: "Not known to be the bot's",
}


def lead(found: Blame) -> str:
    """What stands first where somebody asks whether it was the bot."""
    return _LEAD.get(found.whose, f"Not the bot's: {found.whose}")


OF_THE_BOT = frozenset({Whose.BOT, Whose.BOT_OR_WAY})

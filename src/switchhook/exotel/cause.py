"""Our verdict on how a stream ended: the classes of exotel-platform G.1, first match wins.

`Error` outranks `Status` (exotel-platform B.2): what Exotel says of the connection is believed over
what it says of the outcome.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

import msgspec

from switchhook.exotel.close_codes import NO_TLS, NORMAL, meaning_of
from switchhook.exotel.connect_advice import closed_advice, connect_advice
from switchhook.exotel.passthru import (
    DisconnectedBy,
    Passthru,
    Stream,
    StreamStatus,
    is_status,
)
from switchhook.exotel.stream_error import (
    CONNECT_FAILED_CODE,
    ErrorKind,
    StreamError,
    read_error,
)


class Cause(StrEnum):
    """How a stream ended, or why there is none."""

    THROTTLED = "throttled"
    CONNECT_FAILED = "connect_failed"
    BOT_DROPPED = "bot_dropped"
    CALLER_LEFT_EARLY = "caller_left_early"
    CALLER_LEFT = "caller_left"
    BOT_DONE = "bot_done"
    ENDED_BY_SYSTEM = "ended_by_system"
    RUNNING = "running"
    NO_STREAM = "no_stream"
    UNKNOWN = "unknown"


class Verdict(msgspec.Struct, frozen=True):
    """The cause, the texts it rests on, and one sentence an operator can act on.

    `evidence` is pairs of field and text, the ones that decided.
    """

    cause: Cause
    evidence: tuple[tuple[str, str], ...]
    advice: str
    error: StreamError | None = None

    @property
    def kind(self) -> ErrorKind | None:
        """What went wrong on the way to the bot; None where nothing did."""
        return None if self.error is None else self.error.kind


_Names = tuple[str, ...]
"""Of the stream's fields that a cause rests on, as pages have them."""

# To look for a member at its class takes ten times as long, and here a caller waits.
_FAILED, _CANCELLED, _COMPLETED = (
    StreamStatus.FAILED,
    StreamStatus.CANCELLED,
    StreamStatus.COMPLETED,
)
_RUNNING, _UNKNOWN, _THROTTLED = Cause.RUNNING, Cause.UNKNOWN, Cause.THROTTLED
_FIELD_OF = {"duration": "duration_raw", "disconnected_by": "disconnected_by_raw"}
_URL_HOST = re.compile(r"wss?://(?:[^/?#\s]*@)?([^/?#@\s]{1,260})", re.IGNORECASE)


def judge(passthru: Passthru) -> Verdict:
    """Give the verdict on a passthru's stream, with the texts it rests on and what to do."""
    stream = passthru.stream
    if stream is None:
        return Verdict(Cause.NO_STREAM, (), _NO_STREAM_ADVICE)
    told = told_of(stream)
    cause, names = _judge(passthru, stream, told)
    texts = [(name, getattr(stream, _FIELD_OF.get(name, name))) for name in names]
    evidence = tuple((f"stream.{name}", text) for name, text in texts if text is not None)
    return Verdict(cause, evidence, _advice(cause, stream, told), told and told.error)


def classify(passthru: Passthru) -> Verdict:
    """Give the verdict without its words, for whom a caller waits and who counts many."""
    stream = passthru.stream
    if stream is None:
        return _WORDLESS[Cause.NO_STREAM]
    told = told_of(stream)
    cause, _ = _judge(passthru, stream, told)
    return _WORDLESS[cause] if told is None else Verdict(cause, (), "", told.error)


_WORDLESS = {cause: Verdict(cause, (), "") for cause in Cause}


class ToldError(NamedTuple):
    """What a stream met, the field of it that says so, and its text."""

    error: StreamError
    field: str
    text: str


def told_of(stream: Stream) -> ToldError | None:
    """What a stream met by its Error, or where that tells nothing by its other words."""
    if not (stream.error or stream.detailed_status or stream.disposition):
        return None
    first = None
    if stream.error:
        first = ToldError(read_error(stream.error), "error", stream.error)
        if first.error.kind is not ErrorKind.OTHER or first.error.code == CONNECT_FAILED_CODE:
            return first
    code = None if first is None else first.error.code
    for name, text in (
        ("detailed_status", stream.detailed_status),
        ("disposition", stream.disposition),
    ):
        if text and _tells(text, found := read_error(text)):
            return ToldError(msgspec.structs.replace(found, code=code), name, text)
    return first


def _tells(text: str, error: StreamError) -> bool:
    """Whether a text other than Error's speaks of the connection beyond doubt.

    A single word does not: `Streaming_call_timeout` may be of the caller's call.
    """
    if error.close_code is not None:
        return True
    sure = error.kind in _SURE or (error.host is not None and error.kind is not ErrorKind.OTHER)
    return " " in text and (sure or error.code == CONNECT_FAILED_CODE)


_SURE = frozenset(
    {
        ErrorKind.REFUSED,
        ErrorKind.DNS,
        ErrorKind.TLS,
        ErrorKind.TLS_TO_PLAIN,
        ErrorKind.PLAIN_TO_TLS,
        ErrorKind.UNREACHABLE,
    }
)


def _judge(passthru: Passthru, stream: Stream, told: ToldError | None) -> tuple[Cause, _Names]:
    cause, names = _cause_of(stream, told)
    if cause is _RUNNING and any(defect.field == "stream" for defect in passthru.noted):
        cause = _UNKNOWN  # what was cut off may have been the status
    return cause, names


def _cause_of(stream: Stream, told: ToldError | None) -> tuple[Cause, _Names]:
    if says_throttled(stream.detailed_status):
        return _THROTTLED, ("detailed_status", "status")
    if says_throttled(stream.error):
        return _THROTTLED, ("error", "status")
    if stream.detailed_status and _unknown_word(stream, stream.detailed_status, told):
        return _UNKNOWN, ("detailed_status", "status", "error")
    if told is not None:
        return _cause_of_error(stream, told.error), (told.field, "status", "duration")
    state = stream.state
    if state is _COMPLETED:
        return _ENDED_BY[stream.disconnected_by], ("status", "disconnected_by")
    if state is _FAILED:
        dropped = _talked(stream)
        return Cause.BOT_DROPPED if dropped else Cause.CONNECT_FAILED, ("status", "duration")
    if state is _CANCELLED:
        return Cause.CALLER_LEFT_EARLY, ("status", "disconnected_by")
    if state is StreamStatus.IN_PROGRESS:
        return _RUNNING, ("status",)
    if state is None and stream.sid is not None:
        return _RUNNING, ("sid",)
    return _UNKNOWN, ("status", "detailed_status", "disconnected_by")


def says_throttled(text: str | None) -> bool:
    """Whether a text says that the account had no free stream, in whichever words."""
    return text is not None and "throttl" in text.lower()


def _unknown_word(stream: Stream, detail: str, told: ToldError | None) -> bool:
    """Whether all that says why the stream failed is a DetailedStatus that we don't know.

    It is nobody's fault then. One that only says the status again says nothing.
    """
    if stream.state not in (_FAILED, None):
        return False
    if stream.disconnected_by is DisconnectedBy.BOT or is_status(detail):
        return False
    return told is None or (
        told.error.kind is ErrorKind.OTHER and told.error.code != CONNECT_FAILED_CODE
    )


def _cause_of_error(stream: Stream, error: StreamError) -> Cause:
    code = error.close_code
    if code is not None and not meaning_of(code).fails:
        return _cause_of_close(stream, code)
    if error.code == CONNECT_FAILED_CODE:
        return Cause.BOT_DROPPED if error.was_open else Cause.CONNECT_FAILED
    failed = stream.state is _FAILED
    never_up = failed and not _talked(stream) and not error.was_open
    return Cause.CONNECT_FAILED if never_up or code == NO_TLS else Cause.BOT_DROPPED


def _cause_of_close(stream: Stream, code: int) -> Cause:
    """Of a close that is no failure by its code: the status says whether it was one."""
    by_user = stream.disconnected_by is DisconnectedBy.USER
    match stream.state:
        case StreamStatus.CANCELLED:
            return Cause.CALLER_LEFT_EARLY
        case StreamStatus.COMPLETED if stream.disconnected_by is DisconnectedBy.NA:
            return Cause.ENDED_BY_SYSTEM
        case StreamStatus.COMPLETED:
            return Cause.CALLER_LEFT if by_user else Cause.BOT_DONE
        case _ if code == NORMAL:
            return Cause.CALLER_LEFT if by_user else Cause.BOT_DONE
        case _:
            return Cause.BOT_DROPPED


_ENDED_BY = {
    DisconnectedBy.USER: Cause.CALLER_LEFT,
    DisconnectedBy.BOT: Cause.BOT_DONE,
    DisconnectedBy.NA: Cause.ENDED_BY_SYSTEM,
    DisconnectedBy.UNKNOWN: Cause.UNKNOWN,
    None: Cause.UNKNOWN,
}


def _talked(stream: Stream) -> bool:
    return (stream.duration_s or 0) > 0


_NO_STREAM_ADVICE = (
    "the request has no stream: put the Passthru applet directly after the Voicebot or Stream"
    " applet, and check that its URL is not in another applet's URL field"
)

_ADVICE = {
    Cause.THROTTLED: "the account's limit of streams was reached: let Option B lead to a human, and"
    " ask Exotel to raise the limit if this happens often",
    Cause.CALLER_LEFT_EARLY: "the caller hung up before the bot could speak: if this is frequent,"
    " shorten the greeting or the bot's start",
    Cause.CALLER_LEFT: "the caller hung up while talking to the bot: nothing to do",
    Cause.BOT_DONE: "the bot ended the stream after its talk: nothing to do",
    Cause.ENDED_BY_SYSTEM: "neither side ended the stream: check the 60-minute cap and the call's"
    " time limit",
    Cause.RUNNING: "the stream is still open: its outcome comes with a later passthru, after the"
    " stream was stopped",
}

_SHORT_TALK_S = 5
_LONGEST_WORD = 200


def _advice(cause: Cause, stream: Stream, told: ToldError | None) -> str:
    error = None if told is None else told.error
    at = _address(stream, error)
    if cause is Cause.CONNECT_FAILED:
        if error is None or told is None:
            return connect_advice(ErrorKind.OTHER, "", at)
        return connect_advice(error.kind, told.text, at)
    if cause is Cause.BOT_DROPPED:
        return closed_advice(None if error is None else error.close_code, at)
    if cause is Cause.UNKNOWN:
        return _unknown_advice(stream, told)
    duration = stream.duration_s
    if cause is Cause.BOT_DONE and duration is not None and duration < _SHORT_TALK_S:
        return (
            f"the bot ended the stream after only {duration} s: check in its log that it meant to"
        )
    return _ADVICE[cause]


def _unknown_advice(stream: Stream, told: ToldError | None) -> str:
    if stream.detailed_status and _unknown_word(stream, stream.detailed_status, told):
        word = stream.detailed_status[:_LONGEST_WORD]
        return (
            f"Exotel gives {word!r} as the reason, which is none we know, so nobody is blamed:"
            " ask Exotel's support what it means, and say in a rule where such callers go"
        )
    if stream.state is StreamStatus.COMPLETED:
        who = stream.disconnected_by_raw
        lack = "does not say who ended it" if who is None else f"says {who[:40]!r} ended it"
        return (
            f"the stream completed, but the request {lack}: nothing failed as far as is known, so"
            " say in a rule where such callers go"
        )
    if stream.state in (None, StreamStatus.IN_PROGRESS):
        return (
            "nobody told how the stream ended, though its call is over or the request was cut: put"
            " a Passthru applet directly after the Voicebot or Stream applet"
        )
    said = stream.status or stream.detailed_status or "nothing"
    return (
        f"the stream's status is none we know ({said[:_LONGEST_WORD]!r}): read the raw request, and"
        " say in a rule what it should mean"
    )


def _address(stream: Stream, error: StreamError | None) -> str:
    if error is not None and error.host is not None:
        host = f"[{error.host}]" if ":" in error.host else error.host
        return f"{host}:{error.port}" if error.port is not None else host
    found = _URL_HOST.match(stream.url or "")
    return found[1] if found else "an unknown address"


FAILURES = (Cause.THROTTLED, Cause.CONNECT_FAILED, Cause.BOT_DROPPED)
"""The causes in which a caller did not get what the bot was for."""

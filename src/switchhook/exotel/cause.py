"""Our verdict on how a stream ended: the classes of exotel-platform G.1, first match wins.

`Error` outranks `Status` (exotel-platform B.2): what Exotel says of the connection is believed over
what it says of the outcome.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from switchhook.exotel.passthru import DisconnectedBy, Passthru, Stream, StreamStatus


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


class ErrorKind(StrEnum):
    """What went wrong on the way to the bot, from the words of Go's network library."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    BAD_HANDSHAKE = "bad_handshake"
    UNREACHABLE = "unreachable"
    EOF = "eof"
    DEADLINE = "deadline"
    OTHER = "other"


class StreamError(msgspec.Struct, frozen=True):
    """The text of `Stream[Error]`, taken apart; None is what it doesn't say.

    `host` and `port` are where Exotel tried to connect, or the name it could not look up.
    """

    code: int | None
    kind: ErrorKind
    host: str | None
    port: int | None


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


_Fields = tuple[tuple[str, str | None], ...]

# Not the beginning of an address or of a date.
_CODE = re.compile(r"\s*([0-9]{3,5})(?!\.?\w|[-/:][0-9])")
_DIAL = re.compile(
    r"\bdial (?:tcp|udp)[46]? (\[[^\s\[\]]{1,255}\]|[^\s:\[\]]{1,255}):([0-9]{1,5})\b"
)
_LOOKUP = re.compile(r"\blookup ([^\s:,]{1,255})")
_URL_HOST = re.compile(r"wss?://(?:[^/?#\s]*@)?([^/?#@\s]{1,260})", re.IGNORECASE)
# What may hold any word and says nothing of what went wrong: an URL, aiohttp's settings of TLS, the
# port of an address or the line of a source file.
_BESIDE = re.compile(
    r"\b[a-z]{2,8}://[^\s\"'<>]+|\bssl:\S+|(?<![\w.-])(?=[\w-]*\.)[\w.-]+:[0-9]{1,5}\b"
)
# The order matters: "dial tcp: lookup x: i/o timeout" is DNS, "context deadline exceeded" before
# the plainer timeout, TLS before EOF ("tls: unexpected EOF"), "TLS handshake timeout" a timeout.
# Words of Go, Python, Node and nginx; an errno is Linux's, macOS' or Windows'.
_KINDS = (
    (ErrorKind.DNS, ("no such host", "lookup ", "server misbehaving", "name resolution", "dns",
                     "name or service not known", "nodename nor servname", "getaddrinfo",
                     "enotfound")),
    (ErrorKind.TLS, ("tls:", "x509", "certificate", "ssl", "handshake failure")),
    (ErrorKind.REFUSED, ("connection refused", "actively refused", "econnrefused", "[errno 111]",
                         "[errno 61]", "[errno 10061]")),
    (ErrorKind.BAD_HANDSHAKE, ("bad handshake", "unexpected http response", "unexpected status",
                               "unexpected server response", "rejected websocket",
                               "unauthorized", "unauthorised", "forbidden")),
    (ErrorKind.UNREACHABLE, ("unreach", "no route to host", "host is down", "[errno 113]",
                             "[errno 101]", "[errno 65]", "[errno 51]")),
    (ErrorKind.DEADLINE, ("deadline exceeded",)),
    (ErrorKind.TIMEOUT, ("timeout", "timed out", "timedout", "[errno 110]", "[errno 60]")),
    (ErrorKind.EOF, ("eof", "connection reset", "broken pipe", "1006", "abnormal closure",
                     "econnreset", "epipe", "socket hang up", "prematurely closed",
                     "[errno 104]", "[errno 54]", "[errno 32]")),
    (ErrorKind.BAD_HANDSHAKE, ("handshake",)),
)  # fmt: skip

CONNECT_FAILED_CODE = 3009
_LONGEST_ERROR = 2000  # characters looked at; the rest changes no verdict
_PORTS = 65536


def read_error(text: str) -> StreamError:
    """Take the text of `Stream[Error]` apart."""
    text = text[:_LONGEST_ERROR]
    code, dial, lookup = _CODE.match(text), _DIAL.search(text), _LOOKUP.search(text)
    host = dial[1].strip("[]") if dial else lookup[1] if lookup else None
    # A host's name says nothing of what went wrong: dns.example.com may have refused.
    low = (text.replace(dial[0], " ") if dial else text).lower()
    low = _BESIDE.sub(" ", low.replace(host.lower(), " ") if host else low)
    kind = next((kind for kind, words in _KINDS if any(w in low for w in words)), ErrorKind.OTHER)
    port = int(dial[2]) if dial and int(dial[2]) < _PORTS else None
    return StreamError(int(code[1]) if code else None, kind, host, port)


def judge(passthru: Passthru) -> Verdict:
    """Give the verdict on a passthru's stream, with the texts it rests on and what to do."""
    stream = passthru.stream
    if stream is None:
        return Verdict(Cause.NO_STREAM, (), _NO_STREAM_ADVICE)
    cause, error, fields = _judge(passthru, stream)
    evidence = tuple((f"stream.{name}", text) for name, text in fields if text is not None)
    return Verdict(cause, evidence, _advice(cause, stream, error), error)


def classify(passthru: Passthru) -> Verdict:
    """Give the verdict without its words, for whom a caller waits and who counts many."""
    stream = passthru.stream
    if stream is None:
        return Verdict(Cause.NO_STREAM, (), "")
    cause, error, _ = _judge(passthru, stream)
    return Verdict(cause, (), "", error)


def _judge(passthru: Passthru, stream: Stream) -> tuple[Cause, StreamError | None, _Fields]:
    error = read_error(stream.error) if stream.error else None
    cause, fields = _cause_of(stream, error)
    if cause is Cause.RUNNING and any(defect.field == "stream" for defect in passthru.noted):
        cause = Cause.UNKNOWN  # what was cut off may have been the status
    return cause, error, fields


def _cause_of(stream: Stream, error: StreamError | None) -> tuple[Cause, _Fields]:
    status = ("status", stream.status)
    detail = ("detailed_status", stream.detailed_status)
    failure = ("error", stream.error)
    duration = ("duration", stream.duration_raw)
    who = ("disconnected_by", stream.disconnected_by_raw)
    if "throttl" in (stream.detailed_status or "").lower():
        return Cause.THROTTLED, (detail, status)
    if "throttl" in (stream.error or "").lower():
        return Cause.THROTTLED, (failure, status)
    state = stream.state
    if error is not None and error.code == CONNECT_FAILED_CODE:
        return Cause.CONNECT_FAILED, (failure, status)
    if error is not None:
        never_up = state is StreamStatus.FAILED and not _talked(stream) and not _was_open(error)
        return Cause.CONNECT_FAILED if never_up else Cause.BOT_DROPPED, (failure, status, duration)
    match state:
        case StreamStatus.FAILED:
            dropped = _talked(stream)
            return Cause.BOT_DROPPED if dropped else Cause.CONNECT_FAILED, (status, duration)
        case StreamStatus.CANCELLED:
            return Cause.CALLER_LEFT_EARLY, (status, who)
        case StreamStatus.COMPLETED:
            return _ENDED_BY[stream.disconnected_by], (status, who)
        case StreamStatus.IN_PROGRESS:
            return Cause.RUNNING, (status,)
        case None if stream.sid is not None:
            return Cause.RUNNING, (("sid", stream.sid),)
        case _:
            return Cause.UNKNOWN, (status, detail, who)


_ENDED_BY = {
    DisconnectedBy.USER: Cause.CALLER_LEFT,
    DisconnectedBy.BOT: Cause.BOT_DONE,
    DisconnectedBy.NA: Cause.ENDED_BY_SYSTEM,
    DisconnectedBy.UNKNOWN: Cause.UNKNOWN,
    None: Cause.UNKNOWN,
}


def _talked(stream: Stream) -> bool:
    return (stream.duration_s or 0) > 0


def _was_open(error: StreamError) -> bool:
    """Whether the error speaks of a connection that once stood."""
    return error.kind is ErrorKind.EOF


_NO_STREAM_ADVICE = (
    "the request has no stream: put the Passthru applet directly after the Voicebot or Stream"
    " applet, and check that its URL is not in another applet's URL field"
)

_CONNECT_ADVICE = {
    ErrorKind.REFUSED: "the bot at {at} refused the connection: is it running, and is this the"
    " right port?",
    ErrorKind.TIMEOUT: "the bot at {at} did not answer in time: does a firewall drop Exotel's"
    " addresses, or is the bot overloaded?",
    ErrorKind.DNS: "the name {at} could not be looked up: is the bot's URL spelt right, and is its"
    " DNS record public?",
    ErrorKind.TLS: "TLS with the bot at {at} failed: is its certificate valid, complete with its"
    " chain, and made out to this name?",
    ErrorKind.BAD_HANDSHAKE: "the bot at {at} answered, but not as a WebSocket server: check path,"
    " credentials and that nothing strips the query of its URL",
    ErrorKind.UNREACHABLE: "there is no network route to the bot at {at}: is the address public?",
    ErrorKind.EOF: "the bot at {at} closed the connection while it was being set up: look in its"
    " log for a crash, or at a proxy before it",
    ErrorKind.DEADLINE: "the bot at {at} did not finish the WebSocket handshake within Exotel's 10"
    " seconds: accept at once and start models afterwards",
    ErrorKind.OTHER: "Exotel could not connect to the bot at {at}: see the error text, and try the"
    " URL with a WebSocket client from outside your network",
}

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


def _advice(cause: Cause, stream: Stream, error: StreamError | None) -> str:
    at = _address(stream, error)
    if cause is Cause.CONNECT_FAILED:
        kind = error.kind if error else ErrorKind.OTHER
        return _CONNECT_ADVICE[kind].format(at=at)
    if cause is Cause.BOT_DROPPED:
        return (
            f"the connection to the bot at {at} broke during the talk: look in the bot's log at"
            " that time, and at idle limits of proxies between"
        )
    if cause is Cause.UNKNOWN and stream.state is StreamStatus.COMPLETED:
        who = stream.disconnected_by_raw
        lack = "does not say who ended it" if who is None else f"says {who[:40]!r} ended it"
        return (
            f"the stream completed, but the request {lack}: nothing failed as far as is known, so"
            " say in a rule where such callers go"
        )
    if cause is Cause.UNKNOWN:
        said = stream.status or stream.detailed_status or "nothing"
        return (
            f"the stream's status is none we know ({said[:40]!r}): read the raw request, and say"
            " in a rule what it should mean"
        )
    duration = stream.duration_s
    if cause is Cause.BOT_DONE and duration is not None and duration < _SHORT_TALK_S:
        return (
            f"the bot ended the stream after only {duration} s: check in its log that it meant to"
        )
    return _ADVICE[cause]


def _address(stream: Stream, error: StreamError | None) -> str:
    if error is not None and error.host is not None:
        host = f"[{error.host}]" if ":" in error.host else error.host
        return f"{host}:{error.port}" if error.port is not None else host
    found = _URL_HOST.match(stream.url or "")
    return found[1] if found else "an unknown address"


FAILURES = (Cause.THROTTLED, Cause.CONNECT_FAILED, Cause.BOT_DROPPED)
"""The causes in which a caller did not get what the bot was for."""

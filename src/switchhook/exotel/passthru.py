"""What one passthru says: the call, its legs, its stream, and what could not be understood.

A `Passthru` holds the texts as they were sent, trimmed and unquoted; what has to be interpreted
(numbers, times, directions) is a property beside its text. So nothing is lost by reading, and
nothing is interpreted that nobody asks for while a caller waits.

Field names follow Exotel's parameter tables (exotel-platform A.4, B.1).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from switchhook.exotel.fields import Unusable, e164, instant, seconds, with_plus


class Defect(msgspec.Struct, frozen=True, order=True, gc=False):
    """Something in a request that could not be understood, or is odd; noted, never fatal.

    `field` is the parameter in our words (``stream.duration``), or as sent where we have no word
    for it; `problem` is a lower-case sentence.
    """

    field: str
    problem: str


class Dialect(StrEnum):
    """The form that a request came in."""

    FLAT = "flat"
    """`Stream[Status]=…` in the query of a GET: the contract."""
    RAW_BRACKET = "raw-bracket"
    """The same with brackets that are not percent-encoded, as the documentation prints it."""
    DOUBLE_ENCODED = "double-encoded"
    """Keys or the JSON text percent-encoded twice."""
    JSON = "json"
    """`Stream={"Status":…}` in the query of a GET."""
    MIXED = "mixed"
    """Flat and JSON together."""
    LOWER_CASE = "lower-case"
    """Keys spelt in lower case: `stream[status]`."""
    SNAKE_CASE = "snake-case"
    """Keys spelt `stream_sid`, `call_sid`."""
    DOTTED = "dotted"
    """`stream.status`."""
    BARE = "bare"
    """The stream's names without `Stream`: `streamsid=…&status=…`."""
    POST_QUERY = "post-query"
    """POST with everything in the query."""
    POST_FORM = "post-form"
    POST_MULTIPART = "post-multipart"
    POST_JSON = "post-json"


class StreamStatus(StrEnum):
    """How a stream stands, in Exotel's words."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    IN_PROGRESS = "in-progress"
    UNKNOWN = "unknown"
    """Said, but none of the above; the text stands in `Stream.status`."""


class DisconnectedBy(StrEnum):
    """Who ended a stream."""

    USER = "user"
    BOT = "bot"
    NA = "NA"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Which way a call goes, seen from the account."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


# To look for a member at its class takes ten times as long.
_UNKNOWN_STATUS, _UNKNOWN_WHO = StreamStatus.UNKNOWN, DisconnectedBy.UNKNOWN

# "canceled" is how the same platform spells it for the call (DialCallStatus).
_STATUSES = {status.value: status for status in StreamStatus} | {
    "canceled": StreamStatus.CANCELLED,
    "inprogress": StreamStatus.IN_PROGRESS,
    "in_progress": StreamStatus.IN_PROGRESS,
}
# "caller" and "system" are the developer guide's words (exotel-platform B.1).
_DISCONNECTORS = {
    "user": DisconnectedBy.USER,
    "caller": DisconnectedBy.USER,
    "bot": DisconnectedBy.BOT,
    "na": DisconnectedBy.NA,
    "n/a": DisconnectedBy.NA,
    "system": DisconnectedBy.NA,
}


def is_status(text: str) -> bool:
    """Whether a text is one of the words that a stream's status has."""
    return text.lower() in _STATUSES


class Stream(msgspec.Struct, frozen=True, gc=False):
    """What a passthru says about its media stream; None is what it doesn't say."""

    sid: str | None = None
    status: str | None = None
    duration_raw: str | None = None
    url: str | None = None
    recording_url: str | None = None
    disconnected_by_raw: str | None = None
    detailed_status: str | None = None
    error: str | None = None
    disposition: str | None = None

    @property
    def state(self) -> StreamStatus | None:
        """The status as one of a closed set."""
        if self.status is None:
            return None
        return _STATUSES.get(self.status.lower(), _UNKNOWN_STATUS)

    @property
    def status_word(self) -> str | None:
        """The status as normalised, or as sent where it is none that is known."""
        state = self.state
        return self.status if state is None or state is StreamStatus.UNKNOWN else state.value

    @property
    def duration_s(self) -> int | None:
        """Whole seconds, never negative; None where unsaid or unusable."""
        value = seconds(self.duration_raw)
        return None if isinstance(value, Unusable) else value

    @property
    def disconnected_by(self) -> DisconnectedBy | None:
        """Who ended it, as one of a closed set."""
        if self.disconnected_by_raw is None:
            return None
        return _DISCONNECTORS.get(self.disconnected_by_raw.lower(), _UNKNOWN_WHO)


class Leg(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One attempt to reach an agent, from `Legs[index]`.

    `extra` holds what has no field, with its keys below the leg: `("Insights[Status]", "…")`.
    """

    index: int
    number: str | None = None
    type: str | None = None
    on_call_duration_raw: str | None = None
    cause: str | None = None
    cause_code: str | None = None
    caller_id: str | None = None
    disconnected_by: str | None = None
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def on_call_duration_s(self) -> int | None:
        """Talk time in whole seconds."""
        value = seconds(self.on_call_duration_raw)
        return None if isinstance(value, Unusable) else value


class Passthru(msgspec.Struct, frozen=True, gc=False):
    """One request of a Passthru applet, as sent.

    `from_raw` and `to_raw` are CallFrom and CallTo, else From and To (exotel-platform A.4 says
    why); what was not chosen is in `extra`, with every other parameter, in order, repeats too.
    `region` is the CLDR region in which a number without a country code is read.
    """

    call_sid: str | None = None
    account_sid: str | None = None
    from_raw: str | None = None
    to_raw: str | None = None
    direction_raw: str | None = None
    digits: str | None = None
    custom_field: str | None = None
    recording_url: str | None = None
    forwarded_from: str | None = None
    flow_id: str | None = None
    tenant_id: str | None = None
    event_type: str | None = None
    agent_status: str | None = None
    agent_email: str | None = None

    call_status: str | None = None
    call_type: str | None = None
    dial_status: str | None = None
    dial_duration_raw: str | None = None
    dial_whom_number: str | None = None
    outgoing_number: str | None = None
    created_raw: str | None = None
    started_raw: str | None = None
    ended_raw: str | None = None
    current_raw: str | None = None
    recording_available_raw: str | None = None
    legs: tuple[Leg, ...] = ()

    stream: Stream | None = None

    extra: tuple[tuple[str, str], ...] = ()
    dialect: Dialect = Dialect.FLAT
    region: str = "IN"
    noted: tuple[Defect, ...] = ()

    @property
    def from_(self) -> str | None:
        """The caller in E.164, or as sent where it is no full number."""
        return self._number(self.from_raw)

    @property
    def to(self) -> str | None:
        """The number called in E.164, or as sent where it is no full number."""
        return self._number(self.to_raw)

    @property
    def direction(self) -> Direction | None:
        """Inbound or outbound; None where unsaid or in other words."""
        word = (self.direction_raw or "").lower()
        if word in ("inbound", "incoming"):
            return Direction.INBOUND
        return Direction.OUTBOUND if word.startswith("outbound") else None

    @property
    def dial_duration_s(self) -> int | None:
        """Seconds from dialling leg 2 to its end, ringing included."""
        value = seconds(self.dial_duration_raw)
        return None if isinstance(value, Unusable) else value

    @property
    def created_at(self) -> datetime | None:
        """When the call was created, in UTC."""
        return self._time(self.created_raw)

    @property
    def started_at(self) -> datetime | None:
        """When the call started, in UTC."""
        return self._time(self.started_raw)

    @property
    def ended_at(self) -> datetime | None:
        """When the call ended, in UTC; Exotel's placeholders for "not yet" are no time."""
        return self._time(self.ended_raw)

    @property
    def current_at(self) -> datetime | None:
        """Exotel's clock when it sent the request, in UTC."""
        return self._time(self.current_raw)

    @property
    def defects(self) -> tuple[Defect, ...]:
        """Everything that could not be understood: what reading noted, then interpreting."""
        return (*self.noted, *self._unusable())

    def _number(self, text: str | None) -> str | None:
        value = e164(text, self.region)
        return text if isinstance(value, Unusable) else value

    def _time(self, text: str | None) -> datetime | None:
        value = instant(text)
        return None if isinstance(value, Unusable) else value

    def _unusable(self) -> list[Defect]:
        times = self.created_raw, self.started_raw, self.ended_raw, self.current_raw
        created, started, ended, current = times
        found: list[tuple[str, object]] = [
            ("from", e164(self.from_raw, self.region)),
            ("to", e164(self.to_raw, self.region)),
            ("call.dial_duration", seconds(self.dial_duration_raw)),
            ("call.created", instant(created)),
            ("call.started", instant(started)),
            ("call.ended", instant(ended)),
            ("call.current", instant(current)),
        ]
        for text in times:
            if text is not None and with_plus(text) != text:
                found.append(("call", Unusable("a time's '+' was read as a blank; restored")))
                break
        for leg in self.legs:
            field = f"legs.{leg.index}.on_call_duration"
            found.append((field, seconds(leg.on_call_duration_raw)))
        if self.direction_raw is not None and self.direction is None:
            found.append(("direction", Unusable(f"unknown direction {self.direction_raw[:40]!r}")))
        if self.stream is not None:
            found += _stream_oddities(self.stream)
        return [Defect(field, value.problem) for field, value in found if type(value) is Unusable]


def _stream_oddities(stream: Stream) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = [("stream.duration", seconds(stream.duration_raw))]
    if stream.state is StreamStatus.UNKNOWN:
        problem = f"unknown status {(stream.status or '')[:40]!r}"
        found.append(("stream.status", Unusable(problem)))
    if stream.disconnected_by is DisconnectedBy.UNKNOWN:
        said = (stream.disconnected_by_raw or "")[:40]
        found.append(("stream.disconnected_by", Unusable(f"unknown disconnector {said!r}")))
    return found

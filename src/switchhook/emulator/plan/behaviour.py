"""How this Exotel behaves where nobody knows how the real one does.

Each field is an open question (exotel-platform G), its default the emulator's column there.
An account, a fault or a scenario changes some of them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Dialect = Literal["flat", "raw-bracket", "json", "double-encoded", "mixed", "lower-case"]


_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every switch; times in seconds."""

    # The passthru request.
    passthru_limit_s: _Seconds = 5.0
    """How long a sync passthru is waited for; 2 is strict, P says 15 (exotel-platform G-3)."""
    dialect: Dialect = "flat"
    """The form of the stream's parameters (exotel-platform G-11)."""
    direction: Literal["exotel", "seed"] = "exotel"
    """`incoming`, `outbound-dial`; else `inbound`, `outbound` (exotel-platform G-24)."""
    numbers: Literal["zero", "e164", "plus-as-space"] = "zero"
    """`0…`, `+91…`, or a `+` that was not encoded (exotel-platform G-26)."""
    shared_to: str | None = None
    """A number that stands in To instead of the ExoPhone (exotel-platform G-25)."""
    leave_out: tuple[str, ...] = ()
    """Parameters that are not sent, as spelt on the wire: `Stream[StreamSID]`, `CallSid`."""
    change: dict[str, str] = msgspec.field(default_factory=dict)
    """Parameters that are sent with another value, or that Exotel never sends."""
    request_headers: dict[str, str] = msgspec.field(default_factory=dict)
    """More headers: a wrong address in X-Forwarded-For, for example (exotel-platform G-33)."""
    secret: str | None = None
    """What is sent for every secret in the passthru's URL; "" for none (exotel-platform G-33)."""

    # What a passthru says of a stream.
    throttled: Literal["full", "minimal"] = "full"
    """Minimal has the two fields of Exotel's article (exotel-platform G-13)."""
    recording_on_failed: bool = False
    """Also name a recording that cannot exist, as Exotel's article does (exotel-platform G-21)."""
    dropped_is: Literal["failed", "completed"] = "failed"
    """How a stream is told whose bot ended without a clean close (exotel-platform G-14)."""
    tell_running: bool = True
    """Whether one beside a running Stream applet says `in-progress` (exotel-platform G-32)."""
    leak_credentials: bool = False
    """Whether StreamUrl keeps `user:password@` (exotel-platform G-23)."""
    error_padding: _Count = 0
    """Characters that make an Error long (exotel-platform G-53)."""

    # The stream.
    handshake_limit_s: _Seconds = 10.0
    retries: _Count = 1
    retry_after_s: _Seconds = 1.0
    """After any failed handshake, with the same StreamSID (exotel-platform G-16, G-17)."""
    stream_limit_s: _Seconds = 3600.0
    strip_query: bool = False
    """Dial the bot without the query of its URL (exotel-platform G.4)."""
    parameters_over_limit: Literal["drop", "reject"] = "drop"
    """What happens to custom parameters beyond the limits (exotel-platform G-50)."""
    camel_keys: bool = False
    """`streamSid` instead of `stream_sid` (exotel-platform G.4)."""
    int_numbers: bool = False
    """Numbers as numbers instead of texts (exotel-platform C.3)."""
    frame_ms: Literal[20, 100] = 20
    echo_cleared_marks: bool = False
    """Whether a mark comes back after `clear` took its audio away (exotel-platform G-49)."""
    close_on_oversize: bool = False
    """Close with 1009 at a chunk over 100,000 bytes, unplayed (exotel-platform G-48)."""
    dynamic_url_limit_s: _Seconds = 10.0
    """How long a URL that tells the stream's URL is waited for (exotel-platform G-52)."""

    # The call and its records.
    call_limit_s: _Seconds = 14_400.0
    recording_delay_s: _Seconds = 60.0
    """From the end of a stream until its recording can be fetched (exotel-platform G-22)."""
    details_delay_s: _Seconds = 120.0
    """From the end of a call until its record is complete (exotel-platform G-42)."""
    status_callback: Literal["minimal", "full"] = "minimal"
    callback_limit_s: _Seconds = 15.0
    """How long a status callback's or heartbeat's server may take (exotel-platform E.3, E.7)."""
    callback_retry_after_s: tuple[_Seconds, ...] = (300.0, 900.0)
    """When a status callback that met no 2xx is sent again, each counted from the one before.

    Only the portal's pages say so; `[]` for one that is sent once (exotel-platform E.3)."""
    heartbeat_retry_after_s: tuple[_Seconds, ...] = (5.0, 5.0)
    """The same for heartbeats: two, whose times nobody documents (exotel-platform E.7)."""
    originate_s: _Seconds = 0.7
    """How long `Calls/connect` takes (exotel-platform E.2)."""
    lists_lag_s: _Seconds = 0.0
    """From a call's beginning until lists of calls have it; it can be asked for by itself."""
    lists_ongoing: bool = True
    """Whether lists have calls that are not over: Exotel's page says they don't."""
    rate_headers: bool = True
    """Whether answers say what is left of the requests a minute, and 429 when to come again."""
    xml_streams: bool = False
    """ActiveStreams answers in XML whatever was asked for (exotel-platform G-34)."""
    refuse_encoded_brackets: bool = False
    """Take `StatusCallbackEvents[0]` only with raw brackets (exotel-platform G.4)."""

    def changed(self, patch: dict[str, Any]) -> Behaviour:
        """A copy with some fields changed. Raises msgspec.ValidationError for a wrong one."""
        return msgspec.convert(msgspec.structs.asdict(self) | patch, Behaviour)

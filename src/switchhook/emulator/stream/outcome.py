"""What a passthru tells of a stream that has ended (exotel-platform B.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from switchhook.emulator.call.parameters import StreamParameters
from switchhook.exotel.cause import Cause

if TYPE_CHECKING:
    from switchhook.emulator.plan.behaviour import Behaviour

THROTTLED = "Streaming_call_throttled"

End = Literal["caller", "flow", "limit", "stop", "bot"]
"""Who ended a stream: the caller, the call's flow, the 60 minutes, a Stop applet, the bot."""

_CLEAN = (1000, 1001, 1005)
_GO_CLOSE = {
    1002: "protocol error",
    1003: "unsupported data",
    1006: "abnormal closure",
    1007: "invalid payload data",
    1008: "policy violation",
    1009: "message too big",
    1011: "internal server error",
    1012: "service restart",
    1013: "try again later",
}


def stream_outcome(
    by: End,
    closed: tuple[int, str] | None,
    behaviour: Behaviour,
    *,
    sid: str,
    url: str,
    seconds: float,
    recording_url: str | None,
    unanswered: bool,
) -> StreamParameters:
    """The outcome matrix (exotel-platform B.2, G-12, G-14).

    `closed` has the code and reason with which the bot closed; `unanswered` is whether the caller
    waited in vain for its first sound.
    """
    if by == "caller" and unanswered:
        return StreamParameters(sid=sid, status="cancelled", disconnected_by="user")
    dropped = by == "bot" and closed is not None and closed[0] not in _CLEAN
    failed = dropped and behaviour.dropped_is != "completed"
    return StreamParameters(
        sid=sid,
        status="failed" if failed else "completed",
        duration_s=int(seconds),
        url=url,
        recording_url=recording_url,
        disconnected_by={"bot": "bot", "caller": "user"}.get(by, "NA"),
        error=_close_error(*closed) if failed and closed is not None else None,
    )


def cause_of(outcome: StreamParameters | None) -> Cause:
    """What became of a stream, by what the emulator itself did (exotel-platform G.1)."""
    if outcome is None:
        return Cause.NO_STREAM
    if outcome.detailed_status == THROTTLED:
        return Cause.THROTTLED
    if outcome.status == "failed":
        return Cause.BOT_DROPPED if outcome.disconnected_by == "bot" else Cause.CONNECT_FAILED
    if outcome.status == "cancelled":
        return Cause.CALLER_LEFT_EARLY
    if outcome.status == "in-progress":
        return Cause.RUNNING
    ended = {"bot": Cause.BOT_DONE, "user": Cause.CALLER_LEFT}
    return ended.get(outcome.disconnected_by or "", Cause.ENDED_BY_SYSTEM)


def _close_error(code: int, reason: str) -> str:
    """A close as Exotel's Go program words it."""
    words = _GO_CLOSE.get(code)
    text = f"websocket: close {code}" + (f" ({words})" if words else "")
    return text + (": unexpected EOF" if code == 1006 else f": {reason}" if reason else "")

"""What is known of one call as entries of its timeline, and as a text for Exotel's support."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from switchhook.calls.timeline import TimelineEntry
from switchhook.exotel.cause import Cause
from switchhook.exotel.times import IST, moment_of, us_of
from switchhook.streams.parsed_record import UnreadableRecord
from switchhook.web.render import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from switchhook.rules.decide import Decision
    from switchhook.streams.kept_call import KeptCall, KeptReceipt
    from switchhook.streams.names import Names
    from switchhook.streams.story import StreamStory

CALL, STREAM, PASSTHRU = "Call", "Stream", "Passthru"
ADMISSION, ADDRESS, BOT = "Admission", "Address", "Bot"
CALLBACK, DETAILS, HEARTBEAT = "Status callback", "Call details", "Heartbeat"
PROMISE = "Promise"
LANES = (CALL, ADMISSION, ADDRESS, STREAM, BOT, PASSTHRU, CALLBACK, DETAILS, HEARTBEAT, PROMISE)
BESIDE_THE_CALL = frozenset({DETAILS, PROMISE})
"""Lanes of what comes minutes or hours after: it says nothing of when something happened."""

_CALL_TIMES = (("created_at", "created"), ("started_at", "began"), ("ended_at", "ended"))


def entries_of(call: KeptCall, names: Names) -> list[TimelineEntry]:
    """What the passthrus of a call tell."""
    return [
        *_of_call(call),
        *(_of_receipt(each, names) for each in call.receipts),
        *map(_of_stream, call.story.streams_in_order),
    ]


def call_times(call: KeptCall) -> list[tuple[str, datetime]]:
    """When the call was created, began and ended, as it was said last, each with its word."""
    said: dict[str, datetime] = {}
    for each in call.receipts:
        for field, word in _CALL_TIMES:
            moment = getattr(each.passthru, field, None)
            if moment is not None:
                said[word] = moment
    return [(word, said[word]) for _, word in _CALL_TIMES if word in said]


def _of_call(call: KeptCall) -> Iterator[TimelineEntry]:
    for word, moment in call_times(call):
        yield TimelineEntry(
            at_us=us_of(moment),
            lane=CALL,
            title=f"The call {word}",
            detail="as Exotel says, to the second",
            about=True,
        )


def _of_receipt(kept: KeptReceipt, names: Names) -> TimelineEntry:
    anchor, read = f"receipt-{kept.id}", kept.read
    if isinstance(read, UnreadableRecord):
        title = "a receipt that can't be read"
        return TimelineEntry(
            at_us=kept.at_us, lane=PASSTHRU, title=title, level="warn", anchor=anchor
        )
    endpoint, option = read.facet.endpoint, read.facet.option
    decision = (kept.first or read.receipt).decision
    destination = names.destination(endpoint, option, decision.select)
    where = f", to {destination}" if destination else ""
    repeat = " (a repeat)" if read.receipt.repeat_of else ""
    cause = read.verdict.cause
    return TimelineEntry(
        at_us=kept.at_us,
        lane=PASSTHRU,
        title=f"Asked at {endpoint}: Option {option}{where}{repeat}",
        detail=f"{cause.replace('_', ' ')}; rule “{decision.rule}”{_promised(decision)}",
        level=LEVELS.get(cause, "muted"),
        cause=cause,
        anchor=anchor,
    )


def _promised(decision: Decision) -> str:
    if not decision.promise:
        return ""
    return f"; promised a callback as class {decision.class_}: {decision.promise}"


def _of_stream(story: StreamStory) -> TimelineEntry:
    """A stream ends shortly before the passthru that says so, and began as long before as told."""
    cause, told_us = story.verdict.cause, story.first.received_us
    running = cause is Cause.RUNNING
    lasted_us = (story.stream.duration_s or 0) * 1_000_000
    return TimelineEntry(
        at_us=told_us if running else told_us - lasted_us,
        lane=STREAM,
        title="Stream " + cause.replace("_", " "),
        detail=story.sid or "",
        level=LEVELS.get(cause, "muted"),
        cause=cause,
        until_us=story.last.received_us if running else told_us,
        about=True,
    )


def support_text(
    call: KeptCall, numbers: Mapping[str, str | None], shown: Callable[[str], str]
) -> str:
    """What Exotel's support asks for: identifiers, times in IST, what was said.

    `numbers` has the two as they may be shown, `shown` masks those in all else.
    """
    own = set(numbers.values())
    return "\n".join(
        f"{name}: {text if text in own else shown(text)}"
        for name, text in _support_lines(call, numbers)
        if text
    )


def _support_lines(
    call: KeptCall, numbers: Mapping[str, str | None]
) -> Iterator[tuple[str, str | None]]:
    text, streams = call.story.text, call.story.streams_in_order
    yield "CallSid", call.story.call_sid
    yield "Account SID", text("account_sid")
    yield "From", numbers["from"]
    yield "To", numbers["to"]
    yield "Direction", text("direction")
    yield "Flow", text("flow_id")
    for at, story in enumerate(streams, 1):
        stream, prefix = story.stream, f"Stream {at} " if len(streams) > 1 else "Stream "
        yield prefix + "SID", story.sid
        yield prefix + "URL", without_login(stream.url)
        yield prefix + "status", stream.status_word
        yield prefix + "detailed status", stream.detailed_status
        yield prefix + "error", stream.error
        yield prefix + "duration", _seconds(stream.duration_s)
        yield prefix + "disconnected by", stream.disconnected_by
    for each in call.receipts:
        receipt = each.receipt
        if receipt is not None:
            said = f"Option {receipt.decision.option.value} (HTTP {receipt.http_status})"
            came = _ist(moment_of(receipt.received_us))
            yield f"Passthru {came}", f"answered with {said}"
    for word, moment in call_times(call):
        yield f"Call {word}", _ist(moment)


def _seconds(number: int | None) -> str | None:
    return None if number is None else f"{number} s"


def _ist(moment: datetime) -> str:
    return f"{moment.astimezone(IST):%Y-%m-%d %H:%M:%S} IST"


_LOGIN = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/?#@]*@")


def without_login(url: str | None) -> str | None:
    """A URL without the name and password in it."""
    return None if url is None else _LOGIN.sub(r"\1…@", url.strip())

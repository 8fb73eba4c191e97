"""What was decided of a call before its stream, and what its bot reports, for the timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.calls.story import ADDRESS, ADMISSION, BOT
from switchhook.calls.timeline import TimelineEntry
from switchhook.exotel.times import HOUR_MS
from switchhook.journal.bot_report import BotEvent
from switchhook.journal.receipt import AddressGiven, AdmissionGiven
from switchhook.rules.decide import Option
from switchhook.streams.routed_record import ReportedRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.rules.routing import Route
    from switchhook.streams.routed_record import RoutedRecord

_FAR_US = HOUR_MS * 1000
_EVENTS = {
    BotEvent.STARTED: ("The bot has the stream", "live"),
    BotEvent.FIRST_IN: ("The bot heard the caller first", "good"),
    BotEvent.FIRST_OUT: ("The bot was heard first", "good"),
    BotEvent.ENDED: ("The bot's stream ended", "muted"),
    BotEvent.ERROR: ("The bot had an error", "bad"),
}


def entry_of(read: RoutedRecord | ReportedRecord) -> TimelineEntry:
    """The entry of one record."""
    if isinstance(read, ReportedRecord):
        return _of_report(read)
    receipt = read.receipt
    return _of_admission(receipt) if isinstance(receipt, AdmissionGiven) else _of_address(receipt)


def _of_admission(receipt: AdmissionGiven) -> TimelineEntry:
    let_in = receipt.decision.option is Option.A
    word = "Admitted" if let_in else "Refused"
    repeat = " (a repeat)" if receipt.repeat_of else ""
    return TimelineEntry(
        at_us=receipt.received_us,
        lane=ADMISSION,
        title=f"{word} at {receipt.endpoint}: Option {receipt.decision.option}{repeat}",
        detail="; ".join(_of_room(receipt)),
        level="good" if let_in else "warn",
    )


def _of_room(receipt: AdmissionGiven) -> Iterator[str]:
    """Why, and what was known of room."""
    yield f"rule “{receipt.decision.rule}”: {receipt.decision.reason}"
    seen = receipt.admission
    if seen is None:
        return
    yield f"class {seen.class_}"
    if seen.room is not None and seen.budget is not None:
        yield f"budget {seen.budget.room:,}, of which {seen.used:,} were given since"


def _of_address(receipt: AddressGiven) -> TimelineEntry:
    repeat = " (a repeat)" if receipt.repeat_of else ""
    return TimelineEntry(
        at_us=receipt.received_us,
        lane=ADDRESS,
        title=f"{_given(receipt)} at {receipt.endpoint}{repeat}",
        detail="; ".join(_of_draw(receipt)),
        level="bad" if not receipt.address else "warn" if receipt.fallback else "good",
    )


def _given(receipt: AddressGiven) -> str:
    route = receipt.route
    if not receipt.address:
        return f"Given no address ({receipt.http_status})"
    if receipt.fallback or route is None or route.member is None:
        return "Sent to the fallback"
    return f"Sent to {route.member} of pool {route.pool}"


def _of_draw(receipt: AddressGiven) -> Iterator[str]:
    """Why it, and between whom it was drawn."""
    yield f"rule “{receipt.decision.rule}”: {receipt.decision.reason}"
    if receipt.route is not None:
        yield from _of_route(receipt.route)
    if receipt.address:
        yield receipt.address


def _of_route(route: Route) -> Iterator[str]:
    if route.eligible:
        among = ", ".join(f"{each.member} (weight {each.weight:g})" for each in route.eligible)
        yield f"drawn among {among}"
    if route.hands:
        yield f"set by hand: {', '.join(map(str, route.hands))}"


def _of_report(read: ReportedRecord) -> TimelineEntry:
    report, received_us = read.report, read.received.received_us
    title, level = _EVENTS.get(report.event, ("The bot reports more", "muted"))
    said = report.said if report.event not in _EVENTS else ""
    at_us = report.at_us
    # A bot's clock may be anything; what is hours off would leave nothing to see of the call.
    off = at_us is None or abs(at_us - received_us) > _FAR_US
    by = f"by {report.by}" if report.by else ""
    return TimelineEntry(
        at_us=received_us if off or at_us is None else at_us,
        lane=BOT,
        title=title,
        detail="; ".join(each for each in (said, by, report.error, read.received.endpoint) if each),
        level=level,
    )

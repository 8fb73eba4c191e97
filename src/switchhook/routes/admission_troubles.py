"""What callers who ask for room meet now, in words: refused, or nothing known of room. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from switchhook.errors import sentence
from switchhook.exotel.times import EPOCH, IST
from switchhook.routes.admission_feed import Became
from switchhook.troubles.metrics import key_of
from switchhook.troubles.text import callers_text, name_text
from switchhook.troubles.trouble import ORDER_OVER, Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.routes.admission_view import AdmissionView

_ORDER = 3
"""After what fails callers: these got what the rules say."""


def admission_troubles(views: Sequence[AdmissionView]) -> Iterable[Trouble]:
    """Of each account whose callers were refused, or got the safe option, in the last minute.

    While it may hit the next caller it is told as it is, else as it was, with when the last was.
    """
    for view in views:
        yield from _refused(view)
        yield from _unknown(view)


def _refused(view: AdmissionView) -> Iterable[Trouble]:
    count, last_ms = view.just_now.get(Became.REFUSED, (0, 0))
    if not count:
        return
    name, estimate = name_text(view.account), view.estimate
    # Below that some class may be refused still.
    over = not estimate.unknown and estimate.room > max(view.reserves.values(), default=0)
    what = (
        f"Callers of account {name} were refused for want of room: the last at {_clock(last_ms)};"
        " there is room now"
        if over
        else f"Callers of account {name} are refused for want of room"
    )
    yield Trouble(
        level=Level.WARN,
        order=ORDER_OVER if over else _ORDER,
        over=over,
        key=key_of("admission.refused_now", (("account", view.account),)),
        hit=count,
        what=sentence(what),
        callers=f"{callers_text(count)} refused in the last minute, as the rules say: Option B.",
        fault="At fault: the limit.",
        todo=""
        if over
        else "Hold campaigns back, or ask Exotel to raise the limit; the page Capacity says what"
        " takes the room.",
        page="/capacity",
    )


def _unknown(view: AdmissionView) -> Iterable[Trouble]:
    count, last_ms = view.just_now.get(Became.UNKNOWN, (0, 0))
    if not count:
        return
    name, why = name_text(view.account), view.estimate.unknown
    what = (
        f"Callers of account {name} get the safe option, as nothing is known of room: {why}"
        if why
        else f"Callers of account {name} got the safe option, as nothing was known of room: the"
        f" last at {_clock(last_ms)}; room is known now"
    )
    yield Trouble(
        level=Level.WARN,
        order=_ORDER if why else ORDER_OVER,
        over=not why,
        key=key_of("admission.unknown_now", (("account", view.account),)),
        hit=count,
        what=sentence(what),
        callers=f"{callers_text(count)} got it in the last minute.",
        todo="See on the page Capacity whether Exotel can be asked, and its key and token."
        if why
        else "",
        page="/capacity",
    )


def _clock(at_ms: int) -> str:
    return f"{(EPOCH + timedelta(milliseconds=at_ms)).astimezone(IST):%H:%M:%S} IST"

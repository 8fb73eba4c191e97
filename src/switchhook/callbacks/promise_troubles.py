"""What is wrong with promises, in words: late ones, nobody who dials, nobody who talks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.dialling import allow_command
from switchhook.errors import sentence
from switchhook.troubles.metrics import key_of
from switchhook.troubles.text import callers_text, name_text
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.callbacks.known import AccountPromises

_ORDER = 3
"""After what fails callers now: these were failed before."""


def promise_troubles(known: Sequence[AccountPromises]) -> Iterable[Trouble]:
    """Each is told once an alert of its key fires."""
    for each in known:
        if each.exotel_refuses:
            yield _refused(each)
        elif each.off:
            yield _off(each)
        elif each.late:
            yield _late(each)
        if each.abandoned:
            yield _abandoned(each)
        if each.refuted:
            yield _refuted(each)


def _refused(of: AccountPromises) -> Trouble:
    name, waiting = name_text(of.account), _waiting(of.waiting)
    return Trouble(
        level=Level.BAD,
        order=_ORDER,
        key=_key("dialling.refused", of),
        covers=(_key("dialling.off", of), _key("promises.late", of)),
        hit=of.waiting,
        what=sentence(f"Nobody of account {name} is called back: {of.dialling.stopped}"),
        since_ms=of.dialling.stopped_ms,
        callers=waiting,
        fault="At fault: the account at Exotel.",
        todo=f"Mend it there, then: `{allow_command(of.account)}`.",
        page="/promises",
    )


def _off(of: AccountPromises) -> Trouble:
    name, dialling = name_text(of.account), of.dialling
    why = "nobody has allowed it to dial yet"
    if dialling.stopped:
        why = f"{dialling.stopped_by} has stopped dialling ({dialling.stopped})"
    return Trouble(
        level=Level.WARN,
        order=_ORDER,
        key=_key("dialling.off", of),
        covers=(_key("promises.late", of),),
        hit=of.waiting,
        what=sentence(f"Promises of account {name} wait, as {why}"),
        since_ms=dialling.stopped_ms,
        callers=_waiting(of.waiting),
        todo=f"An administrator allows it: `{allow_command(of.account)}`. Or cancel what waits.",
        page="/promises",
    )


def _late(of: AccountPromises) -> Trouble:
    promises, their = f"{of.late:,} promises", "their"
    if of.late == 1:
        promises, their = "1 promise", "its"
    return Trouble(
        level=Level.WARN,
        order=_ORDER,
        key=_key("promises.late", of),
        hit=of.late,
        what=sentence(f"{promises} of account {name_text(of.account)} will miss {their} time"),
        callers=_waiting(of.waiting),
        fault="At fault: too few free streams, calling hours that end, or what is paused.",
        todo="Free streams, or ask Exotel for more; hold campaigns back.",
        page="/promises",
    )


def _abandoned(of: AccountPromises) -> Trouble:
    name = name_text(of.account)
    called = "1 person" if of.abandoned == 1 else f"{of.abandoned:,} people"
    was = "was" if of.abandoned == 1 else "were"
    return Trouble(
        level=Level.WARN,
        order=_ORDER,
        key=_key("callbacks.abandoned", of),
        hit=of.abandoned,
        what=sentence(
            f"{called} {was} called back by account {name} within an hour, answered, and nobody"
            " talked to them"
        ),
        callers="The law counts these as abandoned calls.",
        fault="At fault: the flow that callbacks lead into, or its bot.",
        todo="Call that flow, and listen; until it works:"
        f" `switchhook promises stop-dialling {of.account}`.",
        page="/promises",
    )


def _refuted(of: AccountPromises) -> Trouble:
    asked = "A callback was" if of.refuted == 1 else f"{of.refuted:,} callbacks were"
    calls = "a call" if of.refuted == 1 else "calls"
    return Trouble(
        level=Level.WARN,
        order=_ORDER,
        key=_key("promises.refuted", of),
        what=sentence(
            f"{asked} asked for within an hour of {calls} that Exotel's account"
            f" {name_text(of.account)} does not know"
        ),
        callers="Nobody was dialled.",
        fault="At fault: whoever sends them; they have an endpoint's secret.",
        todo="Make another secret, and see on the page Promises where they came from.",
        page="/promises",
    )


def _waiting(count: int) -> str:
    return f"{callers_text(count)} to be called back." if count else ""


def _key(figure: str, of: AccountPromises) -> str:
    return key_of(figure, (("account", of.account),))

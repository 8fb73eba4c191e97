"""What is wrong with a machine that answers callers, in words; of one of several nodes, with which.

Pure. Each is told once an alert of its key fires.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.errors import sentence
from switchhook.metrics import value_text
from switchhook.troubles.metrics import key_of
from switchhook.troubles.text import name_text
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.overview.machine_metrics import SeenMachine

_FULL = 0.03


def machine_troubles(seen: SeenMachine) -> Iterable[Trouble]:
    """Those of one machine."""
    if seen.gone:
        return
    yield _of_disk(seen)
    machine = seen.machine
    if machine.refused:
        yield _of_refused(seen)
    if not seen.node:
        return  # what is damaged, and what does not answer, the page tells by itself
    if machine.damaged:
        yield _of_damage(seen)
    if machine.answers is False and not _full(seen):
        yield _silent(seen)


def _full(seen: SeenMachine) -> bool:
    free = seen.machine.free_share
    return free is not None and free < _FULL


def _key(seen: SeenMachine, figure: str) -> str:
    return key_of(figure, seen.labels)


def _of_disk(seen: SeenMachine) -> Trouble:
    machine, full = seen.machine, _full(seen)
    if full and machine.answers is False:
        return Trouble(
            level=Level.BAD,
            order=0,
            key=_key(seen, "answer.unreachable"),
            covers=_covered(seen),
            what=f"{_who(seen)} does not answer callers, and {_its_disk(seen)} is full.",
            callers=_elsewhere(seen) or "Each caller takes what the flow does without an answer.",
            fault=_fault(seen),
            todo="Make room on it: without that, the side that answers can't start again.",
        )
    if machine.waiting:
        return _of_waiting(seen, full=full)
    free = value_text(machine.free_share, "share")
    return Trouble(
        level=Level.WARN,
        order=4,
        key=_key(seen, "disk.free_share"),
        what=f"The {_disk(seen)} is {'' if full else 'nearly '}full: {free} is free.",
        callers="Callers are answered all the same; without room receipts wait in memory.",
        fault=_fault(seen),
        todo="Make room on it, or keep less: see the retention settings.",
    )


def _of_waiting(seen: SeenMachine, *, full: bool) -> Trouble:
    where = f"in memory of node {name_text(seen.node)}" if seen.node else "in memory"
    why = "is full" if full else "does not take them"
    return Trouble(
        level=Level.BAD,
        order=0,
        key=_key(seen, "receipts.waiting"),
        covers=_covered(seen),
        what=f"Receipts wait {where}, as {_its_disk(seen)} {why}.",
        callers="Callers are answered all the same. A restart would lose what waits.",
        fault=_fault(seen),
        todo=f"{'Make room on it' if full else 'See why it does not write'}, and restart nothing"
        " before.",
    )


def _covered(seen: SeenMachine) -> tuple[str, ...]:
    """What the alerts of a disk tell of as well."""
    return _key(seen, "disk.free_share"), key_of("answer.missed_deadlines", ())


def _who(seen: SeenMachine) -> str:
    return f"Node {name_text(seen.node)}" if seen.node else "Switchhook"


def _disk(seen: SeenMachine) -> str:
    return f"disk of node {name_text(seen.node)}" if seen.node else "data folder's disk"


def _its_disk(seen: SeenMachine) -> str:
    return "its disk" if seen.node else "the data folder's disk"


def _fault(seen: SeenMachine) -> str:
    return f"At fault: the {_disk(seen)}." if seen.node else "At fault: Switchhook's disk."


def _elsewhere(seen: SeenMachine) -> str:
    return "The balancer sends its callers to the other nodes." if seen.node else ""


def _there(said: str, seen: SeenMachine) -> str:
    """With the node, in what it is called later, too (`message.heard_of`)."""
    what, colon, why = said.partition(": ")
    return f"{what} on node {name_text(seen.node)}{colon}{why}" if seen.node else said


def _of_refused(seen: SeenMachine) -> Trouble:
    count, (what, _, rest) = seen.machine.refused or 0, seen.machine.refusal.partition("; ")
    more = f"{count - 1} more: see `switchhook check`." if count > 1 else ""
    return Trouble(
        level=Level.WARN,
        order=6,
        key=_key(seen, "rules.refused"),
        what=sentence(_there(what, seen)),
        callers=sentence(rest) if rest else "",
        went=more,
        fault="At fault: a file of yours.",
        todo="Mend it: it is taken over at once, and `switchhook check` says whether it can be.",
        page="/endpoints",
    )


def _of_damage(seen: SeenMachine) -> Trouble:
    count = seen.machine.damaged or 0
    return Trouble(
        level=Level.WARN,
        order=4,
        key=_key(seen, "files.damaged"),
        what=sentence(_there(seen.machine.damage, seen)),
        callers="Callers are answered all the same.",
        went=f"{count - 1} more: see `switchhook doctor` there." if count > 1 else "",
        fault="At fault: Switchhook itself, or its disk.",
        todo=sentence(seen.machine.mend),
    )


def _silent(seen: SeenMachine) -> Trouble:
    return Trouble(
        level=Level.BAD,
        order=0,
        key=_key(seen, "answer.unreachable"),
        what=f"Node {name_text(seen.node)} does not answer callers.",
        callers=_elsewhere(seen),
        fault="At fault: Switchhook there.",
        todo="Start it again: `switchhook serve`; its log says why it ended.",
    )

"""What runs against what the ledger has: what nobody released is recorded. Pure.

What runs is in the data folder. It changes without the ledger when somebody edits a file in place,
by an undo beside the console, and when a process ends between changing it and keeping that.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from switchhook.releases.acts import Situation
from switchhook.releases.release import ReleaseState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.releases.release import Standing
    from switchhook.releases.running import RunningText

DAMAGED = "its copy in the data folder was damaged"
_TAKEN_OUT = "it was taken out of the data folder"
MOST_EARLIER = 10
"""As many texts of before are recorded with the one that runs."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded of a subject.

    `runs` is what runs without the ledger having it so, None where that is in order: the text of
    release `number`, or a new one for None. `earlier` is what ran since the ledger knew what ran,
    oldest first, with the releases of those texts, so that a rollback goes back to it. `retires` is
    the release that ran, if any, `stops` the candidate, which was held against it or can't decide
    any more, for the reason `why`. With none of them, the data folder has a candidate that is none.
    """

    subject: str
    runs: RunningText | None = None
    number: int | None = None
    earlier: tuple[tuple[RunningText, int | None], ...] = ()
    retires: int | None = None
    stops: int | None = None
    why: str = ""


def taken_of(
    running: Iterable[RunningText],
    candidates: Mapping[str, int],
    standings: Sequence[Standing],
    ran: Callable[[str], Iterable[RunningText]],
) -> tuple[Taken, ...]:
    """What the ledger doesn't have of what runs; `candidates` are those in the data folder.

    `ran` gives what ran before what runs, of a subject, the nearest first.
    """
    found = []
    for each in running:
        there = Situation(tuple(s for s in standings if s.release.subject == each.subject))
        taken = _ran(each, there, ran) or _lost(each.subject, candidates.get(each.subject), there)
        if taken is not None:
            found.append(taken)
    return tuple(found)


def _ran(
    runs: RunningText, there: Situation, ran: Callable[[str], Iterable[RunningText]]
) -> Taken | None:
    full, candidate = there.full, there.candidate
    if full is not None and full.release.hash == runs.hash:
        return None
    number = _release_of(runs, there)
    stops = None
    if candidate is not None and candidate.release.number != number:
        stops = candidate.release.number
    return Taken(
        subject=runs.subject,
        runs=runs,
        number=number,
        earlier=_earlier(ran(runs.subject), there),
        retires=None if full is None else full.release.number,
        stops=stops,
        why="something else runs than what it was held against" if stops is not None else "",
    )


def _release_of(runs: RunningText, there: Situation) -> int | None:
    """The release of a text: the one that it was put in place as, else the newest."""
    same = [
        each.release.number
        for each in there.standings
        if each.release.hash == runs.hash and each.can_be_used
    ]
    return runs.release if runs.release in same else (same[-1] if same else None)


def _earlier(
    ran: Iterable[RunningText], there: Situation
) -> tuple[tuple[RunningText, int | None], ...]:
    """What ran after what the ledger has as running; all that ran, where it has nothing."""
    found: list[tuple[RunningText, int | None]] = []
    full = there.full
    for each in islice(ran, MOST_EARLIER):
        if full is not None and each.hash == full.release.hash:
            return tuple(reversed(found))
        found.append((each, _release_of(each, there)))
    return tuple(reversed(found)) if full is None else ()


def _lost(subject: str, kept: int | None, there: Situation) -> Taken | None:
    """What the data folder has as a candidate, and the ledger has not; or the other way round."""
    candidate = there.candidate
    number = None
    if candidate is not None and candidate.state is ReleaseState.CANARY:
        number = candidate.release.number
    if kept == number:
        return None
    gone = DAMAGED if kept == 0 else _TAKEN_OUT
    why = gone if number is not None else ""
    return Taken(subject=subject, stops=number, why=why)

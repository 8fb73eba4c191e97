"""Releases, kept: their texts, what was done to them by whom, and what was found out about them.

What decides callers stands in the data folder, and goes on deciding whatever becomes of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import and_, func, select, update

from switchhook.access.audit_ledger import append
from switchhook.errors import ReleaseError
from switchhook.ledger.sql import add, has_room, put
from switchhook.releases.acts import Move, Situation, change_of, reason_of
from switchhook.releases.doubts import SWITCHHOOK
from switchhook.releases.release import (
    CANDIDATE,
    ReleaseAct,
    ReleaseState,
    Standing,
    Step,
)
from switchhook.releases.rows_ledger import (
    RELEASES,
    REPORTS,
    STEPS,
    TABLES,
    Made,
    Said,
    hash_of,
    json_of,
    standing_of,
    step_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger
    from switchhook.releases.acts import ActWanted, Check, ReleaseChange
    from switchhook.releases.reconcile import Taken
    from switchhook.releases.running import RunningText

__all__ = ["TABLES", "LedgerReleases", "NewRelease", "Report", "hash_of"]

_COUNTERS = (RELEASES.c.number, STEPS.c.id)
LARGEST_TEXT = 1_000_000
"""Characters of a release."""


class NewRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is to be a release of a subject; `problems` are why it can't run now."""

    subject: str
    text: str
    author: str
    reason: str
    problems: tuple[str, ...] = ()
    by_file: bool = False


class Report(msgspec.Struct, frozen=True):
    """What was found out about a release: by a back-test, in shadow, in its canary."""

    number: int
    kind: str
    at_ms: int
    body: bytes


class LedgerReleases:
    """The releases in the ledger. Any thread, and commands beside the console. Raises LedgerError.

    What is decided by what there is, is decided within the transaction that changes it: of two who
    act at once the second is told what the first did.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def add(
        self,
        new: NewRelease,
        now_ms: int,
        deed: Callable[[Standing], Deed] | None = None,
    ) -> tuple[Standing, bool]:
        """The release of a text, and whether it is new. Raises ReleaseError.

        The newest of the same text is it, unless it is frozen: that text gets another number.
        """
        with self._ledger.writing() as connection:
            return _added(connection, new, now_ms, deed)

    def act(
        self,
        number: int,
        wanted: ActWanted,
        now_ms: int,
        *,
        check: Check,
        apply: Callable[[ReleaseChange], None] = lambda change: None,
        deed: Callable[[ReleaseChange], Deed] | None = None,
    ) -> ReleaseChange:
        """Do it, and say what changed. Raises ReleaseError, which has changed nothing.

        `apply` is called before it is kept; what it raises leaves all as it was kept. It raises no
        OSError, which the ledger would take for its own.
        """
        with self._ledger.writing() as connection:
            there = _situation(connection, number)
            change = change_of(number, wanted, there, check)
            _keep(connection, change, now_ms)
            if deed is not None:
                append(connection, deed(change), now_ms * 1000)
            apply(change)
            return change

    def reconcile(
        self,
        decide: Callable[[Sequence[Standing]], Sequence[Taken]],
        now_ms: int,
        apply: Callable[[Sequence[Standing]], None] = lambda candidates: None,
    ) -> tuple[Standing, ...]:
        """Record what `decide` says of all releases; those that changed.

        It is asked once without a transaction: mostly there is nothing to record. `apply` is told
        which candidates there are then.
        """
        if not decide(self.standings()):
            return ()
        with self._ledger.writing() as connection:
            changed = [
                number
                for each in decide(_standings(connection))
                for number in _taken(connection, each, now_ms)
            ]
            standings = _standings(connection)
            apply([each for each in standings if each.state in CANDIDATE])
            return tuple(each for each in standings if each.release.number in changed)

    def newest(self) -> tuple[int, int]:
        """The newest release and the newest step: where both are the same, nothing was done."""
        with self._ledger.reading() as connection:
            found = (connection.scalar(select(func.max(each))) for each in _COUNTERS)
            release, step = (number or 0 for number in found)
            return release, step

    def standing(self, number: int) -> Standing | None:
        """The release of that number."""
        if not has_room(number):
            return None
        with self._ledger.reading() as connection:
            found = _standings(connection, RELEASES.c.number == number)
        return found[0] if found else None

    def standings(self, subject: str | None = None) -> tuple[Standing, ...]:
        """All, or those of a subject, oldest first."""
        with self._ledger.reading() as connection:
            return _standings(connection, *_of(subject))

    def candidate(self, subject: str) -> Standing | None:
        """What is in shadow or in canary."""
        return Situation(self.standings(subject)).candidate

    def candidates(self) -> tuple[Standing, ...]:
        """What is in shadow or in canary, of all subjects."""
        states = [each.value for each in CANDIDATE]
        with self._ledger.reading() as connection:
            return _standings(connection, RELEASES.c.state.in_(states))

    def full(self, subject: str) -> Standing | None:
        """What runs."""
        return Situation(self.standings(subject)).full

    def situation(self, subject: str) -> Situation:
        """What there is of a subject, and what was done."""
        with self._ledger.reading() as connection:
            return _situation_of(connection, subject)

    def steps(self, number: int | None = None, limit: int = 1_000) -> list[Step]:
        """What was done to a release, or to all; the newest of them, oldest first."""
        asked = select(STEPS).where(_known_step()).order_by(STEPS.c.id.desc()).limit(limit)
        if number is not None:
            asked = asked.where(STEPS.c.number == number)
        with self._ledger.reading() as connection:
            return [step_of(row) for row in connection.execute(asked)][::-1]

    def report(self, number: int, kind: str, body: bytes, now_ms: int) -> None:
        """Keep what was found out, in the place of what was known of that kind."""
        with self._ledger.writing() as connection:
            put(connection, REPORTS, number=number, kind=kind, at_ms=now_ms, body=body)

    def reports(self, number: int) -> dict[str, Report]:
        """What was found out about a release, by kind."""
        asked = select(REPORTS).where(REPORTS.c.number == number).order_by(REPORTS.c.kind)
        with self._ledger.reading() as connection:
            return {
                row.kind: Report(row.number, row.kind, row.at_ms, row.body)
                for row in connection.execute(asked)
            }


# Reading. A row that can't be read stands for itself all the same, and says so.


def _of(subject: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if subject is None else (RELEASES.c.subject == subject,)


def _standings(connection: Connection, *where: ColumnElement[bool]) -> tuple[Standing, ...]:
    asked = select(RELEASES).where(*where).order_by(RELEASES.c.number)
    return tuple(standing_of(row) for row in connection.execute(asked))


def _known_step() -> ColumnElement[bool]:
    """What is damaged, or of a newer release of ours, is no step that anybody can tell."""
    return and_(
        STEPS.c.act.in_([each.value for each in ReleaseAct]),
        STEPS.c.to.in_([each.value for each in ReleaseState]),
    )


def _situation(connection: Connection, number: int) -> Situation:
    of = select(RELEASES.c.subject).where(RELEASES.c.number == number)
    subject = connection.scalar(of)
    return Situation(()) if subject is None else _situation_of(connection, subject)


def _situation_of(connection: Connection, subject: str) -> Situation:
    asked = select(STEPS).where(STEPS.c.subject == subject, _known_step()).order_by(STEPS.c.id)
    return Situation(
        _standings(connection, RELEASES.c.subject == subject),
        tuple(step_of(row) for row in connection.execute(asked)),
    )


# Writing.


def _added(
    connection: Connection,
    new: NewRelease,
    now_ms: int,
    deed: Callable[[Standing], Deed] | None,
) -> tuple[Standing, bool]:
    _check_text(new.text)
    there = Situation(_standings(connection, RELEASES.c.subject == new.subject))
    same = [each for each in there.standings if each.release.hash == hash_of(new.text)]
    if same and same[-1].can_be_used:
        return _seen_again(connection, same[-1], new), False
    full = there.full
    number = _insert(connection, new, None if full is None else full.release.number, now_ms)
    (standing,) = _standings(connection, RELEASES.c.number == number)
    if deed is not None:
        append(connection, deed(standing), now_ms * 1000)
    return standing, True


def _check_text(text: str) -> None:
    if len(text) > LARGEST_TEXT:
        hint = f"at most {LARGEST_TEXT:,} characters"
        raise ReleaseError(f"a text of {len(text):,} characters is no release", hint)
    if "\0" in text or (not text.isascii() and text != text.encode("utf-8", "replace").decode()):
        raise ReleaseError("it has characters that no text has", "save it as UTF-8")


def _seen_again(connection: Connection, standing: Standing, new: NewRelease) -> Standing:
    """A draft's problems as they are now; nothing else changes by its being seen again."""
    if standing.state is not ReleaseState.DRAFT or standing.problems == new.problems:
        return standing
    said = Said(by=standing.by, reason=standing.reason, problems=new.problems)
    this = RELEASES.c.number == standing.release.number
    connection.execute(update(RELEASES).where(this).values(said=json_of(said)))
    return msgspec.structs.replace(standing, problems=new.problems)


def _insert(connection: Connection, new: NewRelease, parent: int | None, now_ms: int) -> int:
    made = Made(new.author, reason_of(new.reason), now_ms, parent, new.by_file)
    state = ReleaseState.DRAFT if new.problems else ReleaseState.CHECKED
    return add(
        connection,
        RELEASES,
        subject=new.subject,
        hash=hash_of(new.text),
        text=new.text,
        made=json_of(made),
        state=state.value,
        since_ms=now_ms,
        share=0,
        said=json_of(Said(by=new.author, problems=new.problems)),
    )


def _keep(connection: Connection, change: ReleaseChange, now_ms: int) -> None:
    wanted = change.wanted
    for move in change.moves:
        said = Said(by=wanted.by, reason=wanted.reason, share=move.share, evidence=wanted.evidence)
        _move(connection, change.subject, move, said, now_ms)


def _move(connection: Connection, subject: str, move: Move, said: Said, now_ms: int) -> None:
    add(
        connection,
        STEPS,
        subject=subject,
        number=move.number,
        act=move.act.value,
        to=move.to.value,
        at_ms=now_ms,
        said=json_of(said),
    )
    this = update(RELEASES).where(RELEASES.c.number == move.number)
    connection.execute(
        this.values(state=move.to.value, since_ms=now_ms, share=move.share, said=json_of(said))
    )


def _taken(connection: Connection, taken: Taken, now_ms: int) -> list[int]:
    """Keep what runs, and what ends by it; the numbers of all that changed."""
    changed = []

    def move(number: int, act: ReleaseAct, to: ReleaseState, said: Said, at_ms: int) -> None:
        changed.append(number)
        _move(connection, taken.subject, Move(number, act, to), said, at_ms)

    last = taken.retires
    ran = [*taken.earlier, *([(taken.runs, taken.number)] if taken.runs is not None else [])]
    for runs, known in ran:
        said, at_ms = Said(by=runs.by), min(now_ms, runs.at_ms or now_ms)
        if last is not None:
            move(last, ReleaseAct.SUPERSEDE, ReleaseState.RETIRED, said, at_ms)
        last = known or _insert_running(connection, taken.subject, runs, last, at_ms)
        move(last, ReleaseAct.PROMOTE, ReleaseState.FULL, said, at_ms)
    if taken.stops is not None:
        said = Said(by=SWITCHHOOK, evidence=taken.why)
        move(taken.stops, ReleaseAct.STOP, ReleaseState.CHECKED, said, now_ms)
    return changed


def _insert_running(
    connection: Connection, subject: str, runs: RunningText, parent: int | None, at_ms: int
) -> int:
    new = NewRelease(
        subject=subject,
        text=runs.text,
        author=runs.by,
        reason="it ran already" if parent is None else "it was changed in place",
        by_file=True,
    )
    return _insert(connection, new, parent, at_ms)

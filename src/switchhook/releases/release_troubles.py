"""What is wrong with releases, in words: what was taken back, and what nobody watches. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import sentence
from switchhook.exotel.times import MINUTE_MS
from switchhook.metrics import duration_text
from switchhook.releases.acts import share_words, subject_words
from switchhook.releases.release import ReleaseState, Standing, Step
from switchhook.releases.view import RolloutView, ShadowView
from switchhook.rules.rollout import subject_of
from switchhook.troubles.at_fault import Canary
from switchhook.troubles.metrics import key_of
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LAG_MS = MINUTE_MS
"""A console that is so far behind watches nothing."""


class TakenBack(msgspec.Struct, frozen=True):
    """A canary that was ended by itself, by `step`; `share` is what it had."""

    number: int
    subject: str
    share: int
    step: Step


class ReleasesSeen(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at: candidates and how they stand, and what was taken back of late.

    `frozen` harmed callers; of `damaged` the copy in the data folder was damaged, and nobody has
    done anything about their subjects since. `behind_ms` is how long ago everything was heard, None
    while nobody knows.
    """

    candidates: tuple[tuple[Standing, RolloutView | ShadowView], ...] = ()
    frozen: tuple[TakenBack, ...] = ()
    damaged: tuple[TakenBack, ...] = ()
    behind_ms: int | None = 0


def harmed(seen: ReleasesSeen) -> tuple[TakenBack, ...]:
    """What people are to be told of: until another release of the same is on its way."""
    begun = {each.release.subject: each.since_ms for each, _ in seen.candidates}
    newest = {each.subject: each for each in seen.frozen}
    return tuple(
        each
        for each in newest.values()
        if begun.get(each.subject, each.step.at_ms) <= each.step.at_ms
    )


def canaries_by_pool(
    seen: ReleasesSeen,
    tried: Mapping[str, Sequence[str]],
    taken_back: Mapping[int, Iterable[str]] = {},
) -> dict[str, Canary]:
    """The releases whose canaries send calls to a pool, or did until they harmed callers, by pool.

    `tried` are the endpoints whose candidates do, by the pool; `taken_back` the pools of what was.
    """
    numbers = {
        each.release.subject: each.release.number
        for each, _ in seen.candidates
        if each.state is ReleaseState.CANARY
    }
    ended = {
        pool: Canary(each.number, taken_back=True)
        for each in harmed(seen)
        for pool in taken_back.get(each.number, ())
    }
    return ended | {
        pool: Canary(numbers[subject])
        for pool, endpoints in tried.items()
        for subject in map(subject_of, endpoints)
        if subject in numbers
    }


def release_troubles(seen: ReleasesSeen) -> Iterable[Trouble]:
    """Each is told once an alert of its key fires."""
    for frozen in harmed(seen):
        yield _taken_back(frozen)
    yield from map(_damaged, seen.damaged)
    for standing, view in seen.candidates:
        if isinstance(view, RolloutView):
            yield _unwatched(standing, view, seen.behind_ms)


def _labels(number: int, subject: str) -> tuple[tuple[str, str], ...]:
    return ("release", str(number)), ("subject", subject)


def _taken_back(frozen: TakenBack) -> Trouble:
    number, of = frozen.number, subject_words(frozen.subject)
    at = f", at {share_words(frozen.share)}," if frozen.share else ""
    return Trouble(
        level=Level.WARN,
        order=1,
        key=key_of("release.harmed", _labels(number, frozen.subject)),
        over=True,
        what=sentence(f"Release {number} of {of}{at} harmed callers and was taken back by itself"),
        since_ms=frozen.step.at_ms,
        callers="What ran before it decides for all callers again."
        f" {sentence(frozen.step.evidence)}",
        fault=f"At fault: release {number}.",
        todo=f"See whom it hit, and why: `switchhook release show {number}`.",
        page=f"/releases/{number}",
    )


def _damaged(ended: TakenBack) -> Trouble:
    number, of = ended.number, subject_words(ended.subject)
    share = share_words(ended.share).replace(" ", "") if ended.share else "SHARE"
    return Trouble(
        level=Level.WARN,
        order=3,
        key=key_of("release.damaged", _labels(number, ended.subject)),
        what=sentence(
            f"The canary of release {number} of {of} was stopped by itself: {ended.step.evidence}"
        ),
        since_ms=ended.step.at_ms,
        callers="What ran before it decides for all callers again; nobody was harmed.",
        fault="At fault: the disk, or whoever wrote into the data folder.",
        todo="Look at the disk. Then begin the canary again, with the same callers:"
        f" `switchhook release canary {number} {share}`.",
        page=f"/releases/{number}",
    )


def _unwatched(standing: Standing, view: RolloutView, behind_ms: int | None) -> Trouble:
    number = standing.release.number
    behind = "has not caught up with the journal yet"
    if behind_ms is not None:
        behind = f"is {duration_text(behind_ms / 1000)} behind the journal or its ledger"
    return Trouble(
        level=Level.WARN,
        order=3,
        key=key_of("release.unwatched", _labels(number, standing.release.subject)),
        what=sentence(
            f"Nobody watches the canary of release {number}, at {share_words(view.share)}: the "
            f"console {behind}"
        ),
        callers="After 5 min of it what ran before decides for all callers, until somebody does.",
        fault="At fault: Switchhook itself, or its disk.",
        todo=f"See why, or end the canary: `switchhook release stop {number}`.",
        page=f"/releases/{number}",
    )

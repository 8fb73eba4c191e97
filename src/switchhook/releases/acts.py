"""What follows from an act on a release: which releases move, and what then runs. Pure.

What is refused is a `ReleaseError`, which names what stands in the way and what to do instead.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import ReleaseError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.releases.doubts import SWITCHHOOK, doubts_of, taken_back
from switchhook.releases.release import CANDIDATE, DONE, NEXT, ReleaseAct, ReleaseState, ran_before
from switchhook.rules.rollout import BUCKETS, POOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.releases.release import Release, Standing, Step

    Check = Callable[[Release], Sequence[str]]
    """Why a release can't run now, a line each; nothing where it can."""

LONGEST_REASON = 300
BY_PEOPLE = tuple(
    each for each in ReleaseAct if each not in (ReleaseAct.SUPERSEDE, ReleaseAct.FREEZE)
)
"""What people may want; the others follow from what else is done, or from evidence of harm."""
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff]")
_S, _A = ReleaseState, ReleaseAct


class ActWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants done to a release: an act, by whom, and why, where that needs saying.

    `share` is a canary's, in parts of 10,000. `to` is the release that a rollback is to go back to,
    None for the one that ran before. `seen_ms` is the `since_ms` of the state that whoever acts had
    before their eyes, None where they had none. `evidence` is what an act rests on, in words.
    `again` says that a text which harmed callers is meant all the same.
    """

    act: ReleaseAct
    by: str
    reason: str = ""
    share: int = 0
    to: int | None = None
    seen_ms: int | None = None
    evidence: str = ""
    again: bool = False


class Situation(msgspec.Struct, frozen=True):
    """What there is of a subject: its releases, oldest first, and what was done to them."""

    standings: tuple[Standing, ...]
    steps: tuple[Step, ...] = ()

    def of(self, number: int) -> Standing | None:
        return next((each for each in self.standings if each.release.number == number), None)

    @property
    def full(self) -> Standing | None:
        """What runs."""
        return next((each for each in self.standings if each.state is _S.FULL), None)

    @property
    def candidate(self) -> Standing | None:
        """What is in shadow or in canary."""
        return next((each for each in self.standings if each.state in CANDIDATE), None)

    @property
    def before(self) -> Standing | None:
        """What a rollback of what runs goes back to."""
        ran = ran_before(self.steps)
        return self.of(ran[-2]) if len(ran) > 1 else None


class Move(msgspec.Struct, frozen=True):
    """One release's step to another state; `share` is of a canary."""

    number: int
    act: ReleaseAct
    to: ReleaseState
    share: int = 0


class ReleaseChange(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from an act.

    `runs` is what then decides for all, None where that stays; `proposes` what then can decide for
    a share beside it, and `withdraws` whether nothing does any more. `said` is the change in words,
    `warnings` are what speaks against it, a sentence each.
    """

    subject: str
    wanted: ActWanted
    moves: tuple[Move, ...]
    said: str
    runs: Release | None = None
    proposes: Release | None = None
    withdraws: bool = False
    warnings: tuple[str, ...] = ()


def change_of(number: int, wanted: ActWanted, there: Situation, check: Check) -> ReleaseChange:
    """What an act on a release changes. Raises ReleaseError."""
    standing = there.of(number)
    if standing is None:
        raise ReleaseError(f"there is no release {number}", "see: switchhook release list")
    if wanted.seen_ms is not None and wanted.seen_ms != standing.since_ms:
        raise ReleaseError(f"release {number} {_meanwhile(standing, there)}", "look at it again")
    if wanted.reason.strip():
        wanted = msgspec.structs.replace(wanted, reason=reason_of(wanted.reason))
    match wanted.act:
        case _A.CHECK:
            return _checked(standing, wanted, there, check)
        case _A.SHADOW | _A.CANARY:
            return _proposed(standing, wanted, there, check)
        case _A.PROMOTE:
            return _promoted(standing, wanted, there, check)
        case _A.ROLL_BACK if standing.state is _S.FULL:
            return _back(standing, wanted, there, check)
        case _A.STOP | _A.ROLL_BACK | _A.FREEZE:
            return _withdrawn(standing, wanted, there)
        case _A.SUPERSEDE:
            raise ReleaseError("a release is superseded by another alone", "promote the other")


def reason_of(said: str) -> str:
    """Why, with telephone numbers masked. Raises ReleaseError where nobody could read it."""
    reason = said.strip()
    if not _VISIBLE.search(reason):
        raise ReleaseError("it has no reason", "say why, for those who read it tomorrow")
    if len(reason) > LONGEST_REASON:
        raise ReleaseError("its reason is too long", f"at most {LONGEST_REASON} characters")
    return mask_text(reason.replace("\0", " "))


def _meanwhile(standing: Standing, there: Situation) -> str:
    """What was done to a release since somebody looked, by whom, and what it is now."""
    number = standing.release.number
    last = next((each for each in reversed(there.steps) if each.number == number), None)
    now = f"is {state_words(standing)} now"
    if last is None:
        return now
    by = f" by {last.by}" if last.by else ""
    return f"was {DONE[last.act]}{by} meanwhile, and {now}"


def state_words(standing: Standing) -> str:
    """A state as sentences have it: `release 12 is …`."""
    match standing.state:
        case _S.DRAFT:
            return "a draft that doesn't check out"
        case _S.SHADOW:
            return "in shadow"
        case _S.CANARY:
            return f"in canary at {share_words(standing.share)}"
        case _S.FULL:
            return "what runs"
        case state:
            return state.value


def share_words(share: int) -> str:
    """A share in parts of 10,000 as sentences have it: 5 %, 0.25 %."""
    return f"{share / (BUCKETS // 100):.2f}".rstrip("0").rstrip(".") + " %"


def subject_words(subject: str) -> str:
    """A subject as sentences have it."""
    return "the pools" if subject == POOLS else f"the rules of {subject.removeprefix('rules/')}"


def _checked(
    standing: Standing, wanted: ActWanted, there: Situation, check: Check
) -> ReleaseChange:
    _check_whole(standing)
    _check_runs(standing.release, check)
    moves = _from_draft(standing)
    if not moves and standing.state is not _S.CHECKED:
        raise _not_so(standing, wanted.act)
    number = standing.release.number
    return ReleaseChange(
        subject=standing.release.subject,
        wanted=wanted,
        moves=moves,
        said=f"release {number} checks out",
        warnings=_doubts(standing, there),
    )


def _proposed(
    standing: Standing, wanted: ActWanted, there: Situation, check: Check
) -> ReleaseChange:
    release, act = standing.release, wanted.act
    number = release.number
    share = wanted.share if act is _A.CANARY else 0
    if act is _A.CANARY and not 0 < share < BUCKETS:
        promote = f"switchhook release promote {number or 'FILE'}"
        hint = f"above 0 % and below 100 %; for all callers: {promote}"
        raise ReleaseError(f"{share_words(share)} of the callers is no canary", hint)
    first = _from_draft(standing)
    to = _next(standing, act, first)
    if (standing.state, standing.share) == (to, share):
        raise ReleaseError(f"release {number} is {state_words(standing)} already", _NOTHING)
    _check_alone(standing, there)
    _check_whole(standing)
    _check_runs(release, check)
    _check_meant(standing, wanted, there)
    if act is _A.SHADOW:
        said = f"release {number} is in shadow: it decides beside what runs, and answers nobody"
    else:
        callers = "callers" if release.subject != POOLS else "the callers of voicebot endpoints"
        said = f"release {number} decides for {share_words(share)} of {callers}"
    return ReleaseChange(
        subject=release.subject,
        wanted=wanted,
        moves=(*first, Move(number, act, to, share)),
        said=said,
        proposes=release if act is _A.CANARY else None,
        warnings=_doubts(standing, there),
    )


def _promoted(
    standing: Standing, wanted: ActWanted, there: Situation, check: Check
) -> ReleaseChange:
    release = standing.release
    if standing.state is _S.FULL:
        raise ReleaseError(f"release {release.number} is what runs already", _NOTHING)
    first = _from_draft(standing)
    to = _next(standing, wanted.act, first)
    _check_alone(standing, there)
    _check_whole(standing)
    _check_runs(release, check)
    _check_meant(standing, wanted, there)
    full = there.full
    retires = () if full is None else (Move(full.release.number, _A.SUPERSEDE, _S.RETIRED),)
    after = "" if full is None else f", in place of release {full.release.number}"
    return ReleaseChange(
        subject=release.subject,
        wanted=wanted,
        moves=(*retires, *first, Move(release.number, wanted.act, to)),
        said=f"release {release.number} decides for all callers of "
        f"{subject_words(release.subject)}{after}",
        runs=release,
        withdraws=standing.state in CANDIDATE,
        warnings=_doubts(standing, there),
    )


def _back(standing: Standing, wanted: ActWanted, there: Situation, check: Check) -> ReleaseChange:
    """Back from what runs to what ran before; a candidate goes too, for it has nothing to beat."""
    release = standing.release
    number = release.number
    target = there.before if wanted.to is None else there.of(wanted.to)
    if target is None:
        said = "nothing ran before it" if wanted.to is None else f"it has no release {wanted.to}"
        of = release.subject.removeprefix("rules/")
        hint = f"see: switchhook release list {release.subject if of == POOLS else of}"
        raise ReleaseError(f"release {number} of {subject_words(release.subject)}: {said}", hint)
    back = target.release.number
    if back == number or (target.state, _A.PROMOTE) not in NEXT:
        raise ReleaseError(
            f"release {back} is {state_words(target)}", "say one that ran before, by --to"
        )
    try:
        _check_whole(target)
        _check_runs(target.release, check)
    except ReleaseError as error:
        hint = f"release {number} goes on running; go back to another one by --to"
        raise ReleaseError(f"{error.problem}: {error.hint}", hint) from None
    moves = [Move(number, _A.ROLL_BACK, _S.ROLLED_BACK), Move(back, _A.PROMOTE, _S.FULL)]
    candidate, also = there.candidate, ""
    if candidate is not None:
        stopped = candidate.release.number
        if stopped != back:
            moves.append(Move(stopped, _A.STOP, _S.CHECKED))
            also = f"; release {stopped} is stopped, as it was held against release {number}"
    return ReleaseChange(
        subject=release.subject,
        wanted=wanted,
        moves=tuple(moves),
        said=f"release {back} decides for all callers of {subject_words(release.subject)} again"
        + also,
        runs=target.release,
        withdraws=candidate is not None,
    )


def _withdrawn(standing: Standing, wanted: ActWanted, there: Situation) -> ReleaseChange:
    release = standing.release
    to = _next(standing, wanted.act)
    words = {
        _S.CHECKED: "is stopped",
        _S.ROLLED_BACK: "is rolled back",
        _S.FROZEN: "is frozen",
    }[to]
    full = there.full
    runs = "what the configuration says" if full is None else f"release {full.release.number}"
    then = f"{runs} decides for all callers of {subject_words(release.subject)}"
    if standing.state is _S.SHADOW:
        then = "it no longer decides beside what runs"
    return ReleaseChange(
        subject=release.subject,
        wanted=wanted,
        moves=(Move(release.number, wanted.act, to),),
        said=f"release {release.number} {words}: {then}",
        withdraws=True,
    )


_NOTHING = "there is nothing to change"


def _from_draft(standing: Standing) -> tuple[Move, ...]:
    """The step that a draft takes first, which checks out by now."""
    if standing.state is not _S.DRAFT:
        return ()
    return (Move(standing.release.number, _A.CHECK, _S.CHECKED),)


def _next(standing: Standing, act: ReleaseAct, first: Sequence[Move] = ()) -> ReleaseState:
    to = NEXT.get((first[-1].to if first else standing.state, act))
    if to is None:
        raise _not_so(standing, act)
    return to


def _not_so(standing: Standing, act: ReleaseAct) -> ReleaseError:
    """Why a state has no such act, and what it has."""
    number = standing.release.number
    if standing.state is _S.FROZEN:
        hint = "if it wasn't to blame, release its text anew from a file, with a reason and --again"
        return ReleaseError(f"release {number} is frozen: it harmed callers in its canary", hint)
    can = sorted(
        each.value
        for state, each in NEXT
        if state is standing.state and each not in (_A.SUPERSEDE, _A.FREEZE)
    )
    done = {_A.ROLL_BACK: "rolled back", _A.STOP: "stopped", _A.FREEZE: "frozen"}
    words = done.get(act, f"put {act.value}" if act is not _A.CHECK else "checked")
    words = {_A.SHADOW: "put in shadow", _A.CANARY: "put in canary"}.get(act, words)
    problem = f"release {number} is {state_words(standing)}, and can't be {words}"
    return ReleaseError(problem, f"it can: {', '.join(can)}" if can else _NOTHING)


def _check_alone(standing: Standing, there: Situation) -> None:
    other = there.candidate
    if other is None or other.release.number == standing.release.number:
        return
    number = other.release.number
    raise ReleaseError(
        f"release {number} of {subject_words(standing.release.subject)} is {state_words(other)}",
        f"one at a time: `switchhook release stop {number}` first",
    )


def _check_whole(standing: Standing) -> None:
    if standing.flaw:
        hint = "release its text anew, from a file"
        raise ReleaseError(f"release {standing.release.number} {standing.flaw}", hint)


def _doubts(standing: Standing, there: Situation) -> tuple[str, ...]:
    return doubts_of(standing.release, there.standings, there.steps)


def _check_meant(standing: Standing, wanted: ActWanted, there: Situation) -> None:
    """What was taken back goes on by who knows that; another share is as its canary was meant."""
    back = taken_back(standing.release.hash, there.standings, there.steps)
    grows = (standing.state, wanted.act) == (_S.CANARY, _A.CANARY)
    if back is None or grows or wanted.by == SWITCHHOOK:
        return
    shadow = wanted.act is _A.SHADOW
    asked = back.asks(again=wanted.again, reason=wanted.reason, shadow=shadow)
    if asked:
        raise ReleaseError(back.words(standing.release.number), asked)


def _check_runs(release: Release, check: Check) -> None:
    problems = check(release)
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        name = f"release {release.number}" if release.number else "it"
        raise ReleaseError(
            f"{name} doesn't check out: {problems[0]}{more}",
            "release a text that does, or mend what it names",
        )

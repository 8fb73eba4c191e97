"""What the pages show of releases: who decides for whom, and what can be pressed. Pure.

What a person in an incident needs stands first: a subject with something on its way before those
where all is as it was, and in the order of presses that which ends it before that which goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.releases.acts import Situation, share_words
from switchhook.releases.release import NEXT, ReleaseAct, ReleaseState
from switchhook.rules.rollout import POOLS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.releases.doubts import TakenBack
    from switchhook.releases.release import Standing, Step

LEVELS = {
    ReleaseState.DRAFT: "muted",
    ReleaseState.CHECKED: "muted",
    ReleaseState.SHADOW: "live",
    ReleaseState.CANARY: "live",
    ReleaseState.FULL: "good",
    ReleaseState.RETIRED: "muted",
    ReleaseState.ROLLED_BACK: "warn",
    ReleaseState.FROZEN: "bad",
}
"""How a state looks: red is what harmed callers."""
SHARES = (100, 200, 500, 1_000, 2_500, 5_000, 7_500)
"""Those that the page offers for a canary, in parts of 10,000."""
USUAL_SHARE = 500
"""The one that is offered first."""
FRESH_MS = 86_400_000
"""For how long a frozen release stands on top of its subject."""


class SubjectShown(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of one subject, and what there is to tell of beside what runs.

    `told_of` is the candidate, else a release that was frozen lately and whose harm nobody has
    answered with another one; `before` is what a rollback of what runs goes back to.
    """

    subject: str
    title: str
    releases: tuple[Standing, ...]
    full: Standing | None
    candidate: Standing | None
    before: Standing | None
    told_of: Standing | None


def is_quiet(subject: SubjectShown) -> bool:
    """Whether there is nothing to tell of a subject: one release, and all callers have it."""
    return subject.told_of is None and len(subject.releases) == 1


def title_of(subject: str) -> str:
    """A subject as a heading has it: `Rules of sales`, `Pools`."""
    return "Pools" if subject == POOLS else f"Rules of {subject.removeprefix('rules/')}"


def subject_shown(subject: str, there: Situation, now_ms: int) -> SubjectShown:
    """One subject; its releases the newest first."""
    newest = tuple(sorted(there.standings, key=lambda each: -each.release.number))
    frozen = next((each for each in newest if each.state is ReleaseState.FROZEN), None)
    fresh = frozen is not None and now_ms - frozen.since_ms < FRESH_MS
    answered = frozen is not None and any(
        each.release.number > frozen.release.number and each.state is ReleaseState.FULL
        for each in newest
    )
    return SubjectShown(
        subject=subject,
        title=title_of(subject),
        releases=newest,
        full=there.full,
        candidate=there.candidate,
        before=there.before,
        told_of=there.candidate or (frozen if fresh and not answered else None),
    )


def subjects_shown(
    standings: Iterable[Standing], steps: Iterable[Step], now_ms: int
) -> list[SubjectShown]:
    """All subjects, those with something to tell of first, those with harm before all."""
    of: dict[str, list[Standing]] = {}
    subject_by_number: dict[int, str] = {}
    for each in standings:
        of.setdefault(each.release.subject, []).append(each)
        subject_by_number[each.release.number] = each.release.subject
    done: dict[str, list[Step]] = {}
    for step in steps:
        done.setdefault(subject_by_number.get(step.number, ""), []).append(step)
    found = [
        subject_shown(subject, Situation(tuple(theirs), tuple(done.get(subject, ()))), now_ms)
        for subject, theirs in of.items()
    ]
    return sorted(found, key=lambda each: (_urgency(each), each.subject))


_URGENT = (ReleaseState.FROZEN, ReleaseState.CANARY, ReleaseState.SHADOW)


def _urgency(subject: SubjectShown) -> int:
    return len(_URGENT) if subject.told_of is None else _URGENT.index(subject.told_of.state)


def who_decides(subject: SubjectShown, told_share: int | None = None) -> str:
    """For whom which release decides now, in sentences.

    `told_share` is what answer processes know, where that is known and not what was asked for.
    """
    full, candidate = subject.full, subject.candidate
    runs = f"Release {full.release.number}" if full else "What the configuration says"
    if candidate is None:
        return f"{runs} decides for all callers."
    number, others = candidate.release.number, runs[:1].lower() + runs[1:]
    if candidate.state is ReleaseState.SHADOW:
        return (
            f"{runs} decides for all callers. Release {number} decides beside it, and answers"
            " nobody."
        )
    share = candidate.share if told_share is None else told_share
    share = 0 if candidate.problems else share
    if not share:
        return f"{runs} decides for all callers, and release {number} for none just now."
    return f"Release {number} decides for {share_words(share)} of callers, {others} for the rest."


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """Something that can be done to a release: the button's word, and what happens then.

    `doubts` are what speaks against it; where `again`, it has to be said that it is meant.
    """

    act: ReleaseAct
    word: str
    does: str
    danger: bool = False
    shares: tuple[int, ...] = ()
    chosen: int = 0
    doubts: tuple[str, ...] = ()
    again: bool = False


def doubted(press: Press, back: TakenBack | None, number: int, unfinished: str) -> Press:
    """A press with what speaks against it; `again` is whether that has to be confirmed."""
    if press.act not in _GOES_ON:
        return press
    doubts = [] if back is None else [back.words(number)]
    if press.act is ReleaseAct.PROMOTE and unfinished:
        doubts.append(unfinished)
    grows = press.word == _OTHER_SHARE
    again = back is not None and back.harmed and not grows
    return msgspec.structs.replace(press, doubts=tuple(doubts), again=again)


_GOES_ON = (ReleaseAct.SHADOW, ReleaseAct.CANARY, ReleaseAct.PROMOTE)
_OTHER_SHARE = "Change the share"


def presses(standing: Standing, subject: SubjectShown) -> list[Press]:
    """What can be done to a release now, that which ends something first."""
    other = subject.candidate
    alone = other is None or other.release.number == standing.release.number
    wanted: list[Press | None] = [_stop(standing, subject), _roll_back(standing, subject)]
    if alone and not standing.flaw:
        wanted += [_check(standing), _shadow(standing), _canary(standing), _promote(standing)]
    return [each for each in wanted if each is not None and (standing.state, each.act) in NEXT]


def _stop(standing: Standing, subject: SubjectShown) -> Press:
    if standing.state is not ReleaseState.CANARY:
        does = "It decides nothing any more. Callers notice nothing."
        return Press(act=ReleaseAct.STOP, word="Stop the shadow", does=does)
    runs = f"release {subject.full.release.number}" if subject.full else "what ran before"
    does = (
        f"Within a second {runs} decides for all callers. The canary can be begun again, with the"
        " same callers."
    )
    return Press(act=ReleaseAct.STOP, word="Stop the canary", does=does, danger=True)


def _roll_back(standing: Standing, subject: SubjectShown) -> Press | None:
    before = subject.before
    if standing.state is not ReleaseState.FULL or before is None:
        return None  # a canary is stopped, which does the same
    back, also = before.release.number, ""
    if subject.candidate is not None and subject.candidate.release.number != back:
        also = f" Release {subject.candidate.release.number} is stopped."
    return Press(
        act=ReleaseAct.ROLL_BACK,
        word=f"Roll back to release {back}",
        does=f"Within a second release {back} decides for all callers.{also}",
        danger=True,
    )


def _check(standing: Standing) -> Press | None:
    if standing.state is not ReleaseState.DRAFT:
        return None
    does = "Its text is read again, by the configuration as it is now."
    return Press(act=ReleaseAct.CHECK, word="Check it again", does=does)


def _shadow(standing: Standing) -> Press | None:
    if standing.state is ReleaseState.DRAFT:
        return None
    does = (
        "It decides beside what runs, and answers nobody. What it would have done otherwise stands"
        " here."
    )
    return Press(act=ReleaseAct.SHADOW, word="Shadow", does=does)


def _canary(standing: Standing) -> Press | None:
    if standing.state is ReleaseState.DRAFT:
        return None
    now = standing.share
    offered = tuple(each for each in SHARES if each != now)
    return Press(
        act=ReleaseAct.CANARY,
        word=_OTHER_SHARE if now else "Canary",
        does="It decides for that share of callers; each stays on their side as the share grows. If"
        " it harms them, it is taken back by itself.",
        shares=offered,
        chosen=min((each for each in offered if each > now), default=offered[-1])
        if now
        else USUAL_SHARE,
    )


def _promote(standing: Standing) -> Press | None:
    if standing.state is ReleaseState.DRAFT:
        return None
    word = "Run it again" if standing.state in _RAN else "Promote to all callers"
    does = "Within a second it decides for all callers, and its canary does not watch it any more."
    if standing.state is not ReleaseState.CANARY:
        does = "Within a second it decides for all callers, without a canary before."
    return Press(act=ReleaseAct.PROMOTE, word=word, does=does)


_RAN = (ReleaseState.RETIRED, ReleaseState.ROLLED_BACK)

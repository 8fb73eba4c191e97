"""What releasing a folder of texts would do, before it is done. Pure.

A folder has `rules/NAME.toml` for endpoints, and `pools.toml`. What is the same already needs
nothing, so that applying a folder twice does nothing the second time. What runs and has no file in
the folder stays, unless its going is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.releases.acts import Situation, state_words
from switchhook.releases.differences import differences
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.releases.rows_ledger import hash_of
from switchhook.rules.rollout import POOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchhook.releases.release import Standing
    from switchhook.releases.running import RunningText

    Check = Callable[[str, str], Sequence[str]]
    """Why a text of a subject can't run, a line each; nothing where it can."""


class Aim(msgspec.Struct, frozen=True):
    """What is to become of each text: full, or a candidate in shadow or at a share."""

    act: ReleaseAct = ReleaseAct.PROMOTE
    share: int = 0


class FolderText(msgspec.Struct, frozen=True):
    """A text of the folder, and of what it is; `file` is its name there."""

    subject: str
    text: str
    file: str


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done with one subject.

    `does` says whether anything would; `goes` whether it has no file any more. `says` is what
    changes, a phrase each, `problems` why it can't be done. `runs` is the number of the release
    that runs now, None where there is none.
    """

    subject: str
    file: str
    text: str
    does: bool = False
    goes: bool = False
    says: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    runs: int | None = None


def plan_of(
    texts: Iterable[FolderText],
    aim: Aim,
    *,
    running: Iterable[RunningText],
    standings: Sequence[Standing],
    subjects: Sequence[str],
    built_in: Mapping[str, str],
    check: Check,
) -> tuple[Planned, ...]:
    """What would be done, by subject; those that would go last.

    `subjects` are what there can be releases of, `built_in` has the rules that each endpoint has
    where it has none of its own.
    """
    now = {each.subject: each for each in running}
    found = {each.subject: each for each in texts}
    plans = []
    for each in sorted(found.values(), key=lambda each: (each.subject == POOLS, each.subject)):
        there = Situation(tuple(s for s in standings if s.release.subject == each.subject))
        if each.subject not in subjects:
            plans.append(_unknown(each))
        else:
            plans.append(_planned(each, aim, now.get(each.subject), there, check))
    if aim.act is ReleaseAct.PROMOTE:
        plans += [
            _going(subject, built_in[subject], now[subject], standings)
            for subject in subjects
            if subject not in found
            and subject in now
            and now[subject].text != built_in.get(subject, now[subject].text)
        ]
    return tuple(plans)


def _unknown(each: FolderText) -> Planned:
    name = each.subject.removeprefix("rules/")
    said = "there are no pools" if each.subject == POOLS else f"there is no endpoint {name[:80]!r}"
    return Planned(
        subject=each.subject,
        file=each.file,
        text=each.text,
        problems=(f"{said} in the configuration",),
    )


def _planned(
    each: FolderText, aim: Aim, now: RunningText | None, there: Situation, check: Check
) -> Planned:
    full = there.full
    plan = Planned(
        subject=each.subject,
        file=each.file,
        text=each.text,
        runs=None if full is None else full.release.number,
    )
    hash = hash_of(each.text)
    if (now is not None and now.hash == hash) or _is_tried(there.candidate, hash, aim):
        return plan
    problems = (*check(each.subject, each.text), *_in_the_way(hash, there))
    if problems:
        return msgspec.structs.replace(plan, problems=problems)
    before = "" if now is None else now.text
    says = differences(each.subject, before, each.text) if before else ("it is the first",)
    return msgspec.structs.replace(plan, does=True, says=says)


def _in_the_way(hash: str, there: Situation) -> list[str]:
    """What was taken back comes again by nobody's accident; and one is tried at a time."""
    said = []
    same = [each for each in there.standings if each.release.hash == hash]
    if same and same[-1].state is ReleaseState.FROZEN:
        number = same[-1].release.number
        said.append(f"release {number} has this text, and harmed callers: release it by itself")
    if same and same[-1].state is ReleaseState.ROLLED_BACK:
        number = same[-1].release.number
        said.append(
            f"release {number} has this text, and was rolled back by {same[-1].by}: "
            f"`switchhook release promote {number}` if it is meant"
        )
    candidate = there.candidate
    if candidate is not None and candidate.release.hash != hash:
        number = candidate.release.number
        stop = f"`switchhook release stop {number}` first"
        said.append(f"release {number} is {state_words(candidate)}: {stop}")
    return said


def _is_tried(candidate: Standing | None, hash: str, aim: Aim) -> bool:
    """Whether a text is tried already as it is to be, or further on its way than that."""
    if candidate is None or candidate.release.hash != hash or aim.act is ReleaseAct.PROMOTE:
        return False
    return (candidate.state is ReleaseState.CANARY and candidate.share >= aim.share) or (
        aim.act is ReleaseAct.SHADOW
    )


def _going(subject: str, built_in: str, now: RunningText, standings: Sequence[Standing]) -> Planned:
    full = Situation(tuple(s for s in standings if s.release.subject == subject)).full
    return Planned(
        subject=subject,
        file="",
        text=built_in,
        does=True,
        goes=True,
        says=differences(subject, now.text, built_in),
        runs=None if full is None else full.release.number,
    )

"""What speaks against an act on a release, for whoever wants it done. Pure.

A text that harmed callers, or that a person took back, does not come again by accident: whatever
number it has by now, it is known by its hash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.metrics import duration_text
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.releases.view import StageState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.releases.release import Release, Standing, Step
    from switchhook.releases.view import RolloutView

SWITCHHOOK = "Switchhook"
"""Who acts where no person does."""


class TakenBack(msgspec.Struct, frozen=True, kw_only=True):
    """That a text was taken back: as the release `number`, for harm or by a person.

    `evidence` is that of harm, in words.
    """

    number: int
    harmed: bool
    by: str = ""
    reason: str = ""
    evidence: str = ""

    def words(self, number: int = 0) -> str:
        """It in a sentence about the release `number`; 0 is a text that is none yet."""
        mine = self.number == number
        what = f"release {number}" if mine else f"this text is release {self.number}'s, which"
        if self.harmed:
            strength = strength_of(self.evidence)
            return f"{what} harmed callers{f' ({strength})' if strength else ''}"
        why = f": {self.reason}" if self.reason else ""
        return f"{what} was rolled back by {self.by or 'somebody'}{why}"

    def asks(self, *, again: bool, reason: str, shadow: bool) -> str:
        """What has to be said for it to go on all the same; empty where that was said."""
        said = bool(reason.strip())
        if self.harmed and not (again and said):
            return (
                "to go on all the same, say so by --again and why by --reason, in the API by"
                " `again` and `reason`"
            )
        if said or shadow or self.harmed:
            return ""
        return "to go on all the same, say why by --reason, in the API by `reason`"


def taken_back(hash: str, standings: Iterable[Standing], steps: Iterable[Step]) -> TakenBack | None:
    """Whether the text of that hash was taken back, and what ran since does not speak for it.

    Of harm only a canary that went through all of its stages acquits it; a rollback is over once
    somebody let it run for all again.
    """
    same = {each.release.number: each for each in standings if each.release.hash == hash}
    mine = [step for step in steps if step.number in same]
    frozen = [each for each in same.values() if each.state is ReleaseState.FROZEN]
    if frozen and not any(_acquits(step, frozen[-1]) for step in mine):
        last = frozen[-1]
        return TakenBack(number=last.release.number, harmed=True, evidence=last.evidence)
    back = None
    for step in mine:
        if step.act is ReleaseAct.ROLL_BACK:
            back = step
        elif step.to is ReleaseState.FULL:
            back = None
    if back is None:
        return None
    return TakenBack(number=back.number, harmed=False, by=back.by, reason=back.reason)


def doubts_of(
    release: Release, standings: Iterable[Standing], steps: Iterable[Step]
) -> tuple[str, ...]:
    """That a text was taken back, in a sentence; also of one that is no release yet."""
    back = taken_back(release.hash, standings, steps)
    return () if back is None else (back.words(release.number),)


def _acquits(step: Step, frozen: Standing) -> bool:
    full_by_stages = step.to is ReleaseState.FULL and step.by == SWITCHHOOK
    return full_by_stages and step.number > frozen.release.number


def strength_of(evidence: str) -> str:
    """How strong the evidence of a freeze was: `E = 239`."""
    return evidence.partition(" (")[0] if evidence.startswith("E = ") else ""


def unfinished_words(rollout: RolloutView | None, now_ms: int) -> str:
    """That a canary's stage is not done, or nothing where it is."""
    now = [] if rollout is None or rollout.ended_ms is not None else rollout.stages
    stage = next((each for each in now if each.state is StageState.NOW), None)
    if stage is None:
        return "nothing is known of the canary's callers yet"
    if stage.counted < stage.least_callers:
        said = f"the canary has {stage.counted:,} of {stage.least_callers:,} callers"
        waits = stage.decided - stage.callers
        return f"{said}; {waits:,} more came, and can't be judged yet" if waits > 0 else said
    lasted = now_ms - (now_ms if stage.begun_ms is None else stage.begun_ms)
    if lasted < stage.least_ms:
        span, least = (duration_text(max(each, 0) / 1000) for each in (lasted, stage.least_ms))
        return f"the canary has lasted {span} of {least}"
    return ""


def why_words(standing: Standing) -> str:
    """Why a release is as it is, in a cell: of one that was taken back why, else why it was made.

    What was said of the last act on it comes before why it was made.
    """
    said = standing.reason
    match standing.state:
        case ReleaseState.FROZEN:
            strength = strength_of(standing.evidence)
            return f"harmed callers{f': {strength}' if strength else ''}"
        case ReleaseState.ROLLED_BACK:
            return said or f"rolled back by {standing.by or 'somebody'}, without a reason"
        case _:
            return said or standing.release.reason

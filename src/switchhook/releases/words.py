"""Evidence, stages and steps in the words of pages. Pure."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

from switchhook.releases.acts import share_words
from switchhook.releases.release import ReleaseAct
from switchhook.releases.view import StageState
from switchhook.rules.rollout import BUCKETS

if TYPE_CHECKING:
    from switchhook.releases.release import Step
    from switchhook.releases.view import RolloutView, ShadowView, StageView

AXIS_LOW, AXIS_HIGH = 0.25, 16.0
"""The ratios at the ends of the picture of an interval."""


def place_of(ratio: float | None) -> float:
    """Where a ratio stands on an axis by powers of two, 0 to 100; None is beyond its end."""
    if ratio is None or ratio >= AXIS_HIGH:
        return 100.0
    if ratio <= AXIS_LOW:
        return 0.0
    return round(100 * log(ratio / AXIS_LOW) / log(AXIS_HIGH / AXIS_LOW), 1)


_MOST_TOLD = 1_000_000.0


SUSPICIOUS = 0.05
"""From which part of the evidence that is called harm it looks like harm: from an E of 5 of 100."""

NOT_MUCH = 2.0
"""How many times as often as the others its callers may fail at most, for that to be not much."""


def harm_level(rollout: RolloutView) -> str:
    """How a rollout looks: `bad` harms, `warn` may, `good` does not, of `live` little is known."""
    judged = rollout.judged
    if judged is None:
        return "live"
    if judged.harm:
        return "bad"
    if rollout.unwatched or rollout.mix or _looks_harmful(rollout):
        return "warn"
    return "good" if _well_known(rollout) else "live"


def _looks_harmful(rollout: RolloutView) -> bool:
    return rollout.judged is not None and rollout.judged.e >= rollout.harm_at * SUSPICIOUS


def _well_known(rollout: RolloutView) -> bool:
    """Whether harm worth speaking of would have been seen: a stage had the callers that it takes.

    Or whether the evidence itself says that there is not much.
    """
    high = rollout.judged.high if rollout.judged else None
    had = [each for each in rollout.stages if each.state is not StageState.TO_COME]
    enough = any(each.counted >= each.least_callers > 0 for each in had)
    return enough or (high is not None and high <= NOT_MUCH)


def harm_words(rollout: RolloutView) -> str:
    """Whether a rollout harms callers, in a sentence."""
    judged, name = rollout.judged, f"Release {rollout.number}"
    if judged is not None and judged.harm:
        return f"{name} {'harms' if rollout.ended_ms is None else 'harmed'} callers."
    if judged is not None and _looks_harmful(rollout):
        e, enough = evidence_words(judged.e), evidence_words(rollout.harm_at)
        said = f"E is {e}, and harm is from {enough} on"
        return f"{name} looks harmful, but that is not sure yet: {said}."
    if judged is None or not _well_known(rollout):
        came = "can be judged yet" if waiting_words(rollout) else "have come"
        return f"Too few callers {came} to say whether release {rollout.number} harms anybody."
    return f"No harm by release {rollout.number} is seen."


def waiting_words(rollout: RolloutView) -> str:
    """Of how many callers it is not known yet what became of them, and when it will be."""
    stages = [each for each in rollout.stages if not each.uncounted]
    decided, known = sum(each.decided for each in stages), sum(each.callers for each in stages)
    if known >= decided or rollout.ended_ms is not None:
        return ""
    when = "once it is known what became of them, as when their stream ends"
    if rollout.known_after_min:
        when = (
            f"{rollout.known_after_min} min after the decision at the latest, once it is known"
            " whether they called again (releases.again_within_min)"
        )
    came = "1 caller was" if decided == 1 else f"{decided:,} callers were"
    return f"{came} decided for so far, of whom {known:,} can be judged yet: a caller counts {when}"


def evidence_words(e: float) -> str:
    """How strong evidence is, as a figure: `0.4`, `23`, `over 1,000,000`."""
    if e > _MOST_TOLD:
        return f"over {_MOST_TOLD:,.0f}"
    return f"{e:.1f}" if e < 10 else f"{e:,.0f}"


def chance_words(p: float) -> str:
    """A chance as one in so many."""
    if p >= 0.75:
        return "always"
    return f"1 in {1 / max(p, 1 / _MOST_TOLD):,.0f}"


NOTHING = 0.05
"""A bound that is shown as 0.0, and so bounds nothing."""


def ratio_words(low: float, high: float | None) -> str:
    """How often one side fails, in times of the other: `0.6 to 1.8 times as often`."""
    low = 0.0 if low < NOTHING else low
    if high is None:
        return f"at least {_times(low)} times as often" if low > 0 else "not known yet"
    if low <= 0:
        return f"at most {_times(high)} times as often"
    return f"{_times(low)} to {_times(high)} times as often"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"


def stages_shown(rollout: RolloutView) -> tuple[StageView, ...]:
    """The stages that there are to see: of a rollout that is over nothing is to come."""
    over = rollout.ended_ms is not None
    return tuple(each for each in rollout.stages if not (over and each.state is StageState.TO_COME))


def stage_words(stage: StageView, now_ms: int, *, over: bool = False) -> str:
    """How far a stage is, in a sentence; it came so far where the rollout is `over`."""
    need = f"{stage.least_callers:,} callers and {_span(stage.least_ms)}"
    came = f"{max(stage.decided, stage.callers):,} callers"
    judged = f", {stage.callers:,} of them judged" if stage.decided > stage.callers else ""
    match stage.state:
        case StageState.TO_COME if stage.share >= BUCKETS:
            return "then it decides for all callers"
        case StageState.TO_COME:
            return f"then {need} at least"
        case StageState.DONE:
            lasted = _lasted(stage.begun_ms, stage.ended_ms)
            over_words = ", which count no more: another release ran" if stage.uncounted else judged
            return f"done: {came}{f' in {lasted}' if lasted else ''}{over_words}"
        case StageState.NOW:
            lasted = _lasted(stage.begun_ms, now_ms) or "0 min"
            if over:
                return f"{came} in {lasted}{judged}, then it ended"
            if stage.callers_before:
                judged += f", and {stage.callers_before:,} in earlier stages at this share"
            return f"{came} in {lasted} so far{judged}, of {need} at least"


def _lasted(begun_ms: int | None, ended_ms: int | None) -> str:
    return "" if begun_ms is None or ended_ms is None else _span(ended_ms - begun_ms)


def _span(ms: int) -> str:
    minutes = max(ms, 0) // 60_000
    if 0 < ms < 60_000:
        return f"{ms // 1_000} s"
    hours, days = minutes // 60, minutes // 1_440
    if days > 1:
        return f"{days} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def shadow_words(shadow: ShadowView) -> str:
    """What a shadow came to so far, in sentences."""
    if not shadow.seen:
        return "No request has come since it is in shadow."
    percent = 100 * shadow.different / shadow.seen
    odd = f" {shadow.unable:,} could not be decided by it." if shadow.unable else ""
    if not shadow.different:
        return f"It would have decided all {shadow.seen:,} requests as they were decided.{odd}"
    return (
        f"It would have decided {shadow.different:,} of {shadow.seen:,} requests otherwise"
        f" ({percent:.{0 if percent >= 10 else 1}f} %).{odd}"
    )


_STEPS = {
    ReleaseAct.CHECK: "checked",
    ReleaseAct.SHADOW: "put in shadow",
    ReleaseAct.CANARY: "canary at {share}",
    ReleaseAct.PROMOTE: "promoted to all callers",
    ReleaseAct.STOP: "stopped",
    ReleaseAct.SUPERSEDE: "superseded by another",
    ReleaseAct.ROLL_BACK: "rolled back",
    ReleaseAct.FREEZE: "taken back and frozen, for it harmed callers",
}


def step_words(step: Step) -> str:
    """What was done, as a history has it."""
    return _STEPS[step.act].format(share=share_words(step.share))


def measure_words(name: str) -> str:
    """A measure as a row has it."""
    return name[:1].upper() + name[1:].replace("_", " ").replace("-", " ")

"""How a canary is judged and grows: what `[releases]` of the configuration says."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from switchhook.exotel.times import MINUTE_MS


class Advance(StrEnum):
    """Who takes a canary to its next stage."""

    ITSELF = "itself"
    HAND = "hand"
    """It waits for a person once a stage may be left."""


class RolloutSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What all rollouts go by.

    `false_rollbacks` is the share of harmless rollouts that may be rolled back, by all measures,
    stages and fuses together; `exclude_points` the harm, in points of a hundred callers, that a
    stage must have had calls enough to show before it is left; `tolerated` how many times as often
    as with the running release callers may fail before that is harm.
    """

    false_rollbacks: float = 0.01
    exclude_points: float = 10.0
    tolerated: float = 1.0
    least_stage_min: int = 30
    again_within_min: int = 10
    short_talk_s: int = 5
    advance: Advance = Advance.ITSELF

    @property
    def needed(self) -> float:
        """From which E on there is harm."""
        return 1 / self.false_rollbacks

    @property
    def least_stage_ms(self) -> int:
        """How long a stage lasts at least."""
        return self.least_stage_min * MINUTE_MS

    @property
    def again_within_ms(self) -> int:
        """Within what time a caller who calls once more was not helped."""
        return self.again_within_min * MINUTE_MS

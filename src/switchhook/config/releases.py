"""`[releases]`: how canaries are judged, and who takes them to their next stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.config.keys import choice, integer, number
from switchhook.releases.settings import Advance, RolloutSettings

if TYPE_CHECKING:
    from switchhook.config.keys import Section


def read_releases(section: Section) -> RolloutSettings:
    """`[releases]`."""
    default = RolloutSettings()
    settings = RolloutSettings(
        false_rollbacks=section.take(
            "false_rollbacks", number(0.0001, 0.2), default.false_rollbacks
        ),
        exclude_points=section.take("exclude_points", number(1, 50), default.exclude_points),
        tolerated=section.take("tolerated", number(1, 3), default.tolerated),
        least_stage_min=section.take(
            "least_stage_min", integer(0, 10_080), default.least_stage_min
        ),
        again_within_min=section.take(
            "again_within_min", integer(1, 120), default.again_within_min
        ),
        short_talk_s=section.take("short_talk_s", integer(1, 60), default.short_talk_s),
        advance=section.take("advance", choice(Advance), default.advance),
    )
    section.end()
    return settings

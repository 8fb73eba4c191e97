"""`[keep]`: how many days each class of data is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.config_keys import integer
from switchhook.keep import Limits, Matter

if TYPE_CHECKING:
    from switchhook.config_keys import Section

LONGEST_DAYS = 36_500


def read_keep(section: Section) -> Limits:
    """The limits; 0 keeps for ever."""
    days = {
        f"{matter.value}_days": section.take(
            f"{matter.value}_days",
            integer(0, LONGEST_DAYS),
            getattr(Limits(), f"{matter.value}_days"),
        )
        for matter in Matter
    }
    section.end()
    return Limits(
        raw_days=days["raw_days"],
        stories_days=days["stories_days"],
        call_details_days=days["call_details_days"],
        alerts_days=days["alerts_days"],
        capacity_days=days["capacity_days"],
        audit_days=days["audit_days"],
    )

"""Streams that ended, told to the judges: by tallies, each spread evenly over its minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.troubles.bots_met import BotsMet
from switchhook.troubles.judge import Judge
from switchhook.troubles.outcomes import TERMS, EndedStream, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.streams.facet import Tally
    from switchhook.streams.names import Names
    from switchhook.troubles.judge import Standing
    from switchhook.troubles.outcomes import Subject

MINUTE_MS = 60_000


def ended(tallies: Iterable[Tally], seconds: int = 60) -> list[EndedStream]:
    """The streams of some tallies, in the order of time; each of a caller of its own."""
    found = [
        EndedStream(tally.at_ms + MINUTE_MS * each // tally.streams, tally.facet, seconds=seconds)
        for tally in tallies
        for each in range(tally.streams)
    ]
    return sorted(found, key=lambda stream: (stream.at_ms, stream.facet))


def judged(streams: Iterable[EndedStream], names: Names, now_ms: int) -> Mapping[Subject, Standing]:
    """How everybody stands after them."""
    judges: dict[Subject, Judge] = {}
    met = BotsMet()
    for stream in streams:
        for subject, outcome in outcomes(stream, met.bot_of(stream.facet, names), names, None):
            judges.setdefault(subject, Judge(TERMS[subject.measure])).take(outcome)
    found = {subject: judge.standing(now_ms) for subject, judge in judges.items()}
    return {subject: standing for subject, standing in found.items() if standing is not None}

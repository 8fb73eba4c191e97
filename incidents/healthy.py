"""False alarms: seeded outcomes of healthy traffic, fed to the judge that page and pager go by.

`python -m incidents.healthy [DAYS]` prints how often it said amber or red in so many days.
"""

from __future__ import annotations

import random
import sys

import msgspec

from switchhook.exotel.times import DAY_MS, MINUTE_MS
from switchhook.troubles.judge import Judge, Outcome, Terms

RATES = (1, 30, 1_000)
FAILING = (0.005, 0.02)
"""Shares of calls that fail on an ordinary day."""


class Alarms(msgspec.Struct, frozen=True):
    """How often a trouble began that there was not, and how often it was called bad."""

    amber: int
    red: int


def false_alarms(per_minute: int, failing: float, days: float, seed: int = 1) -> Alarms:
    """Judge healthy traffic, outcome by outcome."""
    chance, judge = random.Random(f"{seed} {per_minute} {failing}"), Judge(Terms())
    at_ms, end_ms = 0.0, days * DAY_MS
    amber = red = 0
    before: tuple[bool, bool] = (False, False)
    while at_ms < end_ms:
        at_ms += chance.expovariate(per_minute / MINUTE_MS)
        judge.take(Outcome(int(at_ms), chance.random() < failing))
        standing = judge.standing(int(at_ms))
        now = (standing is not None, standing is not None and standing.bad)
        amber += now[0] and not before[0]
        red += now[1] and not before[1]
        before = now
    return Alarms(amber, red)


def main() -> None:
    days = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    print("| Calls a minute | Failing | Days | Amber | Red |\n| ---: | ---: | ---: | ---: | ---: |")
    for per_minute in RATES:
        for failing in FAILING:
            found = false_alarms(per_minute, failing, days)
            cells = f"{per_minute:,}", f"{failing:.1%}", f"{days:g}", found.amber, found.red
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()

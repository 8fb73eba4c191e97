"""`python -m incidents [NAME ...] [--rate N]`: the table of docs/alerts.md, and the messages."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from incidents.incidents import INCIDENTS
from incidents.play import WARM_S, play
from switchhook.alerts.notify.text import compose

if TYPE_CHECKING:
    from incidents.play import Course

HEAD = (
    "| Incident | Calls a minute | Amber | Red | Callers until red | First message | Critical"
    " | Messages | Over after the mend | Calls until over |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def row(course: Course) -> str:
    """One line of the table."""
    cells = (
        course.incident,
        f"{course.per_minute:,}",
        _seconds(course.amber_s),
        _seconds(course.red_s),
        "–" if course.calls_to_red is None else str(course.calls_to_red),
        _seconds(course.first_s),
        _seconds(course.critical_s),
        str(course.messages),
        _seconds(course.over_s),
        "–" if course.over_s is None else str(course.good),
    )
    return f"| {' | '.join(cells)} |"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m incidents", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="incidents; without, all")
    parser.add_argument("--rate", type=int, choices=sorted(WARM_S), action="append")
    asked = parser.parse_args()
    logging.getLogger().setLevel(logging.CRITICAL)
    logging.disable(logging.WARNING)
    print(HEAD)
    said: dict[str, str] = {}
    for incident in INCIDENTS:
        if asked.names and incident.name not in asked.names:
            continue
        for per_minute in asked.rate or sorted(WARM_S):
            course = play(incident, per_minute)
            print(row(course), flush=True)
            if course.pager is not None:
                message = course.pager.message
                title, body = compose(message, url="https://console.example", zone="Asia/Kolkata")
                said[incident.name] = f"{title}\n{body}"
    for name, text in said.items():
        print(f"\n## {name}\n\n{text}")


main()

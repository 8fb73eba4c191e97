"""`python -m incidents [NAME ...] [--rate N]`: the table of docs/alerts.md, and the messages."""

from __future__ import annotations

import argparse
import logging
import sys

from incidents.incidents import INCIDENTS
from incidents.play import WARM_S, Course, play
from incidents.report import table
from incidents.world import can_mount
from switchhook.alerts.notify.text import compose


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m incidents", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="incidents; without, all")
    parser.add_argument("--rate", type=int, choices=sorted(WARM_S), action="append")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    courses: list[Course] = []
    said: dict[str, str] = {}
    for incident in INCIDENTS:
        if asked.names and incident.name not in asked.names:
            continue
        if incident.small_disk and not can_mount():
            print(f"{incident.name}: not played, as mounting takes root", file=sys.stderr)
            continue
        for per_minute in asked.rate or sorted(WARM_S):
            if per_minute > incident.most:
                continue
            print(f"{incident.name}, {per_minute:,} calls a minute", file=sys.stderr, flush=True)
            course = play(incident, per_minute)
            courses.append(course)
            if course.pager is not None:
                message = course.pager.message
                title, body = compose(message, url="https://console.example", zone="Asia/Kolkata")
                said[incident.name] = f"{title}\n{body}"
    print(table(courses))
    for name, text in said.items():
        print(f"\n## {name}\n\n{text}")


main()

"""docs/alerts.md says of figures and rules what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from switchhook.alerts.default_rules import DEFAULTS
from switchhook.delivery.delivery import DeliveryState
from switchhook.metrics import KNOWN

PAGE = (Path(__file__).parents[2] / "docs/alerts.md").read_text(encoding="utf-8")


def table(after: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    _, _, rest = PAGE.partition(f"\n## {after}\n")
    rows = re.findall(r"^\| (.*) \|$", rest.partition("\n## ")[0], re.MULTILINE)
    return [row.split(" | ") for row in rows[2:]]


def test_the_table_of_figures_is_whole():
    rows = [
        [
            f"`{known.name}`",
            ", ".join(f"`{label}`" for label in known.labels) or "–",
            known.unit,
            known.meaning,
        ]
        for known in KNOWN.values()
    ]
    assert table("The figures") == rows


def test_the_table_of_default_rules_is_whole():
    rows = []
    for rule in DEFAULTS:
        when = f"`{rule.figure}` {rule.comparison.value} {rule.threshold:g}"
        when += f", of {rule.least_cases} or more" if rule.least_cases else ""
        when += f", for {rule.for_s} s" if rule.for_s else ""
        rows.append([f"`{rule.name}`", rule.severity.value, when, rule.title])
    assert table("The default rules") == rows


def test_the_table_of_states_is_whole():
    assert [state for state, _ in table("Where a message stands")] == [
        f"`{state}`" for state in DeliveryState
    ]

"""The table of docs/alerts.md: an incident a line, its figures at each traffic side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from incidents.play import Course

HEAD = (
    "| Incident | Page amber | Page red | Pager hears | Messages | Over after the mend |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def table(courses: Iterable[Course]) -> str:
    """All courses; each cell has the figure at 1, 30 and 1,000 calls a minute, as far as played."""
    by_name: dict[str, list[Course]] = {}
    for course in courses:
        by_name.setdefault(course.incident, []).append(course)
    return "\n".join([HEAD, *(_row(name, played) for name, played in by_name.items())])


def _row(name: str, played: list[Course]) -> str:
    played = sorted(played, key=lambda each: each.per_minute)

    def cell(figure: Callable[[Course], str]) -> str:
        return " / ".join(map(figure, played))

    cells = (
        name,
        cell(lambda each: seconds(each.amber_s)),
        cell(lambda each: _with_calls(each.red_s, each.calls_to_red)),
        cell(lambda each: seconds(each.first_s if each.red_s is None else each.critical_s)),
        cell(lambda each: str(each.messages)),
        cell(lambda each: _with_calls(each.over_s, each.good)),
    )
    return f"| {' | '.join(cells)} |"


def seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f} s"


def _with_calls(value: float | None, calls: int | None) -> str:
    return seconds(value) if value is None or calls is None else f"{seconds(value)} ({calls:,})"

"""From what an attack saw to its table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

BEGIN, END = "<!-- the attack writes from here -->", "<!-- to here -->"

HELD, BROKE, NOT_TRIED = "held", "broke", "not tried"


class Check(msgspec.Struct, frozen=True):
    """One promise after one attack: how often it was tried, and what was seen.

    `state` is HELD, BROKE or NOT_TRIED; `seen` says which of them, or why it couldn't be tried.
    """

    promise: str
    tried: str
    state: str
    seen: str


def check(promise: str, tried: str, broken: Sequence[object], seen: str = "") -> Check:
    """A promise that `broken` breaks, each a case; `seen` is what to say where there is none."""
    if not broken:
        return Check(promise, tried, HELD, seen or "none broke it")
    first = "; ".join(str(each) for each in broken[:3])
    more = f"; and {len(broken) - 3} more" if len(broken) > 3 else ""
    return Check(promise, tried, BROKE, f"{len(broken)} times: {first}{more}")


NO_TIME = "no time was left for it"


def not_tried(promise: str, why: str) -> Check:
    """A promise that couldn't be tried on this machine."""
    return Check(promise, "0", NOT_TRIED, why)


class Part(msgspec.Struct, frozen=True):
    """All checks of one part of the attack."""

    name: str
    seconds: int
    checks: list[Check]


class Result(msgspec.Struct, frozen=True):
    """A whole run. `seed` makes it again, as far as two runs of real programs are alike."""

    at: str
    version: str
    machine: str
    seed: int
    parts: list[Part]

    @property
    def broke(self) -> list[Check]:
        """What did not hold."""
        return [each for part in self.parts for each in part.checks if each.state == BROKE]


def table(result: Result) -> str:
    """All checks as Markdown."""
    seconds = sum(part.seconds for part in result.parts)
    rows = [
        (part.name, each.promise, each.tried, _shown(each), each.seen)
        for part in result.parts
        for each in part.checks
    ]
    return "\n".join(
        [
            f"Switchhook {result.version}, {result.at[:10]}, {result.machine}, seed {result.seed},"
            f" {seconds} s in all: {_sum(rows)}.",
            "",
            *_rows(("Part", "Promise", "Tried", "", "Seen"), rows),
        ]
    )


def _shown(each: Check) -> str:
    return f"**{each.state}**" if each.state == BROKE else each.state


def _sum(rows: Sequence[Sequence[str]]) -> str:
    states = [row[3].strip("*") for row in rows]
    counts = ((states.count(state), state) for state in (HELD, BROKE, NOT_TRIED))
    return ", ".join(f"{count} {state}" for count, state in counts if count)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    shown = [[_cell(text) for text in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *shown)]


def _cell(text: str) -> str:
    """A text that can stand in a row of a table, whatever was sent."""
    plain = "".join(each if each.isprintable() else "·" for each in text)
    for special in "|<>*`":
        if text != f"**{BROKE}**":
            plain = plain.replace(special, f"\\{special}")
    return plain[:600]


def put_between_marks(page: str, text: str) -> str:
    """The page with the text in the place that is marked for it. ValueError where none is."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"

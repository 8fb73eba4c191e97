"""docs/calling-back.md says of promises what the program does: states, events, moves, defaults."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

from switchhook.alerts.promise_rules import PROMISE_RULES
from switchhook.callbacks import promise
from switchhook.callbacks.promise import ENDS, NEXT, ON_ITS_WAY, PromiseEvent, PromiseState
from switchhook.callbacks.settings import HOURS, CallbackSettings, CallingHours

PAGE = (Path(__file__).parents[2] / "docs/calling-back.md").read_text(encoding="utf-8")
KEPT_FOR_LATER = "its call first, then dropped"


def section(heading):
    found = PAGE.partition(f"\n## {heading}\n")[2]
    assert found, heading
    return found.partition("\n## ")[0]


def tables(heading):
    """The tables of a part, each as its rows."""
    blocks = re.findall(r"(?:^\| .* \|\n)+", section(heading), re.MULTILINE)
    return [[line[2:-2].split(" | ") for line in each.splitlines()[2:]] for each in blocks]


def moves(state):
    """Where it goes from a state, as one reads it, and by what: in the order of `NEXT`."""
    found = {}
    for (before, event), after in NEXT.items():
        if before is state:
            found.setdefault(after.value, []).append(event.value)
    if state in ON_ITS_WAY:
        found[KEPT_FOR_LATER] = [event.value for event in PromiseEvent if event in ENDS]
    return [(", ".join(events), after) for after, events in found.items()]


def diagram():
    """All states with all moves between them."""
    width = max(len(state) for state in PromiseState)
    room = max(len(said) for state in PromiseState for said, _ in moves(state))
    lines = []
    for state in PromiseState:
        ways = moves(state)
        for at, (said, after) in enumerate(ways):
            only, last = len(ways) == 1, at == len(ways) - 1
            fork = "─" if only else "┬" if at == 0 else "└" if last else "├"
            name = f"{state.value:<{width}} ─" if at == 0 else " " * (width + 2)
            lines.append(f"{name}{fork}─ {said} {'─' * (room - len(said))}─► {after}")
        if not ways:
            lines.append(state.value)
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def test_the_diagram_has_all_moves():
    """Where this fails, it prints the picture to put there."""
    drawn = re.search(r"```text\n(unproven .*?)```", PAGE, re.DOTALL)
    picture = diagram()
    assert drawn is not None, f"docs/calling-back.md needs this picture:\n{picture}"
    assert drawn[1] == picture, f"docs/calling-back.md needs this picture:\n{picture}"


def meanings(name):
    """What the docstring below each member of an enumeration says."""
    tree = ast.parse(Path(promise.__file__).read_text(encoding="utf-8"))
    (body,) = (
        each.body for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name
    )
    return {
        ast.literal_eval(member.value): " ".join(ast.literal_eval(said.value).split()).rstrip(".")
        for member, said in pairwise(body)
        if isinstance(member, ast.Assign) and isinstance(said, ast.Expr)
    }


def told(text):
    return text if text.startswith("Exotel") else f"{text[:1].lower()}{text[1:]}"


def test_the_states_mean_what_the_code_says():
    said = meanings("PromiseState")
    rows = [[f"`{state}`", told(said[state.value])] for state in PromiseState]
    assert tables("Where a promise stands")[0] == rows


def test_the_events_mean_what_the_code_says():
    said = meanings("PromiseEvent")
    rows = dict(tables("Where a promise stands")[1])
    assert list(rows) == [f"`{event}`" for event in PromiseEvent]
    assert {name: rows[f"`{name}`"] for name in said} == {
        name: told(text) for name, text in said.items()
    }


def hours_text(hours):
    times = [f"{at // 60}:{at % 60:02}" for at in (hours.from_minute, hours.until_minute)]
    return "-".join(times)


def length(seconds):
    for unit, of in (("h", 3600), ("min", 60)):
        if seconds % of == 0:
            return f"{seconds // of} {unit}"
    return f"{seconds} s"


def test_the_defaults_are_those_of_the_program():
    """Each is named with its value: what nobody configured is what this page says is on."""
    settings = CallbackSettings()
    values = {
        "hours": f"`{hours_text(settings.hours)}`",
        "zone": f"`{settings.zone}`",
        "a_day": str(settings.a_day),
        "attempts": str(settings.attempts),
        "delay_s": length(settings.delay_s),
        "within_s": length(settings.within_s),
        "gap_s": length(settings.gap_s),
        "declined_gap_s": length(settings.declined_gap_s),
        "ring_s": length(settings.ring_s),
        "longest_s": length(settings.longest_s),
        "served_s": length(settings.served_s),
        "voicemail": f"`{settings.voicemail}`",
        "campaigns": "no" if not settings.campaigns else "yes",
        "reserve": f"{settings.reserve} streams",
        "calls_an_hour": str(settings.calls_an_hour),
        "spend_an_hour": f"{settings.spend_an_hour:g}",
        "spend_a_number": f"{settings.spend_a_number:g}",
        "check_whitelist": "no" if not settings.check_whitelist else "yes",
    }
    (rows,) = tables("What is on by default, and why")
    assert {row[0].strip("`"): row[1] for row in rows} == {"dialling": "off"} | values
    assert CallingHours().days == tuple(range(7))
    assert f"`lenders`, {hours_text(HOURS['lenders'])}" in PAGE


def test_the_alerts_are_those_that_are_on():
    (_, rows) = tables("See and steer")
    assert [name for name, _ in rows] == [f"`{rule.name}`" for rule in PROMISE_RULES]


def test_what_is_promised_of_ambiguity_stands_word_for_word():
    """The law that everything here is built to keep; whoever changes it changes the promise."""
    quoted = " ".join(
        line.removeprefix(">").strip()
        for line in section("Never twice").splitlines()
        if line.startswith(">")
    )
    assert quoted == (
        "**A promise is dialled again only after it is known that the call before did not come"
        " about, or how it went.** Where Exotel was asked and did not say whether it calls, nothing"
        " dials that number again until a status callback, a passthru or a list of calls has named"
        " the call, or two lists of calls have not: the first 45 seconds or more after the request,"
        " the second 30 seconds or more after the first, and the last of them when the call would"
        " be over had it been placed, as Exotel lists no call that still runs. A call that every"
        " list hides for longer than that can't be told from a call that was never placed. So the"
        " second time that nobody knows, the promise is broken and listed, and is not dialled again"
        " unless a person has it retried."
    )

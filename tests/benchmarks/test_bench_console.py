"""What the bench asks a console, and how it tells of it."""

from urllib.parse import parse_qs, urlsplit

from msgspec import NODEFAULT
from msgspec.structs import fields

from benchmarks.load import Outcome
from benchmarks.pages import PAGES, addresses
from benchmarks.plan import ConsoleResult, Run, Watching
from benchmarks.report import _console_table, _console_targets
from benchmarks.watching import Watched


def made(struct, **values):
    """A struct of which only some fields matter."""
    rest = {each.name: 0 for each in fields(struct) if each.default is NODEFAULT}
    return struct(**{**rest, **values})


def run_of(p99):
    return made(Run, outcome=made(Outcome, p99=p99))


def console(first, *, missed=0):
    seen = Watched(first, [300.0], 2, missed, 50, 0, 1.0)
    return ConsoleResult(
        1000,
        {"/": [10.0, 60.0, 20.0], "/causes": [30.0], "cause:throttled since:1d": [70.0, 80.0]},
        {"peak": 200.0},
        1.0,
        [Watching(run_of(2.0), run_of(3.0), seen)],
    )


def test_every_page_and_search_is_asked_for():
    found = addresses("c/1", "+919876543210")
    asked = {name: parse_qs(urlsplit(each).query).get("q") for name, each in found.items()}
    assert set(PAGES) < set(found)
    assert found["/calls/…"].startswith("/calls/c")
    assert asked["call:… since:1d"] == ["call:c/1 since:1d"]
    assert asked["from:+91… since:1d"] == ["from:+919876543210 since:1d"]
    assert asked["from:98765 since:1d"] == ["from:98765 since:1d"]
    assert asked["from:*3210 since:1d"] == ["from:*3210 since:1d"]


def test_a_consoles_figures_are_held_against_the_targets():
    met = [(each.value, each.met) for each in _console_targets(console([100.0, 200.0]))]
    assert met == [
        (30, True), (75, True), (300, True), (0, True), (1.5, True), (200, True),
    ]  # fmt: skip
    slow = _console_targets(console([100.0, 600.0], missed=1))
    assert [each.met for each in slow] == [True, True, False, False, True, True]


def test_a_consoles_table_has_a_row_for_each_page_and_pair():
    lines = _console_table(console([100.0, 200.0]))
    assert "| `/` | 10.0 | 20.0 | 60.0 | 60.0 | 3 |" in lines
    assert lines[-1] == "| 1 | 2.00 | 3.00 | 200 | 300 | 0 | 0 |"
    assert len({line.count("|") for line in lines[:5]}) == 1


def test_without_a_store_there_are_no_figures():
    assert _console_targets(None) == []
    assert len(_console_table(None)) == 1

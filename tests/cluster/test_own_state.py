"""What a node says of itself while the database that all share is of no use to it."""

from __future__ import annotations

import pytest

from switchhook.cluster.own_state import OwnFigures, OwnState, own_json, size_text

T = 1_795_000_000_000


def state(**said):
    known = {"name": "mumbai-1", "problem": "this node can't reach its server", "hint": "see it"}
    figures = said.pop("figures", {"answers": True, "waiting": 1_200, "one_copy": 3})
    return OwnState(**{**known, "now_ms": T, **said}, figures=OwnFigures(**figures))


def test_it_says_what_is_wrong_for_how_long_and_what_callers_notice():
    assert state(since_ms=T - 300_000).said == (
        "the cluster's database is away for 5 min: this node can't reach its server; callers notice"
        " nothing, and no receipt is lost"
    )


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({}, "is away: "),
        ({"away": False}, "can't be used: "),
        ({"since_ms": T + 60_000}, "is away for 0 s: "),  # its clock was set back
    ],
)
def test_it_says_no_more_than_is_known(said, text):
    assert text in state(**said).said


def test_an_answer_side_that_does_not_answer_is_not_passed_over():
    found = state(figures={"answers": False})
    assert "callers notice nothing" not in found.said
    assert "does not answer" in found.said
    assert "Option B" in found.callers
    assert found.figures.answers_text == "no"


def test_what_is_not_known_for_sure_is_said_so():
    figures = OwnFigures(waiting=1_200, sure=False, one_copy=2_000, counted=False)
    assert (figures.answers_text, figures.waiting_text, figures.one_copy_text) == (
        "not known",
        "up to 1,200",
        "2,000 or more",
    )
    assert own_json(state(figures={"sure": False}))["behind_at_most"]


def test_programs_get_the_figures():
    found = state(since_ms=T, figures={"answers": True, "journal_bytes": 5, "waiting": 7})
    assert own_json(found) == {
        "name": "mumbai-1",
        "since": "2026-11-18T11:06:40.000000Z",
        "answers": True,
        "journal_bytes": 5,
        "room_bytes": 0,
        "behind": 7,
        "behind_at_most": False,
        "one_copy": 0,
        "one_copy_at_least": False,
    }
    assert own_json(state())["since"] is None


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 kB"), (12_345, "12 kB"), (1_500_000, "1.5 MB"), (2_000_000_000, "2.0 GB")],
)
def test_sizes_are_said_as_people_say_them(size, text):
    assert size_text(size) == text

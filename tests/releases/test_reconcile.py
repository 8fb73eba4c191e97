"""What runs and nobody released is told from what is in order."""

from __future__ import annotations

import pytest

from releases.made import DEFAULT, runs, standing
from switchhook.releases.reconcile import MOST_EARLIER, Taken, taken_of
from switchhook.releases.release import ReleaseState as S

LOST = "it was taken out of the data folder"
OTHER = "something else runs than what it was held against"


def text_of(number):
    return standing(number, S.CHECKED).release.text


FULL = standing(1, S.FULL)
CANARY = standing(2, S.CANARY, share=500)


def taken(said, *standings, candidates=None, release=0, ran=()):
    found = taken_of([runs(said, release=release)], candidates or {}, standings, lambda of: ran)
    return found[0] if found else None


def test_what_is_as_it_should_be_needs_nothing():
    assert taken(text_of(1), FULL) is None
    assert taken(text_of(1), FULL, CANARY, candidates={DEFAULT: 2}) is None
    assert taken(text_of(1), FULL, standing(2, S.SHADOW)) is None


def test_what_runs_at_first_is_a_release():
    assert taken("new") == Taken(subject=DEFAULT, runs=runs("new"))


def test_an_edit_in_place_retires_what_ran_and_stops_the_candidate():
    assert taken("new", FULL, CANARY, candidates={DEFAULT: 2}) == Taken(
        subject=DEFAULT, runs=runs("new"), retires=1, stops=2, why=OTHER
    )


def test_a_text_of_before_is_its_release_again():
    again = taken(text_of(1), standing(1, S.RETIRED), standing(2, S.FULL))
    assert (again.number, again.retires) == (1, 2)


def test_the_candidates_text_in_the_file_is_the_candidate_for_all():
    full = taken(text_of(2), FULL, CANARY, candidates={DEFAULT: 2})
    assert (full.number, full.retires, full.stops) == (2, 1, None)


@pytest.mark.parametrize(
    "unfit", [standing(3, S.FROZEN), standing(3, S.RETIRED, flaw="is damaged in the ledger")]
)
def test_a_text_that_no_release_can_be_any_more_is_a_new_one(unfit):
    assert taken(text_of(3), FULL, unfit).number is None


def test_of_two_of_one_text_it_is_the_one_that_was_put_in_place():
    twice = (standing(1, S.RETIRED, "B"), standing(2, S.RETIRED, "B"), standing(3, S.FULL))
    text = twice[0].release.text
    assert taken(text, *twice).number == 2
    assert taken(text, *twice, release=1).number == 1


def test_a_canary_that_is_no_more_in_the_data_folder_is_stopped():
    assert taken(text_of(1), FULL, CANARY) == Taken(subject=DEFAULT, stops=2, why=LOST)
    assert taken(text_of(1), FULL, CANARY, candidates={DEFAULT: 7}).stops == 2
    damaged = taken(text_of(1), FULL, CANARY, candidates={DEFAULT: 0})
    assert (damaged.stops, damaged.why) == (2, "its copy in the data folder was damaged")


def test_a_candidate_that_the_ledger_does_not_know_goes():
    assert taken(text_of(1), FULL, candidates={DEFAULT: 2}) == Taken(subject=DEFAULT)


def test_what_ran_before_there_were_releases_can_be_gone_back_to():
    found = taken("C", ran=[runs("B"), runs("A")])
    assert found.earlier == ((runs("A"), None), (runs("B"), None))


def test_what_ran_while_nobody_looked_is_recorded_too():
    """The console was down for two edits."""
    found = taken("C", FULL, ran=[runs("B"), runs(text_of(1)), runs("A")])
    assert (found.earlier, found.retires) == (((runs("B"), None),), 1)


def test_what_was_undone_beside_the_ledger_has_nothing_before_it_to_record():
    found = taken("A", standing(1, S.RETIRED, "A"), standing(2, S.FULL), ran=[runs("Z")])
    assert found.earlier == ()


def test_what_ran_long_ago_is_left_where_it_is():
    found = taken("now", ran=[runs(str(each)) for each in range(40)])
    assert len(found.earlier) == MOST_EARLIER


def test_each_subject_is_looked_at_by_itself():
    pools = standing(4, S.FULL, subject="pools")
    found = taken_of([runs(text_of(1)), runs("other", "pools")], {}, [FULL, pools], lambda of: ())
    assert [(each.subject, each.retires) for each in found] == [("pools", 4)]

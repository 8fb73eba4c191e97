"""How a candidate does, as values: which callers of a stage count."""

from __future__ import annotations

import pytest

from switchhook.releases.view import StageState, StageView


@pytest.mark.parametrize(("uncounted", "counted"), [(False, 780), (True, 0)])
def test_what_was_judged_at_a_share_counts_unless_another_release_ran(uncounted, counted):
    stage = StageView(
        share=500,
        state=StageState.NOW,
        least_callers=900,
        least_ms=0,
        decided=300,
        callers=280,
        callers_before=500,
        uncounted=uncounted,
    )
    assert stage.counted == counted

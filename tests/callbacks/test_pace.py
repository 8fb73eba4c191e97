"""The pace that streams allow a campaign."""

from __future__ import annotations

import pytest

from switchhook.callbacks.pace import CampaignPace


@pytest.mark.parametrize(
    ("allowed", "reserve", "mean_s", "calls", "words"),
    [
        (
            20,
            2,
            90.0,
            12.0,
            "12 answered calls a minute: 20 streams, less 2 kept for those who call in, for 90 s",
        ),
        (3, 2, 95.0, 0.63, "0.6 answered calls a minute: 3 streams, less 2 kept"),
        (2, 5, 90.0, 0.0, "none: all 2 streams are kept for those who call in"),
        (None, 2, 90.0, None, "not known: Exotel has not said how many streams"),
        (20, 2, None, None, "not known: too few streams have ended"),
        (20, 2, 0.0, None, "not known: too few streams have ended"),
    ],
)
def test_the_pace_is_what_free_streams_can_take(allowed, reserve, mean_s, calls, words):
    pace = CampaignPace(allowed, reserve, mean_s)
    assert pace.calls_a_minute == (calls if calls is None else pytest.approx(calls, abs=0.01))
    assert pace.words.startswith(words)


def test_at_that_pace_the_streams_are_taken_and_no_more():
    """By Little's law: as many arrive in a mean stay as there are places."""
    pace = CampaignPace(50, 8, 120.0)
    assert pace.calls_a_minute is not None
    assert pace.calls_a_minute / 60 * 120.0 == pytest.approx(42)

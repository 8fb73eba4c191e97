"""What a stream's URL asks for: what can't be had is told."""

from __future__ import annotations

import pytest

from switchhook.exotel.phone_numbers import holds_number
from switchhook.exotel.wire.stream_url import custom_parameters, sample_rate


@pytest.mark.parametrize(
    "url, kept, problem",
    [
        ("wss://b/m", {}, ""),
        ("wss://b/m?a=1&b=2&c=3&sample-rate=16000", {"a": "1", "b": "2", "c": "3"}, ""),
        ("wss://b/m?abc", {"abc": ""}, ""),
        ("wss://b/m?a=1&b=2&c=3&d=4", {"a": "1", "b": "2", "c": "3"}, "'d' is left out"),
        ("wss://b/m?a=" + "x" * 256, {"a": "x" * 256}, "257 characters"),
    ],
)
def test_custom_parameters_and_their_limits(url, kept, problem):
    found, problems = custom_parameters(url)
    assert found == kept
    assert (problem in problems[0]) if problem else not problems


@pytest.mark.parametrize(
    "query, rate, warned",
    [
        ("", 8000, False),
        ("?sample-rate=16000", 16000, False),
        ("?x=1&sample-rate=24000", 24000, False),
        ("?sample-rate=44100", 8000, True),
        ("?sample-rate=fast", 8000, True),
        ("?sample_rate=16000", 8000, True),
        ("?sampleRate=16000", 8000, True),
    ],
)
def test_the_sample_rate_of_a_url(query, rate, warned):
    found, problem = sample_rate(f"wss://b/m{query}")
    assert (found, problem is not None) == (rate, warned)


def test_which_rates_there_are_is_told_to_everybody():
    """Also to whoever is shown no telephone numbers: the figures stand apart."""
    _, problem = sample_rate("wss://b/m?sample-rate=44100")
    assert problem == ("sample-rate=44100 is neither 8000 nor 16000 nor 24000, so it is 8000")
    assert not holds_number(problem)

"""Whether bots fail together."""

from __future__ import annotations

import pytest

from switchhook.troubles.judge import Phase, Standing
from switchhook.troubles.together import fault_of_all, shared_fault

NETWORK = "the network between Exotel and your bots"
EXOTEL = "Exotel or the network, as they all meet the same"


@pytest.mark.parametrize(
    ("kinds", "bots", "fault"),
    [
        (["timeout", "dns"], 2, NETWORK),
        (["refused", "refused"], 2, ""),
        (["refused"], 3, EXOTEL),
        (["refused", "dns"], 3, ""),
        (["timeout"], 1, ""),
        ([], 0, ""),
    ],
)
def test_whose_fault_it_must_be(kinds, bots, fault):
    assert shared_fault(kinds, bots) == fault


def standing(bots, kinds):
    failed = sum(bots.values())
    return Standing(
        phase=Phase.FAILING,
        bad=True,
        since_ms=0,
        last_failed_ms=9,
        last_ms=9,
        failed=failed,
        cases=failed,
        streak=failed,
        well=0,
        callers=failed,
        returns=0,
        traits=(("bot", tuple(bots.items())), ("kind", tuple(kinds.items()))),
    )


@pytest.mark.parametrize(
    ("bots", "kinds", "fault"),
    [
        ({"a": 2, "b": 2, "c": 2}, {"dns": 6}, NETWORK),
        ({"a": 4, "b": 4, "c": 4}, {"refused": 11, "tls": 1}, EXOTEL),
        ({"a": 4, "b": 4, "c": 4}, {"refused": 8, "tls": 4}, ""),
        ({"a": 9, "b": 1, "c": 1}, {"refused": 11}, ""),
        ({"a": 9}, {"dns": 9}, ""),
        ({}, {}, ""),
    ],
)
def test_most_of_all_must_not_be_one_bots(bots, kinds, fault):
    assert fault_of_all(standing(bots, kinds)) == fault

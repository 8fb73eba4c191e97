"""`[releases]`: what rollouts go by, and nothing by mistake."""

from __future__ import annotations

import pytest

from switchhook.config import load_config
from switchhook.config.values import ConfigProblems
from switchhook.releases.settings import Advance, RolloutSettings


def load(text):
    return load_config(text, file="s.toml", environ={}, read_file=lambda _: b"").releases


def test_without_a_word_one_harmless_rollout_of_a_hundred_may_be_rolled_back():
    assert load("data = 'd'") == RolloutSettings()
    assert load("data = 'd'").needed == pytest.approx(100)


def test_each_has_its_place():
    text = """
[releases]
false_rollbacks = 0.05
exclude_points = 20
tolerated = 1.2
least_stage_min = 0
again_within_min = 5
short_talk_s = 3
advance = "hand"
"""
    found = load(text)
    assert found == RolloutSettings(
        false_rollbacks=0.05,
        exclude_points=20,
        tolerated=1.2,
        least_stage_min=0,
        again_within_min=5,
        short_talk_s=3,
        advance=Advance.HAND,
    )
    assert found.needed == 20
    assert (found.least_stage_ms, found.again_within_ms) == (0, 300_000)


@pytest.mark.parametrize(
    "line, said",
    [
        ("false_rollbacks = 0", "s.toml: releases.false_rollbacks: 0 is out of bounds"),
        ("exclude_points = 60", "releases.exclude_points: 60 is out of bounds (1 to 50)"),
        ("tolerated = 0.9", "releases.tolerated: 0.9 is out of bounds"),
        ("least_stage_min = 1.5", "not a whole number"),
        ("again_within_min = 0", "out of bounds"),
        ('advance = "never"', "no such choice: 'never'"),
        ("alpha = 0.01", "unknown key 'alpha'"),
    ],
)
def test_what_is_no_setting_is_refused(line, said):
    with pytest.raises(ConfigProblems) as refused:
        load(f"[releases]\n{line}\n")
    assert said in str(refused.value)

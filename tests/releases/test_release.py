from __future__ import annotations

import re

from switchhook.releases import release
from switchhook.releases.release import NEXT, ReleaseAct, ReleaseState

ROW = re.compile(r"^\| ([a-z, ]+) \| ([a-z ]+) \| ([a-z ]+) \|$", re.MULTILINE)


def test_the_table_in_words_is_the_table():
    said = {
        (ReleaseState(state.strip()), ReleaseAct(act)): ReleaseState(to)
        for states, act, to in ROW.findall(release.__doc__ or "")
        for state in states.split(",")
    }
    assert said == NEXT


def test_what_harmed_callers_goes_nowhere():
    assert not [act for state, act in NEXT if state is ReleaseState.FROZEN]


def test_every_state_is_reached():
    reached, before = {ReleaseState.DRAFT}, set[ReleaseState]()
    while reached != before:
        before = set(reached)
        reached |= {to for (state, _), to in NEXT.items() if state in before}
    assert reached == set(ReleaseState)

"""What was given after a record of the journal, counted exactly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer import places as places_module
from switchhook.answer.places import PlacesGiven

MAIN = ("main",)


@given(
    st.lists(st.tuples(st.sampled_from(["", "c1", "c2", "c3"]), st.integers(1, 3)), max_size=30),
    st.integers(0, 60),
)
def test_a_call_has_one_place_and_those_without_a_name_one_each(given_, through):
    places, last, unnamed, seq = PlacesGiven(), dict[str, int](), list[int](), 0
    for call, step in given_:
        seq += step
        places.add(MAIN, call, seq)
        if call:
            last[call] = seq
        else:
            unnamed.append(seq)
    expected = sum(at > through for at in [*last.values(), *unnamed])
    assert places.since(MAIN, through) == expected
    assert places.since(("other",), through) == 0
    for call, at in last.items():
        assert places.holds(MAIN, call, through) == (at > through)
    assert not places.holds(MAIN, "", through)


def test_what_is_not_remembered_whole_is_not_counted(monkeypatch):
    monkeypatch.setattr(places_module, "MOST_REMEMBERED", 10)
    places = PlacesGiven(since_seq=5)
    for seq in range(5, 35):
        places.add(MAIN, f"c{seq}", seq)
    assert (places.since(MAIN, 3), places.since(MAIN, 5)) == (None, None)
    assert places.since(MAIN, 20) == 14
    assert places.holds(MAIN, "c30", 20)

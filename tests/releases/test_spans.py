"""What is left of a journal, in parts: every record once, whatever was done before."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from switchhook.releases.spans import Span, joined, left_s, parts_of

SPANS = st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 400)), max_size=6)


def records(spans):
    return [seq for each in spans for seq in range(each.first, each.last + 1)]


@example(first=2, length=0, some=[(1, 1)], cores=1)
@given(st.integers(1, 500), st.integers(0, 3000), SPANS, st.integers(1, 64))
def test_each_record_is_counted_once(first, length, some, cores):
    whole = Span(first, first + length - 1)
    cut = [Span(max(at, whole.first), min(at + more, whole.last)) for at, more in some]
    inside = [each for each in cut if each.records > 0]  # nobody counts a part of nothing
    done = joined(inside)
    assert sorted(set(records(inside))) == records(done)
    left = parts_of(whole, done, cores)
    assert sorted(records(left) + records(done)) == records([whole])
    assert all(each.records > 0 for each in left)
    assert left == sorted(left, reverse=True)
    assert joined([*done, *left]) == ([whole] if length else [])


def test_parts_are_small_enough_for_all_cores_and_to_see_how_far_it_is():
    parts = parts_of(Span(1, 1_000_000), [], 8)
    assert len(parts) == 320
    assert len(parts_of(Span(1, 100), [], 8)) == 1
    assert max(each.records for each in parts_of(Span(1, 10**9), [], 2)) == 20_000


def test_how_long_it_takes_is_known_once_some_were_counted():
    assert left_s(0, 100, 3.0) is None
    assert left_s(25, 100, 3.0) == 9.0

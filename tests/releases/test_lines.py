from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchhook.releases.lines import Sign, line_differences

OLD = "".join(f"line {at}\n" for at in range(20))


def test_differences_are_shown_with_a_little_around_them():
    found = line_differences(OLD, OLD.replace("line 9\n", "line nine\n"))
    assert [(each.sign.value, each.text) for each in found] == [
        ("", "line 7"),
        ("", "line 8"),
        ("-", "line 9"),
        ("+", "line nine"),
        ("", "line 10"),
        ("", "line 11"),
    ]


def test_what_lies_between_is_left_out():
    found = line_differences(OLD, OLD.replace("line 1\n", "").replace("line 18\n", ""))
    assert [each.sign for each in found].count(Sign.LEFT_OUT) == 1


def test_nothing_is_shown_where_nothing_differs():
    assert line_differences(OLD, OLD) == []


TEXTS = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12).map("\n".join)


@given(TEXTS, TEXTS)
def test_the_signs_tell_how_many_lines_came_and_went(old, new):
    found = [each.sign for each in line_differences(old, new)]
    came, went = found.count(Sign.NEW), found.count(Sign.GONE)
    assert came - went == len(new.splitlines()) - len(old.splitlines())

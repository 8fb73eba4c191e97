"""What is said of refusals while they go on, and once they are over."""

from __future__ import annotations

import msgspec
import pytest

from routes.test_admission_metrics import NOW, view
from routes.test_admission_worker import world  # noqa: F401 - a fixture
from switchhook.routes.admission_feed import JUST_NOW_MS, Became
from switchhook.routes.admission_troubles import admission_troubles
from switchhook.troubles.trouble import ORDER_OVER, Level

LAST_MS = NOW - 30_000


def told(room=0, unknown="", reserves=None, **just_now):
    seen = view(unknown)
    seen = msgspec.structs.replace(
        seen,
        estimate=msgspec.structs.replace(seen.estimate, room=room),
        reserves=reserves or {},
        just_now={Became[name]: (count, LAST_MS) for name, count in just_now.items()},
    )
    return list(admission_troubles([seen]))


def test_who_is_refused_now_is_told_in_the_present():
    (found,) = told(REFUSED=3)
    assert found.what == "Callers of account main are refused for want of room."
    assert found.key == "admission.refused_now:main"
    assert (found.level, found.over, found.hit) == (Level.WARN, False, 3)
    assert found.callers == "3 callers refused in the last minute, as the rules say: Option B."


def test_who_was_refused_is_told_with_the_time_of_the_last_and_after_all_else():
    (found,) = told(room=100, REFUSED=3)
    assert found.what == (
        "Callers of account main were refused for want of room: the last at 19:42:50 IST; there is"
        " room now."
    )
    assert (found.order, found.over, found.todo) == (ORDER_OVER, True, "")


@pytest.mark.parametrize(("room", "over"), [(20, False), (21, True)])
def test_room_that_is_kept_from_a_class_is_none_for_it(room, over):
    (found,) = told(room=room, reserves={"campaign": 20}, REFUSED=1)
    assert found.over is over


def test_that_nothing_is_known_of_room_is_said_while_it_is_so():
    (found,) = told(unknown="Exotel has not been asked yet", UNKNOWN=1)
    assert found.what == (
        "Callers of account main get the safe option, as nothing is known of room: Exotel has not"
        " been asked yet."
    )
    assert not found.over
    (found,) = told(room=5, UNKNOWN=1)
    assert found.what == (
        "Callers of account main got the safe option, as nothing was known of room: the last at"
        " 19:42:50 IST; room is known now."
    )
    assert (found.over, found.key) == (True, "admission.unknown_now:main")


def test_nothing_is_said_of_who_was_let_in_or_refused_by_a_rule():
    assert told(ADMITTED=3, BY_RULE=4) == []


def test_a_minute_after_the_last_refusal_it_is_over(world):  # noqa: F811
    world.polled(0, allowed=0)
    world.later(1_000)
    assert not world.asks("c1")
    assert world.view.just_now == {Became.REFUSED: (1, world.now)}
    world.later(JUST_NOW_MS - 1)
    assert len(list(admission_troubles([world.view]))) == 1
    world.later(1)
    assert (world.view.just_now, world.view.refused) == ({}, 1)
    assert list(admission_troubles([world.view])) == []

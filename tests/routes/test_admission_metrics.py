"""Figures of admission, and the alerts that they make fire."""

from __future__ import annotations

import pytest

from switchhook.alerts.default_rules import DEFAULTS
from switchhook.routes.admission import Estimate
from switchhook.routes.admission_feed import Became
from switchhook.routes.admission_metrics import admission_figures
from switchhook.routes.admission_view import AdmissionView
from switchhook.routes.leases import Held

NOW = 1_790_000_000_000


def view(unknown="", just_now=None, **lately):
    return AdmissionView(
        account="main",
        at_ms=NOW,
        estimate=Estimate(
            allowed=100,
            held=Held(4, 81),
            unseen=1.0,
            foreign=12.5,
            reserve=2.5,
            room=0 if unknown else 1,
            unknown=unknown,
        ),
        reserves={},
        lately={Became[name]: count for name, count in lately.items()},
        just_now={Became[name]: (count, NOW) for name, count in (just_now or {}).items()},
        total={},
        pending_ms=15_000,
        age_ms=0,
        given_up=0,
        compared=(),
    )


def figures(*views):
    found = admission_figures(lambda: views)(NOW)
    return {each.name: each.value for each in found}


def test_each_account_has_its_figures():
    assert figures(view(just_now={"REFUSED": 2}, ADMITTED=7, REFUSED=3, UNKNOWN=1, BY_RULE=9)) == {
        "admission.room": 1,
        "admission.pending": 4,
        "admission.live": 81,
        "admission.foreign": 12.5,
        "admission.reserve": 2.5,
        "admission.admitted": 7,
        "admission.refused": 3,
        "admission.unknown": 1,
        "admission.refused_now": 2,
        "admission.unknown_now": 0,
    }
    assert figures() == {}


def test_room_that_is_not_known_is_not_zero():
    assert figures(view("Exotel has not been asked yet"))["admission.room"] is None


@pytest.mark.parametrize(
    "asked, fired",
    [
        ({"ADMITTED": 5}, set()),
        ({"REFUSED": 1}, {"refusals"}),
        ({"UNKNOWN": 1}, {"room-unknown"}),
        ({"BY_RULE": 5}, set()),
    ],
)
def test_refusals_are_told_of_when_they_begin_and_not_for_longer_than_a_minute(asked, fired):
    over, known = figures(view(**asked)), figures(view(just_now=asked))
    rules = [each for each in DEFAULTS if each.figure.startswith("admission.")]
    assert not [each.name for each in rules if (over[each.figure] or 0) > each.threshold]
    assert {each.name for each in rules if (known[each.figure] or 0) > each.threshold} == fired

"""Whether those who are owed a callback can get it, and what to do where they can't."""

from __future__ import annotations

import pytest

from switchhook.callbacks.dialling import Dialling
from switchhook.doctor.calling_back import judge_calling_back
from switchhook.doctor.finding import Level

NOW = 1_000_000
ALLOWED = Dialling(account="main", allowed=True, by="asha", at_ms=1)


@pytest.mark.parametrize(
    ("dialling", "waiting", "level", "said"),
    [
        (ALLOWED, 3, Level.OK, "it may dial; 3 wait for a callback, 2 of them now"),
        (
            Dialling(account="main"),
            0,
            Level.OK,
            "nobody has allowed this account to dial; nobody waits for a callback",
        ),
        (
            Dialling(account="main"),
            3,
            Level.WARN,
            "nobody has allowed this account to dial; 3 wait for a callback, 2 of them now",
        ),
        (
            Dialling(account="main", stopped="the greeting is wrong", stopped_by="asha"),
            3,
            Level.WARN,
            "dialling is stopped: the greeting is wrong; 3 wait for a callback, 2 of them now",
        ),
        (
            Dialling(account="main", stopped="the API answered 402"),
            3,
            Level.FAIL,
            "Exotel refused it, and nobody is dialled: the API answered 402; 3 wait for a callback,"
            " 2 of them now",
        ),
        (
            Dialling(account="main", stopped="the API answered 402"),
            0,
            Level.FAIL,
            "Exotel refused it, and nobody is dialled: the API answered 402; 0 wait for a callback,"
            " 2 of them now",
        ),
    ],
)
def test_calling_back(dialling, waiting, level, said):
    found = judge_calling_back(dialling, waiting, 2, NOW)
    assert (found.check, found.level, found.said) == ("calling back by main", level, said)
    assert ("promises allow-dialling main --reason WHY" in found.todo) == (level is not Level.OK)

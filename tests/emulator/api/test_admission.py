"""Who gets in, and how often; what clients see of it is in test_exotel_api.py."""

from __future__ import annotations

from switchhook.emulator.api.admission import Window


def test_the_window_slides():
    window = Window(2)
    assert [window.take(at) for at in (0, 30, 59, 60, 61, 90)] == [
        True, True, False, True, False, True
    ]  # fmt: skip


def test_a_window_says_what_is_left_and_when_more_is():
    window = Window(2)
    assert (window.left(0), window.free_in(0), window.headers(0)["X-RateLimit-Reset"]) == (
        2,
        0,
        "0",
    )
    window.take(10)
    window.take(25)
    assert (window.left(30), window.free_in(30)) == (0, 40.0)
    assert window.headers(30.5) == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "40",
    }
    assert (window.left(70), window.free_in(70)) == (1, 0.0)

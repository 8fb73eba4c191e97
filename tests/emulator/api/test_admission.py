"""Who gets in, and how often; what clients see of it is in test_exotel_api.py."""

from __future__ import annotations

from switchhook.emulator.api.admission import Window


def test_the_window_slides():
    window = Window(2)
    assert [window.take(at) for at in (0, 30, 59, 60, 61, 90)] == [
        True, True, False, True, False, True
    ]  # fmt: skip

"""What a message says."""

from __future__ import annotations

from switchhook.metrics import duration_text, value_text


def test_words():
    assert [
        value_text(v, u) for v, u in ((0.8, "share"), (None, ""), (3, "count"), (1, "yes"))
    ] == [
        "80 %",
        "unknown",
        "3",
        "yes",
    ]
    assert [duration_text(s) for s in (40, 600, 7200, 200_000)] == [
        "40 s",
        "10 min",
        "2 h",
        "2 days",
    ]

"""What is said of a heartbeat is what became of it."""

from __future__ import annotations

import pytest

from switchhook.cli.emulate.heartbeat import told
from switchhook.emulator.net.webhook import Posted


@pytest.mark.parametrize(
    "result, again_s, said",
    [
        (Posted(status=204), 5.0, "OK was taken (204)"),
        (Posted(status=404), 5.0, "OK was not taken: the answer was 404, not 2xx; again in 5 s"),
        (Posted(status=302), None, "OK was not taken: the answer was 302, not 2xx"),
        (Posted(problem="no answer"), 0.5, "OK was not taken: no answer; again in 0.5 s"),
        (Posted(problem="not allowed", refused=True), 5.0, "OK was not taken: not allowed"),
    ],
)
def test_it_is_told_whether_it_was_taken_and_when_it_comes_again(result, again_s, said):
    assert told("OK", result, again_s) == said

"""The newest verdict in a file, which may be old, cut or missing."""

from __future__ import annotations

import pytest

from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_file import EVERY_MS, NAME, VerdictFile, read_verdict

BAD = State(level=Level.BAD, what="Bot Sales fails.", since_us=5, more=("a", "b"))
WELL = State(level=Level.GOOD, what="All well.")


def test_what_is_written_is_read(tmp_path):
    assert read_verdict(tmp_path) is None
    file = VerdictFile(tmp_path)
    file.write(BAD, 1_000)
    found = read_verdict(tmp_path)
    assert (found.state, found.made_ms) == (BAD, 1_000)
    assert oct((tmp_path / NAME).stat().st_mode)[-3:] == "600"


def test_what_stays_is_written_seldom_and_what_changes_at_once(tmp_path):
    file = VerdictFile(tmp_path)
    for at_ms, state, made_ms in (
        (0, BAD, 0),
        (EVERY_MS - 1, BAD, 0),
        (EVERY_MS, BAD, EVERY_MS),
        (EVERY_MS + 1, WELL, EVERY_MS + 1),
    ):
        file.write(state, at_ms)
        assert read_verdict(tmp_path).made_ms == made_ms


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path):
    file = VerdictFile(tmp_path / "gone")
    file.write(BAD, 0)
    (tmp_path / "gone").mkdir()
    file.write(BAD, 1)
    assert read_verdict(tmp_path / "gone").made_ms == 1


@pytest.mark.parametrize("content", [b"", b"{", b'{"state": 1}', b"\xff"])
def test_what_can_not_be_read_is_none(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    assert read_verdict(tmp_path) is None

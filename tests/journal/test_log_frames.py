"""A damaged write-ahead log is no end of a write that was cut off."""

from __future__ import annotations

import shutil

import apsw
import pytest

from switchhook.journal.log_frames import committed_frames, lost_commits


@pytest.mark.parametrize(
    ("written", "last_frame", "lost"),
    [
        ([], 0, 0),
        ([2, 5, 7], 7, 0),
        ([2, 5, 7], 5, 0),  # the last one may never have been acknowledged
        ([2, 5, 7], 2, 1),
        ([2, 5, 7], 0, 2),
        ([2, 5, 7], 9, 0),  # a checkpoint began the log anew meanwhile
    ],
)
def test_what_was_acknowledged_behind_the_last_frame(written, last_frame, lost):
    assert lost_commits(written, last_frame) == lost


def test_commits_are_seen_by_their_frames(tmp_path):
    """Those of the newest round alone: a log that began anew has old frames behind."""
    connection = apsw.Connection(str(tmp_path / "a"))
    connection.pragma("journal_mode", "wal")
    connection.pragma("wal_autocheckpoint", 0)
    connection.execute("CREATE TABLE t (x)")
    for _ in range(20):
        connection.execute("INSERT INTO t VALUES (randomblob(3000))")
    frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    shutil.copy(tmp_path / "a-wal", tmp_path / "first")
    connection.execute("INSERT INTO t VALUES (1)")
    shutil.copy(tmp_path / "a-wal", tmp_path / "second")
    connection.close()
    first = committed_frames((tmp_path / "first").read_bytes())
    assert (len(first), first[-1]) == (21, frames)
    assert len(committed_frames((tmp_path / "second").read_bytes())) == 1


@pytest.mark.parametrize("log", [b"", b"short", bytes(32), bytes(10_000)])
def test_what_is_no_log_has_none(log):
    assert committed_frames(log) == []

"""How far a write-ahead log was written, whatever SQLite still makes of it.

SQLite takes the first frame that does not fit its checksum for the end of a write that was cut
off, and forgets all that follows (sqlite.org/fileformat2.html, "The Write-Ahead Log"). Where it was
no such end but damage, the frames behind it tell.
"""

from __future__ import annotations

_HEADER, _FRAME_HEADER = 32, 24


def committed_frames(log: bytes) -> list[int]:
    """The numbers, from 1, of the frames that end a commit of the log's newest round, ascending."""
    page_size, salts = int.from_bytes(log[8:12], "big"), log[16:24]
    if len(log) < _HEADER or page_size < 512:
        return []
    step = _FRAME_HEADER + page_size
    return [
        number
        for number, at in enumerate(range(_HEADER, len(log) - step + 1, step), 1)
        if log[at + 4 : at + 8] != b"\0\0\0\0" and log[at + 8 : at + 16] == salts
    ]


def lost_commits(written: list[int], last_frame: int) -> int:
    """How many acknowledged commits stand behind the last frame that SQLite takes.

    The last commit may be one that a loss of power cut off before anybody was told of it; only one
    is written at a time, so with a second one behind that frame all but it were acknowledged.
    """
    return max(sum(number > last_frame for number in written) - 1, 0)

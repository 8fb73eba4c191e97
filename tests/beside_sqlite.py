"""Notices when our code opens a file of SQLite's beside SQLite, wherever a test brings it to.

Closing such a file drops the locks of every connection that the process has to it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

SOURCE = str(Path(__file__).parent.parent / "src/switchhook") + os.sep
_DATABASE = re.compile(r"\.sqlite(-wal|-shm|-journal)?$")

opened: list[str] = []
"""What was opened so, and where in the source."""


def watch() -> None:
    """Begin, in this process, for good."""
    sys.addaudithook(_hook)


def offends(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether an event of the interpreter opens a database's file that may be there already."""
    if event != "open" or not isinstance(arguments[0], (str, bytes)):
        return False
    flags = arguments[2]
    fresh = isinstance(flags, int) and flags & os.O_EXCL and flags & os.O_CREAT
    return _DATABASE.search(os.fsdecode(arguments[0])) is not None and not fresh


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and offends(event, arguments):
        frame = sys._getframe(1)
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(SOURCE):
                opened.append(f"{arguments[0]!r} in {file}:{frame.f_lineno}")
                return
            if "/tests/" in file:
                return  # a test's own doing
            frame = frame.f_back

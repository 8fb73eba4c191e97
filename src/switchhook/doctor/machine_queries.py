"""What the system says of its disk and its clock."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from switchhook.doctor.machine import DateSeen, Disk
from switchhook.journal import JournalReader
from switchhook.system.data_folder import JOURNAL

if TYPE_CHECKING:
    from switchhook.config import Config

_TRIES, _BYTES = 5, 4096
_WAIT_S = 3.0


def look_at_disk(folder: Path, config: Config) -> Disk:
    """The data folder's disk. Raises OSError."""
    found = os.statvfs(folder)
    journal = folder / JOURNAL
    fsync_ms, problem = _fsync_ms(folder)
    return Disk(
        free_bytes=found.f_bavail * found.f_frsize,
        all_bytes=found.f_blocks * found.f_frsize,
        free_files=found.f_favail,
        all_files=found.f_files,
        ceiling_bytes=config.journal.ceiling_gb * 1e9,
        journal_bytes=JournalReader(journal).size_bytes() if journal.is_dir() else 0,
        fsync_ms=fsync_ms,
        problem=problem,
    )


def _fsync_ms(folder: Path) -> tuple[float | None, str]:
    """The median time of a small durable write beside the journal, in a file that goes at once."""
    times = []
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(_TRIES):
                begun = time.perf_counter()
                file.write(b"x" * _BYTES)
                file.flush()
                os.fsync(file.fileno())
                times.append((time.perf_counter() - begun) * 1000)
    except OSError as error:
        return None, (error.strerror or str(error)).lower()
    return median(times), ""


def synchronised() -> bool | None:
    """Whether the system's clock is kept right; None where the system does not tell."""
    program = shutil.which("timedatectl")
    if program is not None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            words = [program, "show", "--property=NTPSynchronized", "--value"]
            done = subprocess.run(  # noqa: S603
                words, capture_output=True, text=True, check=True, timeout=_WAIT_S
            )
            if done.stdout.strip() in ("yes", "no"):
                return done.stdout.strip() == "yes"
    return True if Path("/run/systemd/timesync/synchronized").exists() else None


def date_seen(host: str, date: str | None, at_s: float, *, own: bool) -> DateSeen | None:
    """How far a server's Date is from our clock, when it came; None where it said none."""
    try:
        said = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    # It counts whole seconds, so on the average it is half a second old.
    return DateSeen(host, said.timestamp() + 0.5 - at_s, own)

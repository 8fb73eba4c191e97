"""Whether the machine does its part: the clock, and the disk that receipts are kept on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.doctor.finding import fail, ok, unchecked, warn
from switchhook.metrics import duration_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.doctor.finding import Finding

LEAST_OFF_S = 2.0
"""Dates in HTTP are whole seconds, and take time on the way."""
FAR_OFF_S = 60.0
LEAST_BYTES, LEAST_SHARE, LITTLE_SHARE = 200_000_000, 0.01, 0.1
SLOW_MS, TOO_SLOW_MS = 50.0, 500.0
_CLOCK = "let NTP set it: `timedatectl set-ntp true`, or chrony"


class DateSeen(msgspec.Struct, frozen=True):
    """A server's Date less our clock, in seconds; `own` is one on this machine, with its clock."""

    host: str
    off_s: float
    own: bool = False


def judge_clock(seen: Sequence[DateSeen], synchronised: bool | None) -> Finding:
    """Whether the clock is right, by those of others, and by what the system says of NTP."""
    check = "clock"
    off = sorted(
        (each for each in seen if not each.own or abs(each.off_s) > LEAST_OFF_S),
        key=lambda each: abs(each.off_s),
    )
    if off:
        # Of several the nearest: one server may be wrong itself.
        best = off[0]
        way = "behind" if best.off_s > 0 else "ahead of"
        said = f"{duration_text(abs(best.off_s))} {way} {best.host}'s"
        if abs(best.off_s) > FAR_OFF_S:
            todo = f"rules by the hour, certificates and times of receipts are wrong: {_CLOCK}"
            return fail(check, said, todo)
        if abs(best.off_s) > LEAST_OFF_S:
            return warn(check, said, _CLOCK)
    if synchronised is False:
        return warn(check, "the system says that nothing keeps it right", _CLOCK)
    if off:
        ntp = ", kept right by NTP" if synchronised else ""
        return ok(check, f"agrees with {off[0].host}'s{ntp}")
    if synchronised:
        return ok(check, "kept right by NTP, as the system says")
    return unchecked(check, "nobody else's was seen, and the system does not tell", _CLOCK)


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """The data folder's disk: bytes and files that are free, of how many; `fsync_ms` of one write.

    `ceiling_bytes` is how large the journal may get, `journal_bytes` how large it is.
    """

    free_bytes: int
    all_bytes: int
    free_files: int
    all_files: int
    ceiling_bytes: float
    journal_bytes: int
    fsync_ms: float | None = None
    problem: str = ""


def judge_room(disk: Disk) -> Finding:
    """Whether there is room for the receipts to come."""
    check = "disk"
    share = disk.free_bytes / disk.all_bytes if disk.all_bytes else 1.0
    said = f"{_size(disk.free_bytes)} free ({share:.0%})"
    todo = "make room; `switchhook keep` shows what is kept how long"
    if share < LEAST_SHARE or disk.free_bytes < LEAST_BYTES:
        full = "restart nothing before, as what waits in memory would be lost"
        return fail(check, f"it is full, {said}: receipts are lost", f"{todo}; {full}")
    if disk.all_files and disk.free_files < LEAST_SHARE * disk.all_files:
        return fail(
            check, f"no room for more files: {disk.free_files:,} left", "remove small files"
        )
    grows = disk.ceiling_bytes - disk.journal_bytes
    if share < LITTLE_SHARE:
        return warn(check, said, todo)
    if grows > disk.free_bytes:
        ceiling = f"the journal may grow by {_size(grows)} until journal.ceiling_gb"
        return warn(check, f"{said}, and {ceiling}", "lower journal.ceiling_gb, or make room")
    return ok(check, f"{said}, the journal has {_size(disk.journal_bytes)}")


def judge_fsync(disk: Disk, deadline_ms: int) -> Finding:
    """Whether it writes fast enough for a caller who waits; `deadline_ms` is the shortest."""
    check = "disk's speed"
    if disk.fsync_ms is None:
        return unchecked(check, f"nothing can be written to try it: {disk.problem}")
    said = f"a receipt is durable in {disk.fsync_ms:.1f} ms"
    todo = "callers wait for it: use a disk of this machine, best an SSD, that others leave alone"
    if disk.fsync_ms > min(TOO_SLOW_MS, deadline_ms):
        return fail(check, said, todo)
    if disk.fsync_ms > SLOW_MS:
        return warn(check, said, todo)
    return ok(check, said)


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"

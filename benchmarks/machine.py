"""The machine: what it is, how long its disk takes, and which core is whose."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from benchmarks.figures import quantile
from switchhook.server.release import is_compiled
from switchhook.system.file_system import file_system_of, mounted

_SYNCS = 200
_PAGE = bytes(4096)


class Cores(NamedTuple):
    """One core for the server under load, the others for the load generator."""

    server: int
    client: tuple[int, ...]


def share_cores() -> Cores:
    """Divide the cores that this process may use. RuntimeError where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise RuntimeError("the bench needs two cores: one for the server, one for the client")
    return Cores(usable[0], tuple(usable[1:]))


def describe(folder: Path) -> dict[str, object]:
    """What the figures depend on; `folder` is on the disk that is measured."""
    p50, p99 = time_sync(folder)
    packages = ("uvloop", "uvicorn", "httptools", "apsw", "msgspec", "cel-expr-python")
    rivals = ("fastapi", "sqlalchemy")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "compiled": is_compiled(),
        "file_system": file_system_of(folder, mounted()),
        "fdatasync_us_p50": round(p50),
        "fdatasync_us_p99": round(p99),
        "packages": {name: version(name) for name in (*packages, *rivals)},
    }


def time_sync(folder: Path) -> tuple[float, float]:
    """How long fdatasync of one appended page takes, in µs: median and p99."""
    file = folder / "sync-trial"
    took = []
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        for number in range(_SYNCS):
            os.pwrite(descriptor, _PAGE, number * len(_PAGE))
            began = time.perf_counter()
            os.fdatasync(descriptor)
            took.append(1e6 * (time.perf_counter() - began))
    finally:
        os.close(descriptor)
        file.unlink()
    took.sort()
    return quantile(took, 0.5), quantile(took, 0.99)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def stolen_s(core: int) -> float:
    """Seconds that the hypervisor gave to others since the machine started, of one core."""
    for line in Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == f"cpu{core}":
            return int(fields[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> dict[str, float]:
    """Resident, proportional and peak resident memory of a process, in MB of 10^6 bytes."""
    lines = [
        *Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:],
        *Path(f"/proc/{pid}/status").read_text().splitlines(),
    ]
    found = {name: text.split() for name, _, text in (line.partition(":") for line in lines)}
    names = {"rss": "Rss", "pss": "Pss", "peak": "VmHWM"}
    return {ours: round(int(found[theirs][0]) * 1.024e-3, 1) for ours, theirs in names.items()}


def need_room(folder: Path, wanted_bytes: int) -> None:
    """Raise RuntimeError where the disk has not so much room, and a tenth of it to spare."""
    free = shutil.disk_usage(folder).free
    if free < 1.1 * wanted_bytes:
        raise RuntimeError(
            f"{folder} needs {wanted_bytes / 1e9:.1f} GB of room and has {free / 1e9:.1f}: give"
            " --work a folder on another disk, or smaller --journals"
        )


def drop_cache(folder: Path) -> None:
    """Make the kernel forget the pages of a folder's files, as after a restart of the machine."""
    for file in folder.rglob("*"):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


PYTHON = sys.executable

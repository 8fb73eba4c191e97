"""Machines as network namespaces on one bridge: processes on them, their links cut, their end.

The lab runs in namespaces of its own (`scripts/cluster-lab`): whatever it leaves is gone with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.patience import PATIENCE_S, until

BRIDGE = "lab0"
NETWORK = "10.77.0"
OUTSIDE = f"{NETWORK}.1"
"""Where the callers and what stands before the nodes are: the bridge itself."""


class Host:
    """One machine: `address` is its own, `folder` its disk, `user` who its processes run as."""

    def __init__(self, name: str, number: int, folder: Path, user: int = 0) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.ways: list[subprocess.Popen[bytes]] = []
        self._user = user
        self._link = f"v-{name}"
        folder.mkdir(exist_ok=True)
        os.chown(folder, user, user)
        _ip("netns", "add", name)
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", self._link, "master", BRIDGE, "up")
        _ip("-n", name, "address", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")

    def start(
        self, *words: str | Path, log: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Run a program on it; what it says is in `log` in the host's folder."""
        with (self.folder / log).open("ab") as said:
            os.chown(self.folder / log, self._user, self._user)
            process = subprocess.Popen(
                [*self.inside, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                env={**os.environ, **(environ or {})},
                process_group=0,
            )
        self.processes.append(process)
        return process

    def lead(self, port: int, host: str, to_port: int, seconds: float = 0.0) -> None:
        """Have a port of its loopback lead elsewhere, where things are so much later."""
        words = [sys.executable, "-m", "lab.way", str(port), host, str(to_port), str(seconds)]
        tests = Path(__file__).parents[1]
        self.ways.append(subprocess.Popen([*self.inside, *words], cwd=tests, process_group=0))

    def forget_ways(self) -> None:
        for process in self.ways:
            process.kill()
            process.wait(PATIENCE_S)
        self.ways.clear()

    @property
    def inside(self) -> Sequence[str]:
        """What stands before a command that is to run there."""
        words = ["nsenter", f"--net=/run/netns/{self.name}"]
        if self._user:
            ids = [f"--reuid={self._user}", f"--regid={self._user}"]
            # The interpreter may stand in a folder that is closed to others.
            reading = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
            words += ["setpriv", *ids, "--clear-groups", *reading]
        return words

    def cut(self) -> None:
        """Take its link away: what is sent to it, and what it sends, is lost."""
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        _ip("link", "set", self._link, "up")

    @property
    def runs(self) -> bool:
        """Whether all that was started on it goes on."""
        return bool(self.processes) and all(each.poll() is None for each in self.processes)

    def kill(self) -> None:
        """End all that it runs at once, with what its programs started."""
        for process in self.processes:
            others = descendants(process.pid)
            signal_all([process.pid, *others], signal.SIGKILL)
            process.wait(PATIENCE_S)
            until(lambda: not any(map(is_there, others)), "all of it ended")  # noqa: B023
        self.processes.clear()
        self.forget_ways()


def signal_all(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue  # it ended meanwhile


def is_there(pid: int) -> bool:
    """Whether a process has what it had open: one that ended has, until its last thread did."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        return state not in "ZX" or len([*Path(f"/proc/{pid}/task").iterdir()]) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    """The processes that it started, and those that they started."""
    found: list[int] = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return found
    for each in map(int, children):
        found += [each, *descendants(each)]
    return found


def make_bridge() -> None:
    """The switch that all hosts are on, with an address of its own."""
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{OUTSIDE}/24", "dev", BRIDGE)
    for device in ("lo", BRIDGE):
        _ip("link", "set", device, "up")


def _ip(*words: str, **more: Any) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, **more)

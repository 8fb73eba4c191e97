"""Back-tests that the console was asked for: one at a time, in a process of its own.

That process is the command's, so that what it counts, where it stands and what comes of it is the
same whoever asked; it has the console's low priority, and ends with it.
"""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from switchhook.errors import ReleaseError
from switchhook.releases.backtest import REPORT, BackTest
from switchhook.releases.backtest_file import BackTestFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from switchhook.releases.ledger import LedgerReleases

_LONGEST_SAID = 500
_END_S = 5.0
_FAULTS = 1  # as the command ends where a release gives other decisions than it gave
_STOPPED = 130


class BackTestState(NamedTuple):
    """How the back-test of a release stands.

    `found` is what was counted, of one that runs up to now; None where there is none. `problem` is
    why the last one failed.
    """

    running: bool
    found: BackTest | None
    problem: str = ""


class BackTests:
    """Starts, stops and knows them. Any thread.

    `command` makes the words that start one, of a release's number and how long it goes back.
    """

    def __init__(
        self,
        data: Path,
        releases: LedgerReleases,
        command: Callable[[int, str], Sequence[str]],
    ) -> None:
        self._data, self._releases, self._command = data, releases, command
        self._lock = threading.Lock()
        self._number: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._problems: dict[int, str] = {}

    def start(self, number: int, since: str) -> None:
        """Begin one, or go on with it. Raises ReleaseError where one runs, LedgerError."""
        standing = self._releases.standing(number)
        if standing is None:
            raise ReleaseError(f"there is no release {number}", "see the list of releases")
        with self._lock:
            if self._running():
                problem = f"the back-test of release {self._number} still runs"
                raise ReleaseError(problem, "wait for it, or stop it")
            self._problems.pop(number, None)
            self._number = number
            self._process = subprocess.Popen(  # noqa: S603 - our own program, checked words
                list(self._command(number, since)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            threading.Thread(
                target=self._wait, args=(number, self._process), name="back-test", daemon=True
            ).start()

    def stop(self, number: int) -> bool:
        """Stop the one of a release; whether it ran. What was counted is kept to go on with."""
        with self._lock:
            if self._number != number or not self._running():
                return False
            assert self._process is not None
            self._process.terminate()
            return True

    def state(self, number: int) -> BackTestState | None:
        """How the one of a release stands; None where there is no such release."""
        standing = self._releases.standing(number)
        if standing is None:
            return None
        with self._lock:
            running = self._number == number and self._running()
            problem = self._problems.get(number, "")
        at_hand = BackTestFile(self._data, standing.release.hash).read()
        if running:
            return BackTestState(running, at_hand)
        found = self._kept(number)
        if at_hand is not None and (found is None or at_hand.begun_ms >= found.begun_ms):
            found = at_hand
        return BackTestState(running, found, problem)

    def close(self) -> None:
        """Stop what runs, at the console's end."""
        with self._lock:
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def looks(self) -> object:
        """What tells two looks apart that people need to see anew: how far the one is that runs."""
        with self._lock:
            number, process = self._number, self._process
        standing = None if number is None else self._releases.standing(number)
        if standing is None or process is None:
            return None
        at_hand = BackTestFile(self._data, standing.release.hash).read()
        return number, process.poll(), at_hand and at_hand.counted

    def _running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _kept(self, number: int) -> BackTest | None:
        report = self._releases.reports(number).get(REPORT)
        if report is None:
            return None
        try:
            return msgspec.msgpack.decode(report.body, type=BackTest)
        except (ValueError, msgspec.MsgspecError):
            return None  # of another version: it can be made again

    def _wait(self, number: int, process: subprocess.Popen[bytes]) -> None:
        """Take what it says at the end, so that it can say it, and keep what was wrong."""
        _, said = process.communicate()
        kept = self._kept(number) if process.returncode == _FAULTS else None
        if process.returncode in (0, _STOPPED) or (kept is not None and kept.tally.faults):
            return
        lines = said.decode(errors="replace").strip().splitlines()
        words = lines[-1].removeprefix("switchhook: ") if lines else ""
        words = words or f"it ended with {process.returncode}"
        with self._lock:
            self._problems[number] = words[:_LONGEST_SAID]

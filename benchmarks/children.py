"""Processes that the bench starts: pinned, in a group of their own, and never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import msgspec

from benchmarks.load import Order, Outcome
from benchmarks.machine import PYTHON

ROOT = Path(__file__).resolve().parent.parent
START_S = 60.0
STOP_S = 10.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


_LIBC, _PARENT = ctypes.CDLL(None), os.getpid()


def ends_with_us() -> None:
    """What a child does before it begins: whatever ends us ends it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _PARENT:
        os._exit(1)


def _with_us(cores: Sequence[int], nice: int) -> Callable[[], None]:
    def prepare() -> None:
        ends_with_us()
        os.sched_setaffinity(0, cores)
        if nice:
            os.nice(nice)

    return prepare


class Child:
    """A process on some cores, from start to `stop`; what it says goes to `log`."""

    def __init__(
        self,
        words: Sequence[str],
        log: Path,
        cores: Sequence[int],
        *,
        nice: int = 0,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.log = log
        self.began = time.perf_counter()
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                words,
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Safe here: the bench has no threads when it starts something.
                preexec_fn=_with_us(cores, nice),
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def read_line(self, patience: float = START_S) -> str:
        """The next line that it prints. RuntimeError with its log where it ends or is silent."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise RuntimeError(f"{self.said} (silent for {patience} s)")
        line = self.process.stdout.readline().decode()
        if not line:
            raise RuntimeError(f"ended with {self.process.wait()}: {self.said}")
        return line.strip()

    @property
    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """End it gently, after `STOP_S` at once."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.stop()


def load(order: Order, log: Path) -> Outcome:
    """Run the load generator to its end."""
    text = json.dumps(msgspec.to_builtins(order))
    cores = order.cpus or sorted(os.sched_getaffinity(0))
    with Child([PYTHON, "-m", "benchmarks.load", text], log, cores) as child:
        return msgspec.json.decode(
            child.read_line(order.warm_up + order.seconds + START_S), type=Outcome
        )

"""A stand-in for the event loop, and journals that are closed whatever happens."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from patience import PATIENCE_S
from switchhook.journal import JournalEvent, JournalWriter

from .forgetful_vfs import ForgetfulVFS, forgetful_disk


class Loop:
    """Runs what the journal hands over, in the test's own thread, while the test waits."""

    def __init__(self) -> None:
        self.events: list[JournalEvent] = []
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def notify(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def run_until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            try:
                self._calls.get(timeout=max(deadline - time.monotonic(), 0.001))()
            except queue.Empty:
                pytest.fail(f"still waiting after {seconds} s; seen: {self.events}")

    def settle(self, writer: JournalWriter) -> None:
        """Wait until all is durable, and everybody was told."""
        assert writer.flush(PATIENCE_S)
        self.run_pending()

    def run_pending(self) -> None:
        while not self._calls.empty():
            self._calls.get()()

    def seen(self, name: str) -> list[JournalEvent]:
        return [event for event in self.events if event.name == name]

    def open(self, folder: Path, **settings: Any) -> JournalWriter:
        settings = {"node": 1, **settings}
        return JournalWriter(folder, notify=self.notify, observe=self.events.append, **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def open_journal(folder: Path, loop: Loop, disk: ForgetfulVFS):
    """Open the journal, as often as needed; all are closed at the end, before the disk goes."""
    opened: list[JournalWriter] = []

    def open_it(**settings: object) -> JournalWriter:
        opened.append(loop.open(folder, **settings))
        return opened[-1]

    yield open_it
    for writer in opened:
        writer.close(0.5)


@pytest.fixture
def disk(request: pytest.FixtureRequest):
    with forgetful_disk(f"disk-{request.node.name}") as disk:
        yield disk

"""Requests that are being answered, by who asked: all of somebody's can be ended at once.

A live feed of a session must not outlive it. The middleware binds every request, so that no page
has to think of it.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.access.roles import Viewer


class Bound:
    """One request; `ended` tells a cancellation by us from all others."""

    def __init__(self, task: asyncio.Task[object], viewer: Viewer) -> None:
        self.task, self.viewer = task, viewer
        self.ended = self.over = False

    def end(self) -> None:
        if not self.ended and not self.over:
            self.ended = True
            self.task.cancel()


class LiveRequests:
    """All of them. Used on the event loop only."""

    def __init__(self) -> None:
        self._bound: dict[str, set[Bound]] = {}

    @contextmanager
    def bound(self, viewer: Viewer) -> Iterator[Bound]:
        """Bind the current task to a viewer's session while it answers."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered by a task")
        key, bound = viewer.session, Bound(task, viewer)
        self._bound.setdefault(key, set()).add(bound)
        try:
            yield bound
        finally:
            bound.over = True
            theirs = self._bound[key]
            theirs.discard(bound)
            if not theirs:
                del self._bound[key]

    def viewers(self) -> dict[str, list[Viewer]]:
        """Of every session that is being answered, as what it asked."""
        return {key: [each.viewer for each in theirs] for key, theirs in self._bound.items()}

    def end(self, key: str) -> None:
        """End all requests of a session but the one that asks for it."""
        current = asyncio.current_task()
        for each in self._bound.get(key, ()):
            if each.task is not current:
                each.end()

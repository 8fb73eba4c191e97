"""One thing done again and again by a thread of its own, which whatever hits it does not end.

looking = Repeating("flags", look, every_s=0.25, failed=told)
looking.start()
looking.wake()  # do it now, not only when it is time
looking.stop()  # after the step at hand
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Repeating:
    """From `start` to `stop`. Any thread may call it.

    `step` does it once, and may say after how many seconds again; else it is `every_s`, where None
    waits until it is woken. It is not woken before `least_s`. The first time comes at once, or
    `later`, after a rest.

    What a step raises is told to `failed`, in the thread, and it is tried again: after `again_s`,
    then each time after twice as long, up to `longest_s`; where they are None, as after any step.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], float | None],
        *,
        every_s: float | None,
        failed: Callable[[Exception], object],
        least_s: float = 0.0,
        again_s: float | None = None,
        longest_s: float | None = None,
        later: bool = False,
    ) -> None:
        self._step, self._failed, self._later = step, failed, later
        self._every_s, self._least_s = every_s, least_s
        self._again_s = every_s if again_s is None else again_s
        self._longest_s = self._again_s if longest_s is None else longest_s
        self._ending, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def ending(self) -> bool:
        """Whether `stop` was called: a long step looks now and then."""
        return self._ending.is_set()

    @property
    def runs(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """End a rest: there is something to do."""
        self._wake.set()

    def wait(self, seconds: float) -> bool:
        """Within a step, rest for a moment; True at once where it is to end."""
        return self._ending.wait(seconds)

    def stop(self, timeout_s: float | None = 5.0) -> bool:
        """End after the step at hand; whether it did within `timeout_s`."""
        self._ending.set()
        self._wake.set()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause_s = self._again_s
        if self._later:
            self._rest(self._every_s)
        while not self._ending.is_set():
            try:
                rest_s = self._step()
            except Exception as error:  # noqa: BLE001 - a full disk, a bug: nothing else would ever
                # bring it back. Whoever gave the step says it, in words of its own.
                self._failed(error)
                self._rest(pause_s)
                if pause_s is not None and self._longest_s is not None:
                    pause_s = min(2 * pause_s, self._longest_s)
                continue
            pause_s = self._again_s
            self._rest(self._every_s if rest_s is None else rest_s)

    def _rest(self, seconds: float | None) -> None:
        if seconds is not None and seconds <= 0:
            return
        if self._least_s and self._ending.wait(self._least_s):
            return
        self._wake.wait(None if seconds is None else max(seconds - self._least_s, 0.0))
        self._wake.clear()

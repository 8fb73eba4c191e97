"""Runs checks beside each other, each within a bounded time, and gives what they found in order."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

import msgspec

from switchhook.doctor.finding import unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from switchhook.doctor.finding import Finding


class Check(msgspec.Struct, frozen=True):
    """Something to look at; `look` may take its time and may raise."""

    name: str
    look: Callable[[], Sequence[Finding]]


def run_all(checks: Sequence[Check], within_s: float) -> Iterator[Finding]:
    """What all of them find, in their order, each as soon as those before it are there.

    One that takes longer than `within_s` is left behind, in a thread that ends with the program.
    """
    done: queue.Queue[tuple[int, Sequence[Finding]]] = queue.Queue()
    for at, check in enumerate(checks):
        threading.Thread(target=_run, args=(at, check, done), name=check.name, daemon=True).start()
    until = time.monotonic() + within_s
    found: dict[int, Sequence[Finding]] = {}
    for at, check in enumerate(checks):
        while at not in found:
            try:
                place, some = done.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                found[at] = [unchecked(check.name, f"not done within {within_s:g} s")]
            else:
                found.setdefault(place, some)
        yield from found[at]


def _run(at: int, check: Check, done: queue.Queue[tuple[int, Sequence[Finding]]]) -> None:
    try:
        found = check.look()
    except Exception as error:  # noqa: BLE001 - what one check makes fail is said of that one; its
        # text may hold an address with a secret, so only its kind is said.
        said = isinstance(error, OSError) and error.strerror
        why = said.lower() if said else f"looking failed with {type(error).__name__}"
        found = [unchecked(check.name, why)]
    done.put((at, found))

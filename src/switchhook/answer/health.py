"""What `/healthz` of the public port says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.answer.http.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.journal import JournalEvent

_MOST_ALIKE = 10
_OVER = ("failing", "unwritten", "at_ceiling")


def health(problems: Sequence[str], *, keeps_up: bool, whole: bool) -> Answer:
    """Whether answering works (200 as long as this can be said), and what is amiss.

    `keeps_up` is whether the disk does. The problems name endpoints and files, which is no
    stranger's business: `whole` tells them.
    """
    shown = [*problems]
    if not keeps_up:
        shown.append("receipts wait for the disk; callers don't")
    status = "degraded" if shown else "ok"
    if shown and not whole:
        shown = [f"{len(shown)}, told on the machine itself and in the log"]
    body = msgspec.json.encode({"status": status, "problems": shown})
    return Answer(200, body, "application/json")


def note_event(alarms: dict[str, str], event: JournalEvent) -> None:
    """Say in `alarms` what happened to the journal, each time, and how it stands now."""
    if event.name == "recovered":
        for over in _OVER:
            alarms.pop(over, None)
    if not event.trouble:
        return
    key, said = event.name, f"journal: {event}"
    if event.happened:
        alike = [each for each in alarms if each.startswith(f"{event.name}: ")]
        if len(alike) < _MOST_ALIKE or f"{event.name}: {event}" in alike:
            key = f"{event.name}: {event}"
        else:
            said += " (and others, in the log)"
    alarms[key] = said

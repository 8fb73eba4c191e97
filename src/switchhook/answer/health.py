"""What `/healthz` of the public port says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.answer.http.messages import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence


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

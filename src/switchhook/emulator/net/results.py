"""What an HTTP request brings: a reply, or an error that says why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.net.go_errors import go_text
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from switchhook.emulator.net.go_errors import Failure


class Reply(msgspec.Struct, frozen=True):
    """An answer; `cut` where the body went on longer than is read."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut: bool = False


class NetError(SwitchhookError):
    """No connection, or no answer."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(go_text(failure))

    def __str__(self) -> str:
        return f"{self.failure.kind}: {go_text(self.failure)}"

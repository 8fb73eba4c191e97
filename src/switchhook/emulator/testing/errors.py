"""What a test did that can't be done, in words.

SwitchhookError
├── NotAimedError
├── UnknownScenarioError
├── HangsError
└── ClosedError
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from collections.abc import Iterable


class NotAimedError(SwitchhookError):
    """A call was placed before it was said which passthru it asks."""

    def __init__(self) -> None:
        super().__init__("aim the flow first: exotel.passthru(app or URL)")


class UnknownScenarioError(SwitchhookError):
    """There is no bad day of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        near = difflib.get_close_matches(name, list(known), 1)
        hint = f"did you mean {near[0]}?" if near else "switchhook emulate run --list names them"
        super().__init__(f"there is no scenario {name!r} ({hint})")


class HangsError(SwitchhookError):
    """Something took longer than anybody would wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"no end after {seconds:g} real seconds: does the code under test block?")


class ClosedError(SwitchhookError):
    """The test is over, and its Exotel with it."""

    def __init__(self) -> None:
        super().__init__("this Exotel is closed: its test is over")

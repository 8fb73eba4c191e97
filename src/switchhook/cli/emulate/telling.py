"""A call's story on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cli import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.emulator.call.story import StoryLine

_WIDTH = 10


def print_story(lines: Iterable[StoryLine]) -> None:
    """The call in the first line, and what became of it below."""
    first, *rest = lines
    output.out.print(output.plain(f"{first.label}  {first.text}"), style="bold")
    for line in rest:
        text = f"  {line.label:{_WIDTH}}{line.text}"
        output.out.print(output.plain(text), style="yellow" if line.bad else None)

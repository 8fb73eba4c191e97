"""`switchhook emulate story`: calls that were kept, told again."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.emulate.options import entries_of
from switchhook.cli.emulate.telling import print_story
from switchhook.errors import ConfigError


def story(
    file: str,
    *,
    every: Annotated[
        bool, Parameter(name="--every", negative="", help="Tell everything that happened.")
    ] = False,
) -> int:
    """Tell the calls of a trace: set-up, first sound, breaches, what was heard, how it ended.

    Parameters
    ----------
    file
        A trace, as `emulate --traces` and `run --trace` write it.
    """
    from switchhook.emulator.call.narration import tell_all
    from switchhook.emulator.call.story import calls_in
    from switchhook.emulator.call.story import story as told

    calls = calls_in(entries_of(file))
    if not calls:
        raise ConfigError(
            "no call begins here", file=file, hint="a trace begins with its call's line"
        )
    explained: set[str] = set()
    for head, entries in calls:
        print_story(told(head, entries, explained))
        if every:
            for line in tell_all(entries):
                output.out.print(output.plain(line))
    return 0

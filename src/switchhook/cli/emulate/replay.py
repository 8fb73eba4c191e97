"""`switchhook emulate replay`: a trace again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.cli import output
from switchhook.cli.emulate.loop import run_loop
from switchhook.cli.emulate.options import (
    ALLOW,
    BOT,
    LIMIT,
    PASSTHRU,
    check_bot,
    check_limit,
    check_url,
    entries_of,
    passthru_or_here,
)
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from switchhook.emulator.runs.replay_stream import ReplayedStream


def replay(
    file: str,
    *,
    passthru: PASSTHRU = None,
    bot: BOT = None,
    limit: LIMIT = 5.0,
    allow: ALLOW = None,
) -> int:
    """Send the passthrus of a trace again, or say to a bot what its caller said, and compare.

    Ends with 1 where an answer leads to another option than it did, a stream ends another way, or
    nobody answers.

    Parameters
    ----------
    file
        A trace, as `run --trace` and `emulate --traces` write it.
    """
    check_bot(bot)
    check_limit(limit)
    entries = entries_of(file)
    talks: list[ReplayedStream] = []
    if bot is None:
        passthru = passthru_or_here(passthru)
    else:
        talks = _talks(file, entries)
    if passthru is not None:
        check_url(passthru)

    async def main() -> int:
        differ = 0
        if passthru is not None:
            differ += await _passthrus(passthru, entries, limit, allow or ())
        for talk in talks:
            from switchhook.emulator.runs.replay_stream import replay_stream

            again = await replay_stream(talk, str(bot), allow=allow or ())
            differ += again.differs
            output.out.print(output.plain(str(again)), style="red" if again.differs else None)
        return 1 if differ else 0

    return run_loop(main(), virtual=False)


def _talks(file: str, entries: list[dict[str, Any]]) -> list[ReplayedStream]:
    from switchhook.emulator.runs.replay_stream import talks_in

    talks = talks_in(entries)
    if not any(talk.said for talk in talks):
        raise ConfigError(
            "no stream's media are in it", file=file, hint="--traces and --trace keep them"
        )
    return talks


async def _passthrus(
    url: str, entries: list[dict[str, Any]], limit_s: float, allow: list[str] | tuple[()]
) -> int:
    """How many answers lead another way, or did not come."""
    from switchhook.emulator.net.addresses import AddressAllowList
    from switchhook.emulator.net.http_client import Web
    from switchhook.emulator.net.urls import shown
    from switchhook.emulator.runs.replay_passthrus import replay_passthrus

    web, differ, silent = Web(AddressAllowList(allow)), 0, 0
    try:
        async for again in replay_passthrus(web, url, entries, limit_s=limit_s):
            bad = again.differs or again.now is None
            differ, silent = differ + bad, silent + (again.now is None)
            output.out.print(output.plain(str(again)), style="red" if bad else None)
    finally:
        await web.close()
    if silent:
        output.err.print(
            output.plain(
                f"{silent} of these were not answered at {shown(url)}: is your server running, and"
                " is this its address? --passthru names another"
            ),
            style="bold red",
        )
    return differ

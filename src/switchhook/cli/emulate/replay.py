"""`switchhook emulate replay`: a trace again."""

from __future__ import annotations

from switchhook.cli import show
from switchhook.cli.emulate.loop import run_loop
from switchhook.cli.emulate.options import ALLOW, HERE, LIMIT, PASSTHRU, check_url, entries_of


def replay(file: str, *, passthru: PASSTHRU = HERE, limit: LIMIT = 5.0, allow: ALLOW = None) -> int:
    """Send the passthrus of a trace again, and compare the answers.

    Ends with 1 where an answer leads to another option than it did.

    Parameters
    ----------
    file
        A trace, as `run --trace` and `emulate --traces` write it.
    """
    entries = entries_of(file)
    check_url(passthru)

    async def main() -> int:
        from switchhook.emulator.addresses import Gate
        from switchhook.emulator.replay import replay_passthrus
        from switchhook.emulator.web import Web

        web = Web(Gate(allow or ()))
        differ = 0
        try:
            async for again in replay_passthrus(web, passthru, entries, limit_s=limit):
                differ += again.differs
                style = "red" if again.differs else None
                show.out.print(show.plain(str(again)), style=style)
        finally:
            await web.close()
        return 1 if differ else 0

    return run_loop(main(), virtual=False)

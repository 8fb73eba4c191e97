"""`switchhook emulate` itself: be Exotel."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.cli import show
from switchhook.cli.emulate.loop import end_at_sigterm, run_loop
from switchhook.cli.emulate.options import (
    ALLOW,
    HERE,
    PASSTHRU,
    SEED,
    address_of,
    check_url,
    plan_of,
)
from switchhook.cli.emulate.ticker import Ticker
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from switchhook.emulator.station import Station


def emulate(
    file: str | None = None,
    *,
    passthru: PASSTHRU = HERE,
    listen: Annotated[
        str, Parameter(name="--listen", help="HOST:PORT; port 0 takes a free one.")
    ] = "127.0.0.1:8090",
    calls: Annotated[
        int | None, Parameter(name="--calls", help="End after this many; without it go on.")
    ] = None,
    seed: SEED = None,
    virtual: Annotated[
        bool, Parameter(name="--virtual", negative="", help="Let time jump where nobody waits.")
    ] = False,
    traces: Annotated[
        str | None, Parameter(name="--traces", help="A folder that gets a trace of each call.")
    ] = None,
    allow: ALLOW = None,
) -> int:
    """Be Exotel: place calls by a plan, serve its API, and show what happens.

    Without FILE it has a demo account, a number, a flow, a bot and a mix of callers and bad luck.

    Parameters
    ----------
    file
        A plan (TOML): accounts, numbers, flows, callers, agents, faults.
    """
    host, port = address_of(listen)
    plan = plan_of(file) if file is not None else None
    if plan is not None and not plan.number:
        raise ConfigError("no number rings here", file=file or "", hint="add a [number.…] table")
    folder = Path(traces) if traces is not None else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)

    if plan is None:
        check_url(passthru)

    async def main() -> int:
        from switchhook.emulator.station import arrive, station

        end_at_sigterm()
        async with station(
            plan,
            passthru=passthru,
            host=host,
            port=port,
            seed=seed,
            allow=allow or (),
            keep_media=folder is not None,
        ) as running:
            _introduce(running, passthru if plan is None else None)
            running.exchange.watchers.append(Ticker(folder))
            if plan is None or plan.arrivals is not None or calls is not None:
                await arrive(running.exchange, most=calls)
                await running.exchange.drain()
                return 0
            await asyncio.Event().wait()
        return 0

    try:
        return run_loop(main(), virtual=virtual)
    except asyncio.CancelledError:
        return 0


def _introduce(running: Station, passthru: str | None) -> None:
    exchange = running.exchange
    show.out.print(f"exotel {running.url}")
    sid, line = next(iter(exchange.lines.items()), ("–", None))
    if line is not None:
        show.out.print(f"account {sid} key {line.account.key} token {line.account.token}")
    show.out.print(f"control {running.url}/control key {running.control_key}")
    if passthru is not None:
        show.out.print(f"passthru {show.plain(passthru)}")

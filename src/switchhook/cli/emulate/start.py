"""`switchhook emulate` itself: be Exotel."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.emulate.loop import end_at_sigterm, run_loop
from switchhook.cli.emulate.options import (
    ALLOW,
    BOT,
    PASSTHRU,
    SEED,
    address_of,
    check_bot,
    check_url,
    only_without,
    passthru_to_ask,
    plan_of,
)
from switchhook.cli.emulate.ticker import Ticker
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.plan.plan import Account, Plan
    from switchhook.emulator.runs.server import RunningEmulator, TlsPort


def emulate(
    file: str | None = None,
    *,
    bot: BOT = None,
    passthru: PASSTHRU = None,
    listen: Annotated[
        str, Parameter(name="--listen", help="HOST:PORT; port 0 takes a free one.")
    ] = "127.0.0.1:8090",
    tls: Annotated[
        str | None,
        Parameter(name="--tls", help="HOST:PORT that serves the same over TLS, for fixed https."),
    ] = None,
    certificate: Annotated[
        str | None,
        Parameter(name="--certificate", help="The folder of its certificate, made where none is."),
    ] = None,
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
    stream_limit: Annotated[
        int | None,
        Parameter(name="--stream-limit", help="Streams at once; for each account of the plan."),
    ] = None,
    status_callback: Annotated[
        str | None,
        Parameter(name="--status-callback", help="A URL told of each call's end, as if asked for."),
    ] = None,
    heartbeat: Annotated[
        str | None,
        Parameter(name="--heartbeat", help="A URL told how the numbers are, when control says so."),
    ] = None,
    json: Annotated[
        bool, Parameter(name="--json", negative="", help="Lines of JSON; the first tells the keys.")
    ] = False,
    brief: Annotated[
        bool, Parameter(name="--brief", negative="", help="One line a call, instead of its story.")
    ] = False,
    ready: Annotated[
        str | None,
        Parameter(name="--ready", help="A file that holds addresses and keys while it runs."),
    ] = None,
    allow: ALLOW = None,
) -> int:
    """Be Exotel: place calls by a plan, serve its API, and tell each call's story.

    Without FILE it has a demo account, a number, a flow, a bot and a mix of callers and bad luck.
    With --bot it calls that bot instead, one call after another, and asks a passthru only where one
    is named; it ends with 1 where the bot was not reached or not heard.

    Parameters
    ----------
    file
        A plan (TOML): accounts, numbers, flows, callers, agents, faults.
    """
    host, port = address_of(listen)
    only_without(file, bot=bot, passthru=passthru)
    check_bot(bot)
    if calls is not None and calls < 1:
        raise ConfigError("nothing to do", key="--calls", hint="at least 1")
    plan = None if file is None else _plan_to_ring(file)
    folder = _folder_for(traces)
    url = passthru_to_ask(passthru, bot) if plan is None else None
    change = _changed(stream_limit, status_callback, heartbeat)

    async def main() -> int:
        from switchhook.emulator.runs.server import bot_plan, running_emulator

        end_at_sigterm()
        ticker, port_of_tls = Ticker(folder, json=json, brief=brief), _tls(tls, certificate)
        async with running_emulator(
            plan,
            passthru=url or "",
            make=None if bot is None else lambda _: bot_plan(bot, url),
            host=host,
            port=port,
            seed=seed,
            allow=allow or (),
            keep_media=folder is not None,
            change=change,
            tls=port_of_tls,
        ) as running:
            wiring = _wired(running, url, bot, certificate)
            _introduce(wiring, json=json, own_bot=bot is not None)
            running.exchange.watchers.append(ticker)
            with _wiring_file(Path(ready), wiring) if ready else nullcontext(), ticker:
                await _let_calls_come(running.exchange, calls)
        return 1 if bot is not None and ticker.summary.bot_failed else 0

    try:
        return run_loop(main(), virtual=virtual)
    except asyncio.CancelledError:
        return 0


def _tls(tls: str | None, folder: str | None) -> TlsPort | None:
    from switchhook.emulator.net.own_certificate import own_certificate
    from switchhook.emulator.runs.server import TlsPort

    if tls is None:
        if folder is not None:
            raise ConfigError("there is no TLS", key="--certificate", hint="add --tls HOST:PORT")
        return None
    host, port = address_of(tls, option="--tls")
    return TlsPort(host, port, own_certificate(_kept_in(folder), host, datetime.now(UTC)).context)


def _kept_in(folder: str | None) -> Path:
    from switchhook.emulator.net.own_certificate import default_folder

    return Path(folder) if folder is not None else default_folder()


def _wired(
    running: RunningEmulator, passthru: str | None, bot: str | None, folder: str | None
) -> dict[str, Any]:
    """What a program has to know to use it."""
    wiring = running.wiring() | {"passthru": passthru}
    if bot is not None:
        wiring["bot"] = bot
    if running.tls_url is not None:
        file = str((_kept_in(folder) / "certificate.pem").resolve())
        wiring["tls"] = {"url": running.tls_url, "certificate": file}
    return wiring


async def _let_calls_come(exchange: Exchange, calls: int | None) -> None:
    """Place the calls of a plan, and wait for their end; one without arrivals waits for others'."""
    from switchhook.emulator.runs.server import arrive

    if exchange.plan.arrivals is None and calls is None:
        await asyncio.Event().wait()
    await arrive(exchange, most=calls)
    await exchange.drain()


def _folder_for(traces: str | None) -> Path | None:
    if traces is None:
        return None
    folder = Path(traces)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{traces} can't be made: {error.strerror}", key="--traces", hint="name a folder"
        ) from None
    return folder


def _plan_to_ring(file: str) -> Plan:
    plan = plan_of(file)
    if not plan.number:
        raise ConfigError("no number rings here", file=file, hint="add a [number.…] table")
    return plan


def _changed(
    streams: int | None, status_callback: str | None, heartbeat: str | None
) -> Callable[[Account], Account]:
    """What the options change of an account."""
    changes: dict[str, Any] = {}
    if streams is not None:
        if streams < 0:
            raise ConfigError("a limit is 0 or more", key="--stream-limit")
        changes["streams"] = streams
    if status_callback is not None:
        check_url(status_callback, option="--status-callback")
        changes["status_callback_url"] = status_callback
    if heartbeat is not None:
        check_url(heartbeat, option="--heartbeat")
        changes["heartbeat_url"] = heartbeat
    return lambda account: msgspec.structs.replace(account, **changes)


def _introduce(wiring: dict[str, Any], *, json: bool, own_bot: bool) -> None:
    if json:
        output.print_json(wiring)
        return
    output.out.print(f"exotel {wiring['url']}")
    for sid, account in wiring["accounts"].items():
        output.out.print(
            f"account {output.plain(sid)} key {account['key']} token {account['token']}"
        )
    output.out.print(f"control {wiring['control']['url']} key {wiring['control']['key']}")
    for name, url in wiring.get("bots", {}).items():
        output.out.print(f"bot {output.plain(name)} {output.plain(url)}")
    if wiring["passthru"] is not None:
        output.out.print(f"passthru {output.plain(wiring['passthru'])}")
    if "tls" in wiring:
        file = output.plain(wiring["tls"]["certificate"])
        output.out.print(f"tls {wiring['tls']['url']} certificate {file}")
        output.err.print(
            f"to trust it, start your program with REQUESTS_CA_BUNDLE={file} (Python's requests),"
            f" SSL_CERT_FILE={file} (httpx, aiohttp, Go, Ruby) or NODE_EXTRA_CA_CERTS={file} (Node)"
        )
    if own_bot:
        output.out.print(f"bot {output.plain(wiring['bot'])}")
        output.err.print(
            "calling your bot, one call after another; each is told when it has ended, after some"
            " 15 seconds. Ctrl-C ends it"
        )


@contextmanager
def _wiring_file(file: Path, wiring: dict[str, Any]) -> Iterator[None]:
    """A file with credentials, so its owner's alone; it is whole as soon as it is there."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.encode(wiring) + b"\n")
    beside.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)

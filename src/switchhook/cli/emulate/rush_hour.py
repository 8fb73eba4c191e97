"""`switchhook emulate run rush-hour`: an Exotel and a Switchhook of its own, for some minutes."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from switchhook.cli import output
from switchhook.cli.emulate.loop import end_at_sigterm, run_loop
from switchhook.cli.emulate.own_server import LOG, own_server
from switchhook.emulator.exchange.watcher import Watcher
from switchhook.emulator.runs.doubles import Doubles
from switchhook.emulator.runs.rush_hour import ACCOUNT, EXOPHONE, FLOW_BACK, Crowd, rush_plan
from switchhook.emulator.runs.rush_tally import Listed, fates_of, tally_of
from switchhook.emulator.runs.server import running_emulator

if TYPE_CHECKING:
    from switchhook.cli.emulate.own_server import ConsoleApi
    from switchhook.emulator.call.call import Call
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.runs.rush_hour import RushHour
    from switchhook.emulator.runs.rush_tally import Tally
    from switchhook.emulator.runs.server import RunningEmulator

_LOOPBACK = "127.0.0.1"
_LOOK_S = 5.0
_ENDS = ("kept", "served", "broken", "expired", "cancelled", "refuted")

_CONFIG = """\
[answer]
listen = "{answer}"
url = "http://{answer}"

[console]
listen = "{console}"

[endpoints.default]
rules = "rules.toml"
secret_files = ["endpoint.txt"]

[accounts.{account}]
sid = "{account}"
url = "{exotel}"
key_file = "key.txt"
token_file = "token.txt"
status_secret_files = ["status.txt"]
quiet_s = 2
busy_s = 1
rate_per_minute = 190

[accounts.{account}.callbacks]
exophone = "{exophone}"
flow = "{flow}"
# Midnight is as good as noon here: nobody is called but the emulator's people.
hours = "0:00-24:00"
delay_s = 2
within_s = {within_s}
attempts = 3
gap_s = 20
declined_gap_s = 60
ring_s = 20
longest_s = {longest_s}
served_s = {served_s}
reserve = {reserve}
calls_an_hour = 10000
spend_an_hour = 10000
"""

_RULES = """\
[[rule]]
name = "no free stream"
when = 'stream.cause == "throttled"'
option = "B"
promise = true

[[rule]]
name = "the bot failed"
when = 'stream.cause in ["connect_failed", "bot_dropped"]'
option = "B"
promise = true

[default]
option = "A"
"""


def rush_hour(rush: RushHour, *, seed: int | None) -> int:
    """Play it to its end, and say what became of each caller.

    Ends with 0 when nine of ten were served or called back, the others are listed with a reason,
    and nobody was called twice.
    """
    folder = Path(tempfile.mkdtemp(prefix="switchhook-rush-hour-"))

    async def main() -> Tally:
        end_at_sigterm()
        return await _play(rush, folder, seed)

    try:
        tally = run_loop(main(), virtual=False)
    except (asyncio.CancelledError, KeyboardInterrupt):
        shutil.rmtree(folder, ignore_errors=True)
        return 1
    for line in tally.lines():
        bad = line.startswith(("missing", "wrong"))
        output.out.print(output.plain(line), style="red" if bad else None)
    if tally.passed:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        output.err.print(f"what the server said of it: {folder / LOG}")
    return 0 if tally.passed else 1


async def _play(rush: RushHour, folder: Path, seed: int | None) -> Tally:
    answer, console = _free_addresses(2)
    secret = secrets.token_urlsafe(24)
    passthru = f"http://{answer}/passthru/default/{secret}"
    async with running_emulator(
        make=lambda bot: rush_plan(rush, bot, passthru), seed=seed
    ) as running:
        config = _written(folder, rush, running, answer, console, secret)
        output.out.print(config.read_text())
        async with own_server(config) as api:
            output.out.print(f"the page: {api.page}")
            output.out.print(f"the configuration, and the server's log: {folder}\n")
            body = {"account": ACCOUNT, "reason": "the trial of a rush hour"}
            await api.ask("promises/allow-dialling", body)
            return await _watched(rush, running.exchange, api)


def _written(
    folder: Path, rush: RushHour, running: RunningEmulator, answer: str, console: str, secret: str
) -> Path:
    """The server's configuration, with its rules and secrets beside it."""
    account = running.exchange.plan.account[ACCOUNT]
    files = {
        "endpoint.txt": secret,
        "status.txt": secrets.token_urlsafe(24),
        "key.txt": account.key,
        "token.txt": account.token,
    }
    for name, text in files.items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(text + "\n")
    (folder / "rules.toml").write_text(_RULES)
    config = folder / "switchhook.toml"
    config.write_text(
        _CONFIG.format(
            answer=answer,
            console=console,
            account=ACCOUNT,
            exotel=running.url,
            exophone=EXOPHONE,
            flow=FLOW_BACK,
            reserve=rush.reserve,
            within_s=rush.within_s,
            longest_s=max(10, int(4 * rush.talks_s)),
            served_s=max(1, int(rush.talks_s / 2)),
        )
    )
    return config


def _free_addresses(count: int) -> list[str]:
    """Addresses of this machine where nobody listens."""
    socks = [socket.create_server((_LOOPBACK, 0)) for _ in range(count)]
    addresses = [f"{_LOOPBACK}:{sock.getsockname()[1]}" for sock in socks]
    for sock in socks:
        sock.close()
    return addresses


class _Calls(Watcher):
    """Every call of the run: the exchange forgets old ones."""

    def __init__(self) -> None:
        self.doubles = Doubles()
        self.ended: list[Call] = []

    def on_end(self, call: Call) -> None:
        self.ended.append(call)
        self.doubles.count(call)


async def _watched(rush: RushHour, exchange: Exchange, api: ConsoleApi) -> Tally:
    """Let everybody call, tell how it goes, and count once no promise has anything to come."""
    seen, crowd = _Calls(), Crowd(exchange, rush)
    exchange.watchers.append(seen)
    began = exchange.clock.now()
    calling = asyncio.create_task(crowd.call())
    still = 0
    try:
        # Twice: what was told last may not have been heard yet.
        while still < 2 and exchange.clock.now() - began < rush.counts_after_s:
            await asyncio.sleep(_LOOK_S)
            stands = await api.ask("promises/summary")
            _tell(exchange.clock.now() - began, rush, crowd, exchange, stands)
            over = calling.done() and not any(stands["states"].values())
            still = still + 1 if over else 0
        if calling.done():
            calling.result()
    finally:
        calling.cancel()
    numbers = [str(who.number) for who in crowd.people]
    listed = await _listed(api)
    return tally_of(fates_of(seen.ended, numbers), listed, seen.doubles, rush.enough)


def _tell(
    at: float, rush: RushHour, crowd: Crowd, exchange: Exchange, stands: dict[str, Any]
) -> None:
    """One line: who has called, how full the line is, and how the promises stand."""
    line = exchange.lines[ACCOUNT]
    counts = stands["states"] | {name: stands["lately"][name] for name in _ENDS}
    owed = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"
    dead = rush.dies_after_s <= at < rush.dies_after_s + rush.dead_for_s
    host = "  the bot's host is dead" if dead else ""
    output.out.print(
        f"{int(at) // 60}:{int(at) % 60:02}  {crowd.called:3} of {rush.callers} have called,"
        f" {line.active:2} of {line.allowed} streams; promises: {output.plain(owed)}{host}"
    )


async def _listed(api: ConsoleApi) -> list[Listed]:
    """What the server lists: promises, oldest first, and those to whom it could promise nothing."""
    promises = await api.every("promises", "promises")
    refusals = await api.every("promises/refusals", "refusals")
    return [
        *(Listed(x["call_sid"] or "", "refused", x["why"]) for x in reversed(refusals)),
        *(Listed(x["call_sid"] or "", x["state"], x["said"]) for x in reversed(promises)),
    ]

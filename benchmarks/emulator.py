"""The emulator: 500 calls of real media on one core, beside what one would write by hand.

Roles, each a process: `bot` echoes every message (on the other core), `ours` is the emulator,
`by-hand` a task for each call with the `websockets` library, `virtual` places whole calls without
media under the virtual clock. Each prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import msgspec
import picows
import uvloop
from websockets.asyncio.client import connect

from benchmarks.figures import quantile
from benchmarks.machine import PYTHON, Cores
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import (
    Applet,
    Connect,
    Flow,
    Greeting,
    Hangup,
    Passthru,
    Voicebot,
)
from switchhook.emulator.plan.plan import Account, Act, Agent, Caller, Number, Plan
from switchhook.emulator.stream.session import StreamSession
from switchhook.exotel.wire.media import MediaWriter, build_connected

CALLS = 500
FRAME_S = 0.020
WARM_UP_S = 2.0
_LEAST_SENT = 0.5 * CALLS / FRAME_S
"""Frames a second below which a run measured something else, or nothing."""
NUMBER, AGENT = "+918047112233", "+919111100001"


class MediaRun(msgspec.Struct):
    """Lateness of frames in ms, messages a second each way, and the share of its core used."""

    p50: float
    p99: float
    p999: float
    sent_s: float
    heard_s: float
    busy: float


class EmulatorResult(msgspec.Struct):
    """All rounds, ours and by hand in turn, and whole calls a minute under the virtual clock."""

    calls: int
    ours: list[MediaRun]
    by_hand: list[MediaRun]
    virtual_a_minute: list[float]


def measure(
    cores: Cores, rounds: int, seconds: float, say: Callable[[str], None], refused: list[str]
) -> EmulatorResult | None:
    """Every round: ours, by hand, virtual.

    None where the calls are more than a core takes: then lateness grows with the time that is
    measured, and tells nothing. `refused` gets to know.
    """
    result = EmulatorResult(CALLS, [], [], [])
    for number in range(rounds):
        for role, runs in (("ours", result.ours), ("by-hand", result.by_hand)):
            # The first core serves interrupts too; what is measured gets the other.
            bot = _start([cores.server], "bot")
            try:
                assert bot.stdout is not None
                port = bot.stdout.readline().strip()
                said = _run(cores.client[:1], role, port, str(seconds))
            finally:
                bot.kill()
                bot.wait()
            run = msgspec.convert(said, MediaRun)
            if run.sent_s < _LEAST_SENT:
                told = f"{CALLS} calls are more than a core here takes: {role} sent"
                refused.append(
                    f"{told} {run.sent_s:,.0f} frames a second of {CALLS / FRAME_S:,.0f}"
                )
                say(f"does not count: {refused[-1]}")
                return None
            runs.append(run)
            say(f"emulator, round {number + 1}: {role} p99 {runs[-1].p99:.1f} ms late")
        said = _run(cores.client[:1], "virtual", str(seconds))
        result.virtual_a_minute.append(said["a_minute"])
    return result


def rows(result: EmulatorResult) -> list[tuple[str, ...]]:
    """The table: who, p50, p99, p99.9, messages each way, core."""
    found: list[tuple[str, ...]] = []
    for told, runs in (
        ("Switchhook's emulator", result.ours),
        ("by hand: `websockets`, a task a call", result.by_hand),
    ):
        found.append(
            (
                told,
                f"{median(run.p50 for run in runs):.2f}",
                f"{median(run.p99 for run in runs):.2f}",
                f"{median(run.p999 for run in runs):.2f}",
                f"{median(run.sent_s for run in runs):,.0f}",
                f"{median(run.heard_s for run in runs):,.0f}",
                f"{median(run.busy for run in runs):.0%}",
            )
        )
    return found


def _start(cores: Sequence[int], *words: str) -> subprocess.Popen[str]:
    pinned = ["taskset", "-c", ",".join(map(str, cores))]
    return subprocess.Popen(
        [*pinned, str(PYTHON), "-m", "benchmarks.emulator", *words],
        stdout=subprocess.PIPE,
        text=True,
    )


def _run(cores: Sequence[int], *words: str) -> dict[str, float]:
    with _start(cores, *words) as child:
        said, _ = child.communicate(timeout=300)
        if child.returncode:
            raise RuntimeError(f"the role {words[0]} ended with {child.returncode}")
    found: dict[str, float] = json.loads(said)
    return found


# Roles.


class _Echo(picows.WSListener):
    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            text = frame.get_payload_as_bytes()
            if text.startswith(b'{"event":"media"'):
                transport.send(picows.WSMsgType.TEXT, text)
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()


async def bot() -> None:
    server = await picows.ws_create_server(lambda _: _Echo(), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _plan(applets: dict[str, Applet], first: str) -> Plan:
    return Plan(
        account={"acme": Account(streams=2 * CALLS)},
        number={NUMBER: Number(account="acme", flow="f")},
        flow={"f": Flow(first=first, applet=applets)},
        agent={AGENT: Agent(talks_s=30)},
    )


async def ours(port: str, seconds: float) -> dict[str, float]:
    bot_url = f"ws://127.0.0.1:{port}/media"
    exchange = Exchange(
        _plan({"b": Voicebot(url=bot_url, next="e"), "e": Hangup()}, "b"),
        clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
        chance=Chance(1),
        web=Web(AddressAllowList()),
        dial=dialler(AddressAllowList()),
        keep_media=False,
    )
    caller = Caller(patience_s=900, does=(Act(at="b", after_s=0.5, says="x" * 400),))
    calls = []
    for _ in range(CALLS):
        calls.append(exchange.ring(NUMBER, caller))
        await asyncio.sleep(0.008)
    late: list[float] = []

    def sessions() -> list[StreamSession]:
        opened = [stream for call in calls for stream in call.streams]
        return [each for each in opened if isinstance(each, StreamSession)]

    def heard() -> float:
        return sum(each.playout.spoken_s for each in sessions())

    def begin() -> None:
        exchange.streaming.frame_clock.on_late = late.append

    result = await _timed(seconds, late, lambda: heard() / FRAME_S, begin)
    await exchange.stop()
    return result


async def by_hand(port: str, seconds: float) -> dict[str, float]:
    """What somebody writes in an afternoon: connect, sleep, send; and read in a second task."""
    late: list[float] = []
    heard = 0
    measuring = False
    payload = b"A" * 428

    async def call() -> None:
        nonlocal heard
        writer = MediaWriter("s")
        async with connect(f"ws://127.0.0.1:{port}/media", compression=None) as socket:
            await socket.send(build_connected(), text=True)

            async def read() -> None:
                nonlocal heard
                async for message in socket:
                    json.loads(message)
                    heard += 1

            reading = asyncio.create_task(read())
            due = time.monotonic()
            for number in range(1_000_000):
                due += FRAME_S
                await asyncio.sleep(due - time.monotonic())
                await socket.send(writer.media(number, number, number * 20, payload), text=True)
                if measuring:
                    late.append(time.monotonic() - due)
            await reading

    tasks = []
    for _ in range(CALLS):
        tasks.append(asyncio.create_task(call()))
        await asyncio.sleep(0.008)

    def begin() -> None:
        nonlocal measuring
        measuring = True

    result = await _timed(seconds, late, lambda: heard, begin)
    for task in tasks:
        task.cancel()
    return result


async def _timed(
    seconds: float, late: list[float], heard: Callable[[], float], begin: Callable[[], None]
) -> dict[str, float]:
    await asyncio.sleep(WARM_UP_S)
    gc.collect()
    gc.freeze()
    begin()
    before, cpu, began = heard(), time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    busy = (time.process_time() - cpu) / took
    count, found = len(late), sorted(late)
    marks = (quantile(found, share) * 1000 for share in (0.5, 0.99, 0.999))
    p50, p99, p999 = marks
    return {
        "p50": p50,
        "p99": p99,
        "p999": p999,
        "sent_s": count / took,
        "heard_s": (heard() - before) / took,
        "busy": busy,
    }


async def virtual(seconds: float) -> dict[str, float]:
    """Whole calls without media: greeting, passthru, an agent, another passthru."""

    async def server(scope: object, receive: object, send: Callable[..., object]) -> None:
        await send({"type": "http.response.start", "status": 302, "headers": []})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[misc]

    url = "https://server.example/passthru"
    exchange = Exchange(
        _plan(
            {
                "g": Greeting(next="p"),
                "p": Passthru(url=url, a="e", b="c"),
                "c": Connect(numbers=(AGENT,), answered="q", no_answer="q"),
                "q": Passthru(url=url, a="e", b="e"),
                "e": Hangup(),
            },
            "g",
        ),
        clock=Clock(asyncio.get_running_loop(), VIRTUAL_START),
        chance=Chance(1),
        web=Web(AddressAllowList(), apps={"server.example": server}),
        dial=dialler(AddressAllowList()),
        keep_media=False,
    )
    count, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        for _ in range(100):
            exchange.ring(NUMBER, Caller())
            await asyncio.sleep(0.5)
        count += 100
    await exchange.drain()
    return {"a_minute": count / (time.monotonic() - began) * 60}


def main() -> None:
    role, *rest = sys.argv[1:]
    match role:
        case "bot":
            uvloop.run(bot())
        case "ours":
            print(json.dumps(uvloop.run(ours(rest[0], float(rest[1])))))
        case "by-hand":
            print(json.dumps(uvloop.run(by_hand(rest[0], float(rest[1])))))
        case "virtual":
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                print(json.dumps(runner.run(virtual(float(rest[0])))))


if __name__ == "__main__":
    main()

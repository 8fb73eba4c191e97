"""The product and an Exotel on one virtual clock, from a call's first ring to the pager."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx2
import msgspec

from switchhook.answer.answerer import SWEEP_S, Answerer
from switchhook.answer.asgi import AnswerApp
from switchhook.answer.clock import AnswerClock
from switchhook.capacity.facts_file import FactsFile
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.capacity.poller import AccountWatch, Watched
from switchhook.config.live import SettingsKeeper
from switchhook.config.names import names_of
from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.bot.app import make_bot
from switchhook.emulator.bot.script import BotScript
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import Connect, Flow, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import Account, Caller, Fault, Number, Plan
from switchhook.exotel.client import ExotelClient
from switchhook.journal import JournalReader, JournalWriter
from switchhook.overview.health_metrics import AnswerHealth
from switchhook.routes.view import RoutesView
from switchhook.server.alerting import Monitoring
from switchhook.server.answer_settings import endpoints_of
from switchhook.server.own_files import OwnFiles
from switchhook.server.own_machine import OwnMachine
from switchhook.server.steady_clock import SteadyClock
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.fold import Folder
from switchhook.system.data_folder import JOURNAL, LEDGER, STORE, DataFolder, boot_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from switchhook.alerts.message import Message
    from switchhook.emulator.net.asgi import ASGIApp, Receive, Scope, Send
    from switchhook.emulator.plan.flow import Applet
    from switchhook.exotel.answers import Polled
    from switchhook.overview.verdict import State

SECRET = "0123456789abcdef0123456789abcdef"
SID, KEY, TOKEN = "acme", "k" * 20, "t" * 20
PATIENCE_S = 60.0
TALK_S = 6.0
PATIENT_S = 120.0
DAY_S = 86_400.0
_SIZE = "512m"

_CONFIG = """
[console]
url = "https://console.example"
users = true

[endpoints.sales]
secret_env = ["SECRET"]
account = "Main"
rules = "rules.toml"

[endpoints.sales.leads]
A = "the end"
B = "the queue of people"

[accounts.Main]
sid = "acme"
region = "mumbai"
poll = false

[alerts]
off = ["missed-deadlines"]  # the disk is this machine's

[alerts.send.ops]
url_env = "OPS"
severities = ["warning", "critical"]

[alerts.send.pager]
url_env = "OPS"
severities = ["critical"]
"""
_BOT = """
[bots.{name}]
hosts = ["{host}"]
owner = "Asha"
contact = "+91 98765 43210"
"""
RULES = """
[[rule]]
name = "no talk"
when = 'stream.status == "failed"'
option = "B"

[default]
option = "A"
"""


class VirtualClock(AnswerClock):
    """The clocks of answer and console, on the emulator's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_us = round(VIRTUAL_START.timestamp() * 1_000_000)

    def wall_us(self) -> int:
        return self._start_us + round(self._clock.now() * 1_000_000)

    def mono_ns(self) -> int:
        return 10**15 + round(self._clock.now() * 1_000_000_000)

    def wall_ms(self) -> int:
        return self.wall_us() // 1_000

    def mono_ms(self) -> int:
        return self.mono_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Heard(msgspec.Struct, frozen=True):
    """A message that arrived: when, in seconds of the clock, and at whom."""

    at_s: float
    destination: str
    message: Message


class _Retention:
    """Nothing is removed, and the clock is not ahead of anything."""

    held = None
    looked = True


class _Notifier:
    """Where messages arrive."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.heard: list[Heard] = []

    def send(self, destination: str, message: Message) -> str | None:
        self.heard.append(Heard(self._now_s(), destination, message))
        return None


def can_mount() -> bool:
    """Whether a small disk can be had: it takes root, on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


@contextmanager
def _mounted(place: Path) -> Iterator[None]:
    place.mkdir(mode=0o700)
    words = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=700", "tmpfs", str(place)]
    subprocess.run(words, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


class _Polls:
    """An account's API, asked at the world's pace."""

    def __init__(self, client: ExotelClient, clock: Clock) -> None:
        self._client, self._clock = client, clock

    async def active_streams(self) -> Polled:
        with self._clock.outside():
            return await self._client.active_streams()


class World:
    """One Exotel with `bots` bots, `per_minute` calls a minute, and the product.

    Enter it in a virtual loop; `faults` is what goes wrong, `state` the first line of every page,
    `heard` what arrived at whom.
    """

    def __init__(
        self,
        *,
        per_minute: float,
        bots: int = 1,
        talk_s: float = TALK_S,
        talks: bool = False,
        small_disk: bool = False,
        seed: int = 1,
    ) -> None:
        self.per_minute, self.bots, self._talk_s = per_minute, bots, talk_s
        self._says = None if talks else 0  # what nobody listens to takes time
        self._seed, self._chance = seed, random.Random(seed)
        self._open = ExitStack()
        self._small_disk = small_disk
        self.full = False
        self.calling = self._looks = True
        self.patience_s = PATIENT_S
        self.calls = 0
        self.state: State | None = None

    async def __aenter__(self) -> World:
        self.clock = Clock(asyncio.get_running_loop(), VIRTUAL_START)
        self._time = VirtualClock(self.clock)
        self.folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self._write_files()
        if self._small_disk:
            self._open.enter_context(_mounted(self.folder / "data"))
        with self.clock.outside():
            self._make_product()
            self._make_exotel()
            await asyncio.to_thread(self.store.open)
            await asyncio.to_thread(self.monitoring.begin)
        for each in self._settings.running:
            self.answerer.keep_config_applied(each)
        self.folder_of_streams.start()
        await self.watch.use([Watched("Main", _Polls(self._client, self.clock))])
        self._tasks = [
            asyncio.create_task(work) for work in (self._sweep(), self._call(), self._look())
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.calling = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with self.clock.outside():
            await self.exchange.stop()
            await self.exchange.web.close()
            await self.watch.stop()
            await self._client.close()
            for end in (self.monitoring.alerting.stop, self.folder_of_streams.stop):
                await asyncio.to_thread(end)
            await asyncio.to_thread(self.journal.close, PATIENCE_S)
            self.store.close()
            self._reader.close()
            self._ledger.close()
            self._held.close()
        self._open.close()

    # What it is made of.

    def _write_files(self) -> None:
        bots = "".join(_BOT.format(name=f"Bot{n}", host=host) for n, host in self._hosts())
        self.config_file = self.folder / "switchhook.toml"
        self.rules_file = self.folder / "rules.toml"
        self.config_file.write_text(_CONFIG + bots)
        self.rules_file.write_text(RULES)

    def _hosts(self) -> list[tuple[int, str]]:
        return [(n, f"bot{n}.example") for n in range(self.bots)]

    def _make_product(self) -> None:
        data = self.folder / "data"
        environ = {"SECRET": SECRET, "OPS": "json://127.0.0.1/x"}
        self._keeper = SettingsKeeper(data, str(self.config_file), environ=environ)
        self._settings = self._keeper.start()
        held = self._held = DataFolder.open(data, "console")
        loop = asyncio.get_running_loop()
        self.journal = JournalWriter(
            held.folder(JOURNAL),
            node=held.node,
            notify=loop.call_soon_threadsafe,
            observe=lambda event: None,
        )
        self.answerer = Answerer(
            endpoints_of(self._settings, held.key),
            self.journal,
            node=held.node,
            key=held.key,
            clock=self._time,
        )
        self._reader = JournalReader(held.folder(JOURNAL))
        self.store = SqliteStore(held.folder(STORE), self._reader)
        self.folder_of_streams = Folder(self._reader, self.store)
        self._ledger = open_ledger(held.folder(LEDGER))
        names = names_of(self._settings.config)
        self.watch = AccountWatch(
            LedgerCapacity(self._ledger), FactsFile(held.path, boot_id()), self._time, lambda: 0.5
        )
        steady = SteadyClock(
            self.store, lambda: None, wall_ms=self._time.wall_ms, mono_ms=self._time.mono_ms
        )
        machine = OwnMachine(held, OwnFiles(held), lambda: self._settings, self._health)
        self.monitoring = Monitoring(
            self._settings.config,
            self._ledger,
            store=self.store,
            journal=self._reader,
            folder=self.folder_of_streams,
            watch=self.watch,
            held=held,
            names=lambda: names,
            machines=machine.alone,
            failing=tuple,
            clock=steady,
            retention=_Retention,
            routes=lambda: RoutesView(made_ms=self._time.wall_ms()),
        )
        self._steady = steady
        notifier = _Notifier(self.clock.now)
        self.heard = notifier.heard
        sender = self.monitoring.alerting.sender
        sender.destinations = msgspec.structs.replace(sender.destinations, notifier=notifier)

    def _health(self) -> AnswerHealth:
        """As its `/healthz` says, which nobody can ask without a socket."""
        return AnswerHealth(self._time.wall_ms(), answers=True, waiting=not self.journal.healthy)

    def _make_exotel(self) -> None:
        apps: dict[str, ASGIApp] = {"answer.example": self._answers()}
        bot = make_bot(BotScript(say=self._says, after=self._talk_s))
        apps |= {host: bot for _, host in self._hosts()}
        numbers, flows = {}, {}
        says = {"after": f"{self._talk_s:.0f}"} | ({} if self._says is None else {"say": "0"})
        for n, host in self._hosts():
            applets: dict[str, Applet] = {
                "bot": Voicebot(url=f"wss://{host}/bot?{urlencode(says)}", next="told"),
                "told": self._told(SECRET),
                "people": Connect(numbers=("+919811100001",), answered="end", no_answer="end"),
                "end": Hangup(),
            }
            flows[f"flow{n}"] = Flow(first="bot", applet=applets, id=str(1000 + n))
            numbers[f"+9180471{n:05d}"] = Number(account=SID, flow=f"flow{n}")
        plan = Plan(
            account={SID: Account(key=KEY, token=TOKEN, streams=1_000)},
            number=numbers,
            flow=flows,
            behaviour={"frame_ms": 100, "numbers": "e164"},
        )
        allow = AddressAllowList([])
        outside = self.clock.outside
        self.exchange = Exchange(
            plan,
            clock=self.clock,
            chance=Chance(self._seed),
            web=Web(allow, apps=apps, outside=outside),
            dial=dialler(allow, apps=apps, outside=outside),
            keep_media=False,
        )
        self.faults = self.exchange.faults
        self._client = ExotelClient(
            url="http://127.0.0.1",
            sid=SID,
            key=KEY,
            token=TOKEN,
            per_minute=150,
            clock=self._time,
            transport=httpx2.ASGITransport(app=make_rest(self.exchange)),
        )

    def _answers(self) -> ASGIApp:
        async def opened() -> Answerer:
            return self.answerer

        async def closed() -> None:
            return None

        app = AnswerApp(opened, closed)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            with self.clock.outside():  # the disk knows nothing of our time
                await app(scope, receive, send)

        return answer

    # What goes on.

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S * 10)
            self.answerer.sweep()

    async def _call(self) -> None:
        numbers = list(self.exchange.plan.number)
        while True:
            await asyncio.sleep(self._chance.expovariate(self.per_minute / 60))
            if self.calling:
                self.calls += 1
                caller = Caller(patience_s=self.patience_s)
                self.exchange.ring(self._chance.choice(numbers), caller)

    async def _look(self) -> None:
        """What the console does each second, in its order."""
        while True:
            await asyncio.sleep(1)
            if self._looks:
                with self.clock.outside():
                    await asyncio.to_thread(self._step)

    def _step(self) -> None:
        assert self.full or self.journal.flush(PATIENCE_S)
        assert self.folder_of_streams.reach(self._reader.last_seq() or 0, PATIENCE_S)
        settings, taken = self._keeper.poll()
        for each in taken:
            self.answerer.keep_config_applied(each)
        if settings is not None:
            self._settings = settings
            self.answerer.endpoints = endpoints_of(settings, self._held.key)
        self.monitoring.alerting.step()
        worker = self.monitoring.alerting.sender.worker
        while worker.step():
            with worker.idle:
                assert worker.idle.wait_for(lambda: not worker._sending, PATIENCE_S)
        self.monitoring.verdicts.refresh()
        self.state = self.monitoring.verdicts.now()

    # What one does with it.

    def now(self) -> float:
        """Seconds since the start."""
        return self.clock.now()

    async def next_day(self, since_s: float) -> None:
        """Let it be a day after what was so long ago; nobody calls, and nobody looks."""
        self.calling = self._looks = False
        await asyncio.sleep(DAY_S - since_s)
        self.calling = self._looks = True

    def fill_disk(self) -> None:
        """Leave the data folder's disk, a small one, no room."""
        self.full = True
        filler = self.folder / "data" / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free_disk(self) -> None:
        (self.folder / "data" / "filler").unlink()
        self.full = False

    def aim(self, secret: str) -> None:
        """Let the applets name another secret."""
        told = {
            name: msgspec.structs.replace(flow, applet=flow.applet | {"told": self._told(secret)})
            for name, flow in self.exchange.plan.flow.items()
        }
        self.exchange.plan = msgspec.structs.replace(self.exchange.plan, flow=told)

    def _told(self, secret: str) -> Passthru:
        url = f"https://answer.example/passthru/sales/{secret}"
        return Passthru(url=url, a="end", b="people")

    def fault(self, what: str, **more: object) -> int:
        """Let something go wrong; the number mends it."""
        return self.faults.add(msgspec.convert({"what": what, **more}, Fault))

    async def until(self, true: Callable[[], bool], within_s: float) -> bool:
        """Let time pass until something is so, looked at each second; whether it came to be."""
        end = self.now() + within_s
        while self.now() < end:
            if true():
                return True
            await asyncio.sleep(1)
        return true()

"""A console with a day of traffic, made of the real parts, on a port of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from patience import PATIENCE_S
from switchhook.access.audit import Deed
from switchhook.access.roles import Role, Viewer
from switchhook.calls.promised import CallPromise
from switchhook.calls.sources import KeptDetails
from switchhook.capacity.forecast import Forecast
from switchhook.capacity.readings import Span
from switchhook.capacity.status import CapacityNow
from switchhook.config.own_links import AppletUrls
from switchhook.journal import JournalReader, JournalWriter
from switchhook.overview.verdict import Level, State
from switchhook.routes.admission import Estimate
from switchhook.routes.admission_feed import Became
from switchhook.routes.admission_view import AdmissionView
from switchhook.routes.foreign import Compared
from switchhook.routes.leases import Held
from switchhook.rules.decide import Option, Rule
from switchhook.server.pages import CallsShown, StreamPages
from switchhook.server.plot_marks import PlotMarks
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.endpoints import EndpointShown, RulesShown
from switchhook.streams.endpoints_page import EndpointSource
from switchhook.streams.fold import Folder
from switchhook.streams.issues.ledger import LedgerIssueHistory
from switchhook.streams.names import Bot, NamedAccount, Names
from switchhook.streams.search.saved_views_ledger import LedgerViews
from switchhook.web.render import Renderer

from .traffic import HOSTILE, SECRET_RELEASE, Traffic

NAMES = Names(
    accounts=(NamedAccount("Acme Bank", "acme1"),),
    bots=(
        Bot("वाणी", ("voice.acme.example",), owner="Voice team", contact="voice@acme.example"),
        Bot("Asha", ("asha.*",)),
        Bot("தமிழ் வாணி", ("tamil.*",)),
    ),
    exophones={"+918047112233": "Front desk"},
    destinations={("reception", "A"): "goodbye", ("reception", "B"): "agents' queue"},
    accounts_of={"reception": "Acme Bank"},
)


class World(Traffic):
    """The journal's two ends, the store, and the pages over them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            JournalWriter(
                folder / "journal",
                node=7,
                notify=lambda call: call(),
                observe=lambda event: None,
                synchronous="OFF",
            )
        )
        self.reader = JournalReader(folder / "journal")
        (folder / "store").mkdir()
        self.store = SqliteStore(folder / "store", self.reader)
        self.store.open()
        self.folder = Folder(self.reader, self.store)
        ledger = open_ledger(folder / "ledger")
        self.viewer: Viewer | None = None
        self.noted: list[Deed] = []
        self.marks_anew()
        self.details: dict[str, list[KeptDetails]] = {}
        self.promised: dict[str, list[CallPromise]] = {}
        self.state = State(
            level=Level.BAD,
            what="Bot वाणी (voice.acme.example) refuses connections: 1 in 3 calls fails.",
            since_us=(time.time_ns() // 1000) - 840_000_000,
            callers="183 callers since then.",
            went="They went to Option B, the agents' queue.",
            fault="At fault: the bot.",
            todo="Is the bot at 10.0.4.17:8443 running, and is this the right port?",
        )
        self.pages = StreamPages(
            renderer=Renderer(
                lambda: self.state,
                news=lambda: {"streams": str(self.folder.position)},
                link_hosts=lambda: ("recordings.example",),
            ),
            journal=self.reader,
            store=self.store,
            folder=self.folder,
            names=lambda: NAMES,
            capacity=_Watch(),
            history=_Watch(),
            issue_history=LedgerIssueHistory(ledger),
            views=LedgerViews(ledger),
            calls=CallsShown(
                details=lambda call_sid: self.details.get(call_sid, []),
                promised=lambda call_sid: self.promised.get(call_sid, []),
            ),
            endpoints=EndpointSource(
                lambda: (_endpoint("reception"), _endpoint("sales")), lambda: "", _urls
            ),
            note=self.noted.append,
            marks=lambda since_ms, until_ms: self.marks.between(since_ms, until_ms),
            admission=lambda: [_admission()],
        )
        self.folder.start()

    def marks_anew(self) -> None:
        """Forget what is remembered of changes, which is looked at every few seconds only."""
        alerting: Any = SimpleNamespace(alerts=(), book=SimpleNamespace(resolved=lambda _limit: []))
        self.marks = PlotMarks(
            self.reader, self.store, alerting, lambda: time.time_ns() // 1_000_000
        )

    def fill(self) -> None:
        """A day of traffic, folded."""
        super().fill()
        assert self.folder.reach(self.reader.last_seq(), 60)

    def app(self) -> ASGIApp:
        """The pages, for whoever `viewer` is."""
        inner = Starlette(routes=self.pages.routes())

        async def seen(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and self.viewer is not None:
                scope["viewer"] = self.viewer
            await inner(scope, receive, send)

        return seen

    def close(self) -> None:
        self.folder.stop()
        self.store.close()
        self.writer.close(5)
        self.reader.close()


VIEWER = Viewer("ravi@acme.example", Role.VIEWER, "s1")
OPERATOR = Viewer("asha@acme.example", Role.OPERATOR, "s2")


def _admission() -> AdmissionView:
    """Of an account that is nearly full, partly with streams that are not ours."""
    now_ms = time.time_ns() // 1_000_000
    return AdmissionView(
        account="Acme Bank",
        at_ms=now_ms,
        estimate=Estimate(
            allowed=100, held=Held(4, 81), unseen=1.4, foreign=12.2, reserve=2.6, room=1
        ),
        reserves={"campaign": 20, HOSTILE[0]: 3},
        lately={Became.ADMITTED: 1_412, Became.REFUSED: 38, Became.BY_RULE: 3, Became.UNKNOWN: 1},
        total={},
        pending_ms=15_000,
        age_ms=1_000,
        given_up=2,
        compared=tuple(Compared(now_ms - 3_000 * n, 94, 82, 1_000, 12.1) for n in range(20, 0, -1)),
    )


class _Watch:
    """An account that is nearly full, and one that can't be read."""

    def now(self, now_ms: int) -> list[CapacityNow]:
        expected = tuple(
            (now_ms + at * 300_000, 60.0 + at, 62.0 + 3 * at, 64.0 + 6 * at) for at in range(12)
        )
        minutes = 60_000
        foretold = Forecast(
            made_ms=now_ms,
            earliest_ms=now_ms + 9 * minutes,
            likely_ms=now_ms + 17 * minutes,
            latest_ms=now_ms + 41 * minutes,
            chance=0.83,
            arrivals_per_minute=41.0,
            mean_length_s=95.0,
            expected=expected,
        )
        return [
            CapacityNow("Acme Bank", 78, 100, 22, 3.0, forecast=foretold),
            CapacityNow("தமிழ் சேவை", None, None, None, None, problem="no answer in time", unread=4),
        ]

    def history(self, account: str, since_ms: int, until_ms: int) -> list[Span]:
        if account != "Acme Bank":
            return []
        step = max((until_ms - since_ms) // 200, 10_000)
        return [
            Span(at, step, 30 + n % 7, 36.0 + n % 9, 48 + n % 5, 100, 5)
            for n, at in enumerate(range(since_ms, until_ms, step))
        ]


def _endpoint(name: str) -> EndpointShown:
    rules = RulesShown(
        release=SECRET_RELEASE,
        since_us=1_790_000_000_000_000,
        by="start",
        file="/etc/switchhook/rules.toml",
        rules=(
            Rule("it went wrong", 'stream.cause in ["throttled", "connect_failed"]', Option.B),
            Rule("all went well", 'stream.cause == "bot_done"', Option.A),
        ),
        default=Rule("default", "no rule matched", Option.A),
        unused=UNUSED if name == "sales" else "",
        refused=True,
    )
    return EndpointShown(
        name=name,
        mode="sync",
        auth="secret",
        safe_option="B",
        deadline_ms=2000,
        rules=rules,
        secret=True,
    )


UNUSED = (
    '/etc/switchhook/rules.toml: rule "it went wrong", column 8: no such name: strem (did you mean'
    " stream?)\n/etc/switchhook/rules.toml: there is no [default]: was the file cut short?"
)
SECRET = "9DcZsEH74jFSiEob5lBDQncWBUkgEZPP"


def _urls(name: str) -> AppletUrls:
    return AppletUrls((f"https://calls.acme.example/passthru/{name}/{SECRET}",), public=True)


@contextlib.contextmanager
def serving(app: ASGIApp, close) -> Iterator[str]:
    """The app on a free port; gives its address."""
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    started = threading.Event()
    whole_startup = server.startup

    async def startup(sockets=None) -> None:
        await whole_startup(sockets)
        started.set()

    server.startup = startup
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(PATIENCE_S)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        close()
        thread.join(PATIENCE_S)

"""The live feed: what was folded, as fragments of pages, to every browser that looks.

The fold's thread hands records over (`take`), and the rows of the newest are kept; a task of the
loop has them rendered in a thread, at most every `PACE_S`, once for all who see the same (whether
masked, in which zone, on which page), and hands the same bytes to all of those. Nobody waits for a
browser: who can't follow is let go, and its browser comes again.

Events: `verdict` (the first line) and `news` (JSON: how far each topic is that pages renew by)
on every page; `now` (the figures), `tail` (rows, newest first) and `chart` (JSON) on the page
Now; `now` and `receipts` as JSON at `/api/v1/feed`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol

import msgspec
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from switchhook.errors import SwitchhookError
from switchhook.streams.tail import tail_row, told_of
from switchhook.system.priority import yield_cpu
from switchhook.web.render import ViewOptions, viewer_of, zone_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from switchhook.streams.fold import Folded
    from switchhook.streams.tail import TailRow

log = logging.getLogger(__name__)

PACE_S = 0.1
"""The least time between two renderings of receipts."""
FIGURES_S = 1.0
"""The least time between two renderings of figures."""
PING_S = 15.0
MOST_BROWSERS = 200
MOST_OF_ONE = 20
"""Browsers of one user or token, so that nobody takes all there are."""
MOST_LOOKS = 16
MOST_LOOKS_OF_ONE = 4
"""Of one user or token: pages times zones."""
NOW, API = "now", "api"
"""The pages that have a tail."""
MOST_ROWS = 300
"""Receipts that are shown at a time; of more, the newest."""
_QUEUE = 16

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


class Live(Protocol):
    """Makes what is sent; called in a thread."""

    def gather(self) -> None:
        """Look at the figures, for the next fragments."""
        ...

    def figures(self, page: str, look: ViewOptions) -> Mapping[str, str]:
        """The events of a page but its tail, by name, from what was gathered last."""
        ...

    def tail(
        self, page: str, rows: Sequence[TailRow], left_out: int, look: ViewOptions
    ) -> Mapping[str, str]:
        """The event with rows for a page's tail, newest first; there is one row at least."""
        ...


class Audience(msgspec.Struct, frozen=True):
    """Who sees the same: the page, whether numbers are masked, the zone's name."""

    page: str
    sees_numbers: bool
    zone: str


class _Browser:
    """One connection: what is to be sent, bounded; None ends it."""

    def __init__(self, who: str) -> None:
        self.who = who
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUE)
        self.gone = False

    def put(self, chunk: bytes) -> None:
        """Hand a chunk over; one that is behind is let go."""
        if self.gone:
            return
        try:
            self.queue.put_nowait(chunk)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        self.gone = True
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class _Group:
    """The browsers of one audience, and what each event said last."""

    def __init__(self, look: ViewOptions) -> None:
        self.look = look
        self.browsers: set[_Browser] = set()
        self.said: dict[str, str] = {}

    def of(self, who: str) -> int:
        """How many are somebody's."""
        return sum(each.who == who for each in self.browsers)


class _FeedResponse(StreamingResponse):
    """A stream of events; `over` is called once, however it ends."""

    def __init__(self, events: AsyncIterator[bytes], over: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS)
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()


class Feed:
    """`take` and `forget` may be called from any thread, everything else in the loop's."""

    def __init__(
        self,
        live: Live,
        monotonic: Callable[[], float],
        *,
        node: Callable[[], int] = lambda: 0,
        news: Callable[[], Mapping[str, str]] = dict,
        pace_s: float = PACE_S,
        figures_s: float = FIGURES_S,
    ) -> None:
        self._live, self._monotonic, self._node = live, monotonic, node
        self._pace_s, self._figures_s = pace_s, figures_s
        self._news = news
        self._ring: deque[TailRow] = deque(maxlen=MOST_ROWS)
        self._taken = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._groups: dict[Audience, _Group] = {}
        self._task: asyncio.Task[None] | None = None

    def take(self, folded: Folded) -> None:
        """An observer of the fold."""
        told = told_of(folded.records)
        if not told:
            return
        node = self._node()
        self._ring.extend(tail_row(each, node) for each in told[-MOST_ROWS:])
        self._taken += len(told)
        loop = self._loop
        if loop is not None and self._groups:
            loop.call_soon_threadsafe(self._wake.set)

    def forget(self) -> None:
        """Let go of the rows that are remembered, as they were before an erasure."""
        self._ring.clear()

    @property
    def browsers(self) -> int:
        """How many look."""
        return sum(len(group.browsers) for group in self._groups.values())

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/feed", self._of_page, methods=["GET"]),
            Route("/api/v1/feed", self._of_api, methods=["GET"]),
        ]

    def close(self) -> None:
        """Let every browser go, so that the server can end."""
        for group in self._groups.values():
            for browser in group.browsers:
                browser.end()

    async def _of_page(self, request: Request) -> Response:
        return self._answer(request, NOW if request.query_params.get("page") == NOW else "")

    async def _of_api(self, request: Request) -> Response:
        return self._answer(request, API)

    def _answer(self, request: Request, page: str) -> Response:
        # A reveal ends after a while, a feed does not: it shows numbers only where nobody is
        # signed in.
        look = ViewOptions(viewer_of(request).open, zone_of(request))
        audience = Audience(page, look.sees_numbers, look.zone.key)
        viewer = viewer_of(request)
        who = "" if viewer.open else viewer.name
        refused = self._refused(audience, who)
        if refused is not None:
            return refused
        browser = _Browser(who)
        # Counted from now on, so that none slips in between.
        self._groups.setdefault(audience, _Group(look)).browsers.add(browser)
        return _FeedResponse(
            self._stream(audience, browser),
            lambda: self._let_go(audience, browser),
        )

    def _refused(self, audience: Audience, who: str) -> Response | None:
        """Why somebody can't look: they have too many open, or all together have."""
        theirs = [key for key, group in self._groups.items() if group.of(who)]
        open_ = sum(self._groups[key].of(who) for key in theirs)
        new = audience not in self._groups
        if who and (
            open_ >= MOST_OF_ONE or (audience not in theirs and len(theirs) >= MOST_LOOKS_OF_ONE)
        ):
            return PlainTextResponse(
                "you have too many live pages open: close some; the page itself is whole\n", 429
            )
        if self.browsers >= MOST_BROWSERS or (new and len(self._groups) >= MOST_LOOKS):
            return PlainTextResponse("too many look just now; the page itself is whole\n", 503)
        return None

    def _let_go(self, audience: Audience, browser: _Browser) -> None:
        group = self._groups.get(audience)
        if group is not None:
            group.browsers.discard(browser)
            if not group.browsers:
                del self._groups[audience]

    async def _stream(self, audience: Audience, browser: _Browser) -> AsyncIterator[bytes]:
        group = self._groups[audience]
        self._start()
        yield b"retry: 1500\n\n"
        yield await self._beginning(audience, group)
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    chunk = await browser.queue.get()
            except TimeoutError:
                chunk = b": still here\n\n"
            if chunk is None:
                return
            yield_cpu()
            yield chunk

    def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _beginning(self, audience: Audience, group: _Group) -> bytes:
        """The rows that came while the page was on its way; what the page has, it leaves out."""
        if not audience.page:
            return _events(group.said)
        rows, tail = list(self._ring), dict[str, str]()
        if rows:
            tail |= await asyncio.to_thread(self._live.tail, audience.page, rows, 0, group.look)
        return _events({**group.said, **tail})

    async def _run(self) -> None:
        """Render and send as long as somebody looks."""
        figures_at = 0.0
        sent, sent_seq = self._taken, self._newest_seq()
        while self._groups:
            self._wake.clear()
            try:
                now = self._monotonic()
                if now - figures_at >= self._figures_s:
                    figures_at = now
                    await self._send_figures()
                rows = [each for each in list(self._ring) if each.seq > sent_seq]
                fresh, sent = self._taken - sent, self._taken
                if rows:
                    sent_seq = rows[-1].seq
                    await self._send_tail(rows, max(fresh - len(rows), 0))
            except SwitchhookError as error:
                log.warning("the live feed waits: %s", error)
            except Exception:  # the feed must outlive what one rendering hits
                log.exception("the live feed could not be rendered")
            await asyncio.sleep(self._pace_s)
            try:
                # Not wait_for: in Python 3.11 what comes just when it is cancelled hides that.
                async with asyncio.timeout(self._figures_s - self._pace_s):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _send_figures(self) -> None:
        await asyncio.to_thread(self._live.gather)
        news = msgspec.json.encode(await asyncio.to_thread(self._news)).decode()
        for audience, group in list(self._groups.items()):
            figures = await asyncio.to_thread(self._live.figures, audience.page, group.look)
            events = figures if audience.page == API else {**figures, "news": news}
            changed = {name: text for name, text in events.items() if group.said.get(name) != text}
            group.said |= changed
            if changed:
                self._fan_out(group, _events(changed))

    async def _send_tail(self, rows: list[TailRow], left_out: int) -> None:
        for audience, group in list(self._groups.items()):
            if audience.page:
                tail = await asyncio.to_thread(
                    self._live.tail, audience.page, rows, left_out, group.look
                )
                self._fan_out(group, _events(tail))

    def _newest_seq(self) -> int:
        return self._ring[-1].seq if self._ring else 0

    def _fan_out(self, group: _Group, chunk: bytes) -> None:
        for browser in group.browsers:
            browser.put(chunk)


def _events(events: Mapping[str, str]) -> bytes:
    """Events as they go over the line; a text's lines are lines of its data."""
    parts = []
    for name, text in events.items():
        lines = "".join(f"data: {line}\n" for line in text.replace("\r", "\n").split("\n"))
        parts.append(f"event: {name}\n{lines}\n")
    return "".join(parts).encode("utf-8", "replace")

"""All pages about streams as one part of the console."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from switchhook.console.feed import Feed
from switchhook.console.pages.calls import CallPage
from switchhook.console.pages.capacity import CapacityPage
from switchhook.console.pages.causes import CausesPage
from switchhook.console.pages.endpoints import EndpointsPage
from switchhook.console.pages.now import NowPage
from switchhook.console.pages.page_api import PageApi
from switchhook.console.pages.streams import StreamsPage

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from switchhook.console.pages.parts import PageParts


class StreamPages:
    """Their routes, the feed's and those of the static files.

    `close` lets the browsers go that listen to the feed: call it when the server is to end.
    """

    def __init__(self, parts: PageParts) -> None:
        now = NowPage(parts)
        self.feed = Feed(now, time.monotonic)
        parts.folder.observe(self.feed.take)
        causes = CausesPage(parts)
        self._pages = (
            now,
            StreamsPage(parts),
            CallPage(parts),
            causes,
            PageApi(parts, now, causes),
            CapacityPage(parts),
            EndpointsPage(parts),
        )
        threading.Thread(target=parts.renderer.warm, name="warm", daemon=True).start()
        self._routes = [*parts.renderer.assets.routes(), *self.feed.routes()]

    def routes(self) -> list[BaseRoute]:
        return [*self._routes, *(route for page in self._pages for route in page.routes())]

    def close(self) -> None:
        self.feed.close()

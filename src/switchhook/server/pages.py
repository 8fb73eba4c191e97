"""All pages about streams as one part of the console."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from switchhook.calls.page import CallPage
from switchhook.capacity.page import CapacityPage
from switchhook.overview.api import PageApi
from switchhook.overview.feed import Feed
from switchhook.overview.page import NowPage
from switchhook.streams.endpoints_page import EndpointsPage
from switchhook.streams.issues.page import CausesPage
from switchhook.streams.page import StreamsPage

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from switchhook.server.page_parts import PageParts


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

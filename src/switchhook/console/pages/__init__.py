"""The console's pages about streams: now, streams, calls, causes, capacity, endpoints.

`StreamPages(PageParts(...))` has them all, with the live feed and the static files.
"""

from switchhook.console.pages.all import StreamPages
from switchhook.console.pages.parts import EndpointShown, PageParts, RulesShown

__all__ = ["EndpointShown", "PageParts", "RulesShown", "StreamPages"]

"""The console's pages about streams: now, streams, calls, causes, capacity, endpoints.

`StreamPages(PageParts(...))` has them all, with the live feed.
"""

from switchhook.console.pages.parts import EndpointShown, PageParts, RulesShown

__all__ = ["EndpointShown", "PageParts", "RulesShown"]

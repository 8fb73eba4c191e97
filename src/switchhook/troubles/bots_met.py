"""Whose a stream is that tells no host: the bot's that the others of its number met."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchhook.streams.facet import Facet
    from switchhook.streams.names import Names

_LATEST = 20
_MOST_NUMBERS = 1_000


class BotsMet:
    """The bots that streams of each endpoint and ExoPhone met lately.

    A caller who leaves before the bot speaks leaves no StreamUrl (exotel-platform B.2).
    """

    def __init__(self) -> None:
        self._met: OrderedDict[tuple[str, str], deque[str]] = OrderedDict()

    def bot_of(self, facet: Facet, names: Names) -> str:
        """Its bot's name; empty where that is not known, or may be one of several."""
        name = names.bot_name(facet.host, facet.endpoint, facet.exophone)
        number = (facet.endpoint, facet.exophone)
        met = self._met.get(number)
        if facet.host:
            if met is None:
                met = self._met[number] = deque(maxlen=_LATEST)
            met.append(name)
            self._met.move_to_end(number)
            if len(self._met) > _MOST_NUMBERS:
                self._met.popitem(last=False)
        elif not name and met is not None and len(set(met)) == 1:
            return met[0]
        return name

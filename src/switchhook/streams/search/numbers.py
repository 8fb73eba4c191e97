"""Searches in what is masked: refused to those who may not see numbers, noted for the others.

Asked digit by digit, a search tells a masked number, and so does one in a text that holds it. So
who may never see numbers may not look there, and who would have to reveal them leaves an entry in
the audit log, as by a reveal.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from switchhook.access.audit import Deed, deed_of
from switchhook.streams.search.query import SearchProblem, asks_masked, asks_number, asks_numbers
from switchhook.web.parameters import RefusedParameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.access.roles import Viewer
    from switchhook.streams.search.query import Query

NOTED_FOR_MS = 15 * 60_000
"""How long the same search of the same session is not noted again: pages follow pages."""
_MOST_REMEMBERED = 1_000
_PROBLEM, _HINT = "your role may not look for numbers, nor by error or flow", "an operator may"


def refuse_numbers(query: Query, viewer: Viewer) -> None:
    """Raise RefusedParameter where somebody looks into what they may not see."""
    if not (viewer.sees_numbers or viewer.may_reveal) and any(map(asks_masked, query.conditions)):
        raise RefusedParameter("q", _PROBLEM, _HINT)


class NumberSearches:
    """Lets searches pass; `note` puts a deed into the audit log, and raises where it can't."""

    def __init__(self, note: Callable[[Deed], object], now_ms: Callable[[], int]) -> None:
        self._note, self._now_ms = note, now_ms
        self._noted: OrderedDict[int, int] = OrderedDict()

    def in_api(self, query: Query, viewer: Viewer) -> None:
        """Refuse it, or note it; it is answered whole or not at all."""
        refuse_numbers(query, viewer)
        self._keep(query, viewer)

    def on_page(self, query: Query, viewer: Viewer) -> Query:
        """What is left of it, with a problem that says so; or note it."""
        if viewer.sees_numbers or viewer.may_reveal:
            self._keep(query, viewer)
            return query
        left = tuple(each for each in query.conditions if not asks_masked(each))
        if len(left) == len(query.conditions):
            return query
        refused = SearchProblem(0, 0, _PROBLEM, _HINT)
        return msgspec.structs.replace(query, conditions=left, problems=(*query.problems, refused))

    def _keep(self, query: Query, viewer: Viewer) -> None:
        if viewer.sees_numbers or not asks_numbers(query):
            return
        now = self._now_ms()
        # A hash, so that no number is remembered here.
        key = hash((viewer.session, viewer.name, query.conditions))
        if now - self._noted.get(key, -NOTED_FOR_MS) < NOTED_FOR_MS:
            return
        keys = ",".join(dict.fromkeys(each.key for each in query.conditions if asks_number(each)))
        self._note(deed_of(viewer, "looked for a number", by=keys))
        self._noted[key] = now
        while len(self._noted) > _MOST_REMEMBERED:
            self._noted.popitem(last=False)

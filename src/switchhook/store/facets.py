"""The numbers by which streams are counted: one for each combination that lists are filtered by.

There are few of them, so that one small index serves every filter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.metrics import OTHER
from switchhook.streams.facet import MOST_FACETS, Facet

if TYPE_CHECKING:
    from switchhook.store.tables import FacetTable


class Facets:
    """The numbers of facets; beyond the ceiling, hosts and ExoPhones are "other"."""

    def __init__(self, table: FacetTable, most: int = MOST_FACETS) -> None:
        self._table, self._most = table, most
        self._numbers: dict[Facet, int] = {}
        self._count: int | None = None

    def forget(self) -> None:
        """Look again: what was given a number may be undone."""
        self._numbers.clear()
        self._count = None

    def knows(self, facet: Facet) -> bool:
        """Whether it needs no look into the table to tell the number."""
        return facet in self._numbers

    def number(self, facet: Facet) -> int:
        """The number of a facet, new or old."""
        number = self._numbers.get(facet)
        if number is None:
            number = self._table.find_facet(facet)
            if number is None and self._counted() >= self._most:
                blurred = _blurred(facet)
                number = self._table.find_facet(blurred) or self._begin(blurred)
            elif number is None:
                number = self._begin(facet)
            if len(self._numbers) > 2 * self._most:
                self._numbers.clear()
            self._numbers[facet] = number
        return number

    def _begin(self, facet: Facet) -> int:
        self._count = self._counted() + 1
        return self._table.add_facet(facet)

    def _counted(self) -> int:
        if self._count is None:
            self._count = self._table.count_facets()
        return self._count


def _blurred(facet: Facet) -> Facet:
    """The same without what comes from outside in any number."""
    host, exophone = facet.host and OTHER, facet.exophone and OTHER
    return Facet(
        facet.endpoint, facet.status, facet.cause, facet.option, facet.kind, host, exophone
    )

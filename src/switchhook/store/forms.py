"""The forms that requests have, counted by the hour: dialect, defects, keys that nobody knows."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from switchhook.metrics import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.store.digest import Form
    from switchhook.store.tables import FormTable

MOST_VALUES = 60
"""So many values of one aspect are told apart in an hour of an endpoint."""
_MOST_PLACES = 2_000  # hours, endpoints and aspects whose values are remembered
_LONGEST_VALUE = 120


class Forms:
    """Counts forms of requests, with a ceiling for each aspect in an hour of an endpoint."""

    def __init__(self, table: FormTable) -> None:
        self._table = table
        self._known: dict[tuple[int, str, str], set[str]] = {}

    def forget(self) -> None:
        """Look again: what was counted may be undone."""
        self._known.clear()

    def write(self, forms: Counter[tuple[int, Form]]) -> None:
        """Add what a batch has; in its order, so that the first values keep their names."""
        if len(self._known) > _MOST_PLACES:
            self._known.clear()  # of hours gone by; not amid a batch, which the table hasn't yet
        rows: Counter[tuple[int, str, str, str]] = Counter()
        for (hour, form), count in forms.items():
            for aspect, value in aspects(form):
                rows[hour, form[0], aspect, self._counted_as(hour, form[0], aspect, value)] += count
        self._table.write_forms(rows)

    def _counted_as(self, hour: int, endpoint: str, aspect: str, value: str) -> str:
        place = (hour, endpoint, aspect)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = self._table.form_values(*place)
        if value not in known:
            if len(known) >= MOST_VALUES:
                return OTHER
            known.add(value)
        return value


def aspects(form: Form) -> Iterator[tuple[str, str]]:
    """The form of a request by aspect and value; values have nothing of what was said in them."""
    _, dialect, defects, keys = form
    yield "dialect", dialect
    for field, problem in dict.fromkeys(map(_defect, defects)):
        yield "defect", f"{field}: {problem}"
    for key in dict.fromkeys(map(_key, keys)):
        yield "key", key


def _defect(defect: tuple[str, str]) -> tuple[str, str]:
    field, problem = defect
    general = re.split(r"""[:;]? *(?:['"]|[0-9]{2,})""", problem, maxsplit=1)[0]
    return _key(field), _key(general)


def _key(text: str) -> str:
    """A parameter's name without what counts up in it."""
    shown = re.sub(r"[0-9]+", "N", text[:_LONGEST_VALUE])
    return shown.encode(errors="replace").decode()

"""Calls that a program asked for and should not have: one too many, to somebody called already."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from switchhook.emulator.call.call import Call


class Doubles:
    """Counts calls that the API was asked for, as they end."""

    def __init__(self) -> None:
        self.placed = 0
        self.same_field = 0
        """Those with a CustomField that another call had already: one request, done twice."""
        self.at_once = 0
        """Those that were under way while another to the same number was."""
        self._fields: Counter[tuple[str, str]] = Counter()
        self._spans: dict[str, list[tuple[datetime, datetime, bool]]] = {}
        self._called_in: dict[str, list[datetime]] = {}

    def count(self, call: Call) -> None:
        """Count a call that has ended, if a program asked for it; or that its number called in."""
        if not call.facts.outbound:
            self._called_in.setdefault(call.facts.from_, []).append(call.created)
        if call.wanted is None or call.ended is None:
            return
        self.placed += 1
        if call.facts.custom_field:
            field = call.line.sid, call.facts.custom_field
            self.same_field += bool(self._fields[field])
            self._fields[field] += 1
        # A machine that took it is no talk: whoever it belongs to may be called again.
        talked = call.talked and call.answered_by == "human"
        spans = self._spans.setdefault(call.facts.from_, [])
        self.at_once += any(call.created < end and begin < call.ended for begin, end, _ in spans)
        spans.append((call.created, call.ended, talked))

    @property
    def after_talk(self) -> int:
        """Those that began after one in which the same number had talked was over.

        Unless it had called in since: that one may have come to nothing again.
        """
        return sum(
            any(talked and self._owed_nothing(number, end, begin) for _, end, talked in spans)
            for number, spans in self._spans.items()
            for begin, _, _ in spans
        )

    def _owed_nothing(self, number: str, since: datetime, until: datetime) -> bool:
        called_in = self._called_in.get(number, ())
        return since <= until and not any(since <= each <= until for each in called_in)

    @property
    def any(self) -> bool:
        """Whether somebody was called once too often."""
        return bool(self.same_field or self.at_once or self.after_talk)

    def text(self) -> str:
        """In words; empty where no program asked for a call."""
        if not self.placed:
            return ""
        kinds = (
            (self.same_field, "with a CustomField that another had"),
            (self.at_once, "to somebody who was being called already"),
            (self.after_talk, "to somebody who had talked in one"),
        )
        twice = ", ".join(f"{count:,} {what}" for count, what in kinds if count)
        return f"{self.placed:,} calls by the API: {twice or 'nobody was called twice'}"

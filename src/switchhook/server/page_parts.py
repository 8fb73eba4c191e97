"""What the pages are made of: everything they know of the rest, as values and protocols."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.access.audit import Deed
from switchhook.calls.sources import KeptDetails
from switchhook.journal.source import JournalSource
from switchhook.streams.fold import Folder
from switchhook.streams.issues.issues import Marks
from switchhook.streams.names import Names
from switchhook.streams.search.saved_views import SavedViews
from switchhook.streams.store import Store
from switchhook.web.render import Renderer

if TYPE_CHECKING:
    from switchhook.capacity.readings import Span
    from switchhook.capacity.status import CapacityNow

FRESH_S = 0.3
"""How long a page waits for the fold."""


class CapacityWatch(Protocol):
    """How the accounts stand and stood; any thread may call it."""

    def now(self, now_ms: int) -> Sequence[CapacityNow]: ...


class CapacityKept(Protocol):
    """What was read of the accounts. Raises LedgerError."""

    def history(self, account: str, since_ms: int, until_ms: int) -> Sequence[Span]: ...


class RulesShown(msgspec.Struct, frozen=True):
    """The rules that an endpoint runs: the release, since when, and the rules' names."""

    release: str
    since_us: int | None
    by: str
    names: tuple[str, ...]


class EndpointShown(msgspec.Struct, frozen=True):
    """An endpoint as it is configured and runs."""

    name: str
    mode: str
    auth: str
    safe_option: str
    deadline_ms: int
    rules: RulesShown


class PageParts(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. What is None is not there: no account is watched, nothing can be kept.

    `note` puts a deed into the audit log.
    """

    renderer: Renderer
    journal: JournalSource
    store: Store
    folder: Folder
    names: Callable[[], Names] = Names
    capacity: CapacityWatch | None = None
    history: CapacityKept | None = None
    marks: Marks | None = None
    views: SavedViews | None = None
    details: Callable[[str], Sequence[KeptDetails]] | None = None
    endpoints: Callable[[], Sequence[EndpointShown]] = tuple
    note: Callable[[Deed], object] = lambda deed: None
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000

    def freshen(self) -> None:
        """Wait for what was received up to now to be folded, but not for long."""
        self.folder.reach(self.journal.last_seq(), FRESH_S)

"""Searches that people keep under a name, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from switchhook.access.audit import Deed

MOST_VIEWS = 200
"""Of one person, and of all that are shared."""
LONGEST_NAME = 80


class SavedView(msgspec.Struct, frozen=True):
    """A page's state under a name: `query` is the address's, without cursor and zone.

    A shared one is seen by everybody; only whoever made it, or an administrator, removes it.
    """

    id: int
    name: str
    query: str
    by: str
    shared: bool


class SavedViews(Protocol):
    """Kept by the ledger. Raises LedgerError."""

    def seen_by(self, who: str) -> list[SavedView]:
        """Somebody's own and those that are shared, by name."""
        ...

    def save(self, view: SavedView, deed: Deed, now_us: int) -> bool:
        """Keep one, in place of one of the same name and maker; False where there are too many."""
        ...

    def remove(self, id: int, who: str | None, deed: Deed, now_us: int) -> bool:
        """Forget one; with `who`, only if it is theirs. Whether there was one."""
        ...

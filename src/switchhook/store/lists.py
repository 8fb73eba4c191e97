"""Lists of the store by filters: what is looked up for them, whichever engine has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.passthru import StreamStatus
from switchhook.store.digest import CALL, STATUS, STREAM, UNKNOWN, hash_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.streams.store import StreamFilter

_KNOWN_STATUSES = frozenset(StreamStatus)


class Asked(msgspec.Struct, frozen=True):
    """What is asked of a list: hashes that all have to be mentioned, and the words of a facet.

    `facet` is endpoint, status, cause and option; None is any.
    """

    keys: tuple[int, ...]
    facet: tuple[str | None, ...]

    @property
    def any_facet(self) -> bool:
        return not any(word is not None for word in self.facet)

    def holds(self, words: Sequence[str]) -> bool:
        """Whether a facet that begins with these words is asked for."""
        pairs = zip(self.facet, words, strict=True)
        return all(want is None or want == have for want, have in pairs)


def asked_of(wanted: StreamFilter) -> Asked:
    """What a filter looks up."""
    status, keys = wanted.status, []
    if wanted.stream_sid is not None:
        keys.append(hash_of(STREAM, wanted.stream_sid))
    if wanted.call_sid is not None:
        keys.append(hash_of(CALL, wanted.call_sid))
    if status is not None and status not in _KNOWN_STATUSES:
        keys.append(hash_of(STATUS, status))
        status = UNKNOWN
    return Asked(tuple(keys), (wanted.endpoint, status, wanted.cause, wanted.option))

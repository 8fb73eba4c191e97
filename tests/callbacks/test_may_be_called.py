"""What Exotel knows of a number says whether it would be called, or that more has to be asked."""

from __future__ import annotations

import pytest

from switchhook.callbacks.may_be_called import REGISTERED, UNSUBSCRIBED, why_not_called
from switchhook.exotel.wire.number_metadata import Dnd, NumberMetadata
from switchhook.exotel.wire.whitelist import WhitelistEntry, WhitelistStatus

WHITELIST, BLACKLIST, NEUTRAL, UNKNOWN = WhitelistStatus


@pytest.mark.parametrize("dnd", [None, *Dnd])
@pytest.mark.parametrize(("status", "why"), [(WHITELIST, ""), (BLACKLIST, UNSUBSCRIBED)])
def test_the_whitelist_comes_before_all_else(status, why, dnd):
    metadata = None if dnd is None else NumberMetadata(dnd=dnd)
    assert why_not_called(WhitelistEntry(status), metadata) == why


@pytest.mark.parametrize("status", [NEUTRAL, UNKNOWN])
@pytest.mark.parametrize(
    ("dnd", "why"),
    [
        (None, None),
        (Dnd.YES, REGISTERED),
        (Dnd.NO, ""),
        (Dnd.UNAVAILABLE, ""),
        (Dnd.UNKNOWN, ""),
    ],
)
def test_who_is_not_on_it_is_called_where_they_are_not_registered(status, dnd, why):
    metadata = None if dnd is None else NumberMetadata(dnd=dnd)
    assert why_not_called(WhitelistEntry(status), metadata) == why

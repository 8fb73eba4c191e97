"""Whether Exotel would call a number, by what it knows of it: its whitelist, and DND. Pure.

A number that is registered as DND is called only where it is on the account's whitelist, as who
called an ExoPhone is for six months; who unsubscribed is not called at all (exotel-platform E.8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.wire.number_metadata import Dnd
from switchhook.exotel.wire.whitelist import WhitelistStatus

if TYPE_CHECKING:
    from switchhook.exotel.wire.number_metadata import NumberMetadata
    from switchhook.exotel.wire.whitelist import WhitelistEntry

UNSUBSCRIBED = "they have unsubscribed from calls, says Exotel's whitelist"
REGISTERED = "the number is registered as DND and not on Exotel's whitelist"


def why_not_called(entry: WhitelistEntry, metadata: NumberMetadata | None) -> str | None:
    """Why Exotel would not call the number; empty where it would.

    None where the whitelist alone doesn't tell: then `metadata` has to be asked for. What that
    doesn't know, such as a number of another country, is left to Exotel's answer to the call.
    """
    if entry.status is WhitelistStatus.BLACKLIST:
        return UNSUBSCRIBED
    if entry.status is WhitelistStatus.WHITELIST:
        return ""
    if metadata is None:
        return None
    return REGISTERED if metadata.dnd is Dnd.YES else ""

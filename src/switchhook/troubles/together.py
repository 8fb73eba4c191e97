"""Whether bots fail together: of one fault, or the network's, and not one of them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.exotel.stream_error import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.troubles.judge import Standing

_OF_NETWORK = {ErrorKind.TIMEOUT.value, ErrorKind.UNREACHABLE.value, ErrorKind.DNS.value}
_NEARLY_ALL = 0.9
_ONE_BOT = 0.5


def shared_fault(kinds: Sequence[str], bots: int) -> str:
    """Whose fault it must be that several bots fail at once; empty where it may be each's own."""
    if bots > 1 and kinds and all(kind in _OF_NETWORK for kind in kinds):
        return "the network between Exotel and your bots"
    if bots > 2 and len(set(kinds)) == 1:
        return "Exotel or the network, as they all meet the same"
    return ""


def fault_of_all(standing: Standing) -> str:
    """The same of all bots judged as one; empty where most of it is one bot's."""
    bots, kinds = standing.most("bot"), standing.most("kind")
    failed = sum(count for _, count in kinds)
    if not bots or bots[0][1] > _ONE_BOT * failed:
        return ""
    met: list[str] = []
    seen = 0
    for kind, count in kinds:  # a few others don't count
        if seen < _NEARLY_ALL * failed:
            met.append(str(kind))
        seen += count
    return shared_fault(met, len(bots))

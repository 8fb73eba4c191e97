"""What a command sets, told to all nodes in the transaction that keeps it.

A kill switch so waits for no leader: what holds is told as the ledger has it, by whichever command
changed it last. A ledger of one machine's own tells nobody; its console looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cluster import told
from switchhook.flags.changes import told as flags_told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from switchhook.flags.changes import FlagChange
    from switchhook.rules.flags import Flag
    from switchhook.rules.routing import HandSetting

_NO_EPOCH = 0


def tell_hands(connection: Connection, held: Sequence[HandSetting]) -> None:
    """Tell all that people set and that is in force."""
    _tell(connection, told.HANDS, told.encode(tuple(held)))


def flags_teller(
    flags: Sequence[Flag], now_ms: int
) -> Callable[[Connection, Mapping[str, FlagChange]], None]:
    """What tells the settings of these flags, as they are declared."""

    def tell(connection: Connection, held: Mapping[str, FlagChange]) -> None:
        settings = flags_told(held.values(), flags, now_ms)
        _tell(connection, told.FLAGS, told.encode(settings))

    return tell


def _tell(connection: Connection, topic: str, body: bytes) -> None:
    if connection.dialect.name != "postgresql":
        return
    connection.exec_driver_sql(told.TELL, (topic, _NO_EPOCH, body))
    connection.exec_driver_sql(told.NOTIFY)

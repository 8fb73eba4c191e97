"""`[cluster]`: which database joins this node to others."""

from __future__ import annotations

import socket
from urllib.parse import parse_qsl, urlsplit

import msgspec

DAY_H = 24
_WHO_ASKS = {"user", "password", "passfile", "sslcert", "sslkey", "sslpassword", "sslrootcert"}
"""Parameters of a URL that say who asks, and how that is proven."""


class ClusterSettings(msgspec.Struct, frozen=True):
    """How this node takes part; `database` is None where it is alone.

    `database` is the URL of a PostgreSQL database, a secret; `name` what people call the node,
    empty for the machine's name; `address` is where the other nodes reach this one's console,
    without a slash at its end, empty where they don't. A sealed segment stays `recovery_window_h`
    after it was handed over: as far back as the database may be restored to.
    """

    database: str | None = msgspec.field(default=None)
    name: str = ""
    address: str = ""
    recovery_window_h: int = 7 * DAY_H

    @property
    def node_name(self) -> str:
        """What people call this node."""
        return self.name or socket.gethostname()

    def __repr__(self) -> str:
        return f"ClusterSettings(database={'…' if self.database else None}, name={self.name!r})"


def is_same_database(url: str, other: str) -> bool:
    """Whether two URLs lead to one database by the same way: who asks there may differ."""
    return _way_of(url) == _way_of(other)


def _way_of(url: str) -> tuple[str, str, list[tuple[str, str]]]:
    parts = urlsplit(url)
    asked = parse_qsl(parts.query, keep_blank_values=True)
    rest = sorted(each for each in asked if each[0] not in _WHO_ASKS)
    return parts.netloc.rpartition("@")[2], parts.path, rest

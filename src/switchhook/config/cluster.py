"""`[cluster]`: which database joins this node to others."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from switchhook.cluster.settings import ClusterSettings
from switchhook.config.console import base_url
from switchhook.config.keys import RefusedValue, integer, text

if TYPE_CHECKING:
    from switchhook.config.keys import Section
    from switchhook.config.secrets import Sources

_LONGEST_URL, _LONGEST_NAME = 2000, 63
_ADDRESS_HINT = 'such as "http://10.0.0.11:8081"'
_URL_HINT = 'such as "postgresql://switchhook@db1,db2,db3/switchhook"'


def read_cluster(section: Section, sources: Sources) -> ClusterSettings:
    """`[cluster]`; without a database nothing else of it means anything."""
    readers = {
        "database": _database,
        "database_env": lambda value: _database(sources.variable(value)),
        "database_file": lambda value: _database(sources.lines(value, _URL_HINT, what="URL")[0]),
    }
    found = [section.take(key, reader, None) for key, reader in readers.items()]
    address = base_url(_ADDRESS_HINT)
    addresses = (
        section.take("address", address, None),
        section.take("address_env", lambda value: address(sources.variable(value)), None),
    )
    default = ClusterSettings()
    settings = ClusterSettings(
        database=next(filter(None, found), None),
        name=section.take("name", text(_LONGEST_NAME), default.name),
        address=next(filter(None, addresses), default.address),
        recovery_window_h=section.take(
            "recovery_window_h", integer(0, 24 * 365), default.recovery_window_h
        ),
    )
    section.end()
    return settings


def _database(value: object) -> str:
    url = text(_LONGEST_URL)(value)
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise RefusedValue("it is no URL of PostgreSQL", _URL_HINT)
    if not parts.path.strip("/"):
        raise RefusedValue("it names no database", _URL_HINT)
    return url

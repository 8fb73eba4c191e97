"""`[cluster]` as the shipper needs it, read from the configuration that was kept as it runs.

What reads and checks configurations has rules, accounts and all the rest with it, four times what
the shipper takes in memory. What is kept has been checked.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.checked_json import is_whole
from switchhook.cluster.settings import ClusterSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class ShipperSettings(msgspec.Struct, frozen=True):
    """The database's URL, None where there is none; what people call the node; how to log."""

    database: str | None = None
    name: str = ""
    json: bool = False
    level: str = "info"

    def __repr__(self) -> str:
        return f"ShipperSettings(database={'…' if self.database else None})"


class _Kept(msgspec.Struct):
    file: str
    text: str
    files: dict[str, str]
    variables: dict[str, str]


def kept_settings(folder: Path) -> ShipperSettings | None:
    """What is kept in a data folder; None where nothing is, or it can't be read."""
    try:
        content = (folder / "kept" / "config.json").read_bytes()
        kept = msgspec.json.decode(content, type=_Kept) if is_whole(content) else None
        return None if kept is None else _settings(kept)
    except (OSError, ValueError):
        return None


def _settings(kept: _Kept) -> ShipperSettings:
    document = tomllib.loads(kept.text)
    cluster, log = document.get("cluster", {}), document.get("log", {})
    return ShipperSettings(
        _database(cluster, kept),
        ClusterSettings(name=cluster.get("name", "")).node_name,
        log.get("format") == "json",
        log.get("level", "info"),
    )


def _database(cluster: Mapping[str, Any], kept: _Kept) -> str | None:
    """As `config.cluster` reads it."""
    lines: list[str] = []
    if (path := cluster.get("database_file")) is not None:
        whole = os.path.join(os.path.dirname(kept.file), path)  # noqa: PTH118, PTH120 - as it was asked for
        lines = [line.strip() for line in kept.files.get(whole, "").splitlines()]
    told = (
        cluster.get("database"),
        kept.variables.get(cluster.get("database_env", ""), "").strip(),
        *(line for line in lines if not line.startswith("#")),
    )
    return next(filter(None, told), None)

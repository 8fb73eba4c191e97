"""The relay of what all nodes are told, wired to one data folder."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from switchhook.capacity.facts_file import FactsFile
from switchhook.cluster.told_relay import ToldRelay
from switchhook.config.files import signature
from switchhook.config.last_good import KeptFolder
from switchhook.config.own_links import running_config
from switchhook.errors import SwitchhookError
from switchhook.overview.verdict_file import VerdictFile, WrittenVerdict
from switchhook.routes.routes_file import RoutesFile, WrittenRoutes
from switchhook.server.told_rules import ToldRules
from switchhook.system.data_folder import boot_id

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config import Config
    from switchhook.config.files import Signature
    from switchhook.postgresql_server import Url


def told_relay(folder: Path, node: int, url: Url, name: str) -> ToldRelay:
    """The relay of a node's data folder; `name` is the node's."""
    config = ConfigHash(folder)
    rules = ToldRules(folder, name, config.now)
    return ToldRelay(url, node, FactsFile(folder, boot_id()), rules, ShownHere(folder))


class ShownHere:
    """Keeps what the leader's console says where commands look for it, by the node's own clock."""

    def __init__(self, folder: Path) -> None:
        self._verdict, self._routes = VerdictFile(folder), RoutesFile(folder)

    def __call__(self, name: str, body: bytes, at_ms: int) -> None:
        if name == "verdict":
            verdict = msgspec.json.decode(body, type=WrittenVerdict)
            self._verdict.write(verdict.state, verdict.alerts, at_ms)
        elif name == "routes":
            routes = msgspec.json.decode(body, type=WrittenRoutes)
            view = msgspec.structs.replace(routes.view, made_ms=at_ms)
            self._routes.write(WrittenRoutes(view, routes.reached))


class ConfigHash:
    """The hash of what runs on a data folder as its configuration, computed where that changed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, KeptFolder(folder).config_file
        self._seen: Signature | object = self
        self._hash = ""

    def now(self) -> str:
        """Empty where it isn't known."""
        seen = signature(self._file)
        if seen != self._seen:
            self._seen = seen
            try:
                self._hash = common_hash(running_config(self._folder))
            except (SwitchhookError, OSError):
                self._hash = ""
        return self._hash


def common_hash(config: Config) -> str:
    """A hash of what nodes should have in common of their configurations, without secrets.

    Where each listens, keeps its data and finds its files is its own.
    """
    points = [msgspec.structs.replace(each, rules=None) for each in config.endpoints]
    common = (
        *(points, config.accounts, config.bots, config.pools, config.flags, config.flows),
        *(config.exophones, config.alerts, config.keep, config.releases),
    )
    return hashlib.sha256(repr(common).encode(errors="surrogatepass")).hexdigest()

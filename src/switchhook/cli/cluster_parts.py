"""What the commands about nodes share: the database, the acts, and looking again and again."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.cli.by_itself import member_of, own_state
from switchhook.cli.data import (
    config_for_deed,
    config_or_last,
    found_config,
    found_data_folder,
)
from switchhook.cli.ledger import deed
from switchhook.cluster.acts import NodeActs
from switchhook.cluster.json import ALONE
from switchhook.cluster.view_queries import read_view
from switchhook.cluster.whose import check_whose
from switchhook.errors import ClusterError, NodeError
from switchhook.postgresql_server import ASKED_S, connect, explained, name_of
from switchhook.server.tables import open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.access.audit import Deed
    from switchhook.cli.by_itself import ByItself
    from switchhook.cluster.membership import Membership
    from switchhook.cluster.settings import ClusterSettings
    from switchhook.cluster.view import ClusterView

REASON = Annotated[str, Parameter(name="--reason", help="Why, for those who read it tomorrow.")]
_LOOK_S = 0.5


def settings_of(config: str | None, data: str | None) -> ClusterSettings:
    """`[cluster]` of the configuration that is named, or that ran last. Raises SwitchhookError."""
    folder = found_data_folder(config, data)
    return config_or_last(folder, found_config(config, data)).cluster


def settings_for_deed(config: str | None, data: str | None) -> ClusterSettings:
    """The same for what can't be undone: no other stands in for a file that is refused.

    Raises SwitchhookError.
    """
    return config_for_deed(config, data).cluster


def database_of(config: str | None, data: str | None) -> str:
    """The URL of the nodes' database. Raises NodeError on one machine."""
    return _database(settings_of(config, data))


def _database(settings: ClusterSettings) -> str:
    url = settings.database
    if url is None:
        raise NodeError(ALONE, "docs/many-nodes.md leads from one machine to several")
    return url


def note_of(config: str | None, data: str | None) -> Membership | None:
    """What the data folder says of its cluster, if it is there and says anything."""
    return member_of(found_data_folder(config, data))


def view_of(config: str | None, data: str | None) -> ClusterView:
    """The nodes as they are now. Raises SwitchhookError."""
    return next(watched(database_of(config, data), 0, note_of(config, data)))


def view_or_own(config: str | None, data: str | None) -> ClusterView | ByItself:
    """The same; how this machine's node is by itself where the database is of no use.

    Raises SwitchhookError.
    """
    try:
        return view_of(config, data)
    except ClusterError as error:
        own = own_state(found_data_folder(config, data), error)
        if own is None:
            raise
        return own


def watched(url: str, within_s: float, note: Membership | None) -> Iterator[ClusterView]:
    """The nodes as they are, again and again; once at least. Raises ClusterError."""
    until = time.monotonic() + within_s
    with explained(url), closing(connect(url, silent_s=ASKED_S)) as connection:
        check_whose(connection, name_of(url), note)
        while True:
            yield read_view(connection, time.time_ns() // 1_000_000)
            if time.monotonic() >= until:
                return
            time.sleep(_LOOK_S)


@contextmanager
def acts_on(config: str | None, data: str | None) -> Iterator[tuple[NodeActs, str]]:
    """What can be done with nodes, and their database. Raises SwitchhookError."""
    url = _database(settings_for_deed(config, data))
    next(watched(url, 0, note_of(config, data)))  # no ledger is begun where no node has joined
    with closing(open_ledger(url)) as ledger:
        yield NodeActs(ledger, lambda: time.time_ns() // 1_000_000), url


def acted(what: str, subject: str, said: dict[str, str]) -> Deed:
    """A deed of whoever runs the command."""
    return deed(what, subject, **said)

"""What commands do on a node while the database that all share is of no use: its own part, said so.

away = by_itself(folder)   # None where the database serves, and on one machine
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
from rich.text import Text

from switchhook.cli import output
from switchhook.cluster.membership import Membership, read_membership
from switchhook.cluster.own_state import OwnState, own_json
from switchhook.config import Config
from switchhook.config.own_links import running_config
from switchhook.errors import ClusterError, DataFolderError, SwitchhookError
from switchhook.journal import JournalReader
from switchhook.server.alerting import answer_health
from switchhook.server.own_state import OwnLook
from switchhook.server.places import database_of, see_whose
from switchhook.system.data_folder import JOURNAL
from switchhook.system.folder_lock import holder_url

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


class ByItself(msgspec.Struct, frozen=True):
    """Why a node is by itself, with the error that says so in full, and how it is."""

    error: ClusterError
    node: int
    state: OwnState


def by_itself(folder: Path) -> ByItself | None:
    """How a node is where its cluster's database is of no use; None where it serves, or is none.

    Raises SwitchhookError where it is not known which database that is.
    """
    url = database_of(folder)
    if url is None:
        return None
    try:
        see_whose(folder, url)
    except ClusterError as error:
        return own_state(folder, error)
    return None


def own_state(folder: Path, error: ClusterError) -> ByItself | None:
    """How the node of a data folder is by itself for an error's reason; None where it is none."""
    note = member_of(folder)
    if note is None:
        return None
    config = _settings(folder)
    with closing(JournalReader(folder / JOURNAL)) as journal:
        look = OwnLook(
            folder,
            journal,
            name=config.cluster.node_name,
            ceiling_gb=lambda: config.journal.ceiling_gb,
            answers=lambda: _answers(folder),
            now_ms=_now_ms,
        )
        return ByItself(error, note.node, look.state(error))


def needs_all(folder: Path, instead: str) -> None:
    """Refuse what a node by itself would do by halves, with what to do `instead`.

    Raises ClusterError.
    """
    away = by_itself(folder)
    if away is not None:
        error = away.error
        said = f"nothing is written, as this node's own part would pass for the whole: {instead}"
        raise ClusterError(error.database, error.problem, f"{error.hint}; {said}")


def member_of(folder: Path) -> Membership | None:
    """What a data folder says of its cluster; None where it says nothing that can be read."""
    try:
        note = read_membership(folder)
    except DataFolderError:
        return None
    return note if note is not None and note.is_member else None


def say_own_journal(away: ByItself, newest: int | None = None) -> None:
    """Say above what is shown whose it is, and what is missing in it: all but `newest` records."""
    most = "" if newest is None else f" (its newest {newest:,} records)"
    _say(
        f"{_short(away)}: this is node {away.state.name}'s own journal{most}, other nodes'"
        " receipts are not in it"
    )


def say_last(away: ByItself, what: str) -> None:
    """Say the same of what was known last."""
    _say(f"{_short(away)}: {what}")


def _short(away: ByItself) -> str:
    how = "is away" if away.state.away else "can't be used"
    return f"the cluster's database {how} ({away.error.problem})"


def _say(text: str) -> None:
    output.err.print(Text(output.plain(text), style="yellow"), soft_wrap=True)


def print_by_itself(away: ByItself) -> None:
    """How the node is, for people."""
    state, figures = away.state, away.state.figures
    output.out.print(Text(output.plain(f"{state.heading} {state.lasts}".strip()), style="bold red"))
    output.out.print(output.plain(f"  {away.error.database}: {away.error.problem}"), soft_wrap=True)
    output.out.print(Text(output.plain(f"  → {state.todo}"), style="cyan"), soft_wrap=True)
    output.print_pairs(
        [
            ("callers notice", state.callers),
            ("lost", state.lost),
            ("waits", state.waits),
            ("this node", f"{state.name} ({away.node})"),
            ("answers callers", figures.answers_text),
            ("wait to be handed over", f"{figures.waiting_text} records"),
            ("answers with one copy", figures.one_copy_text),
            ("its journal", figures.size_text),
        ]
    )


def by_itself_json(away: ByItself) -> dict[str, Any]:
    """The same for programs."""
    return {"node": away.node, **own_json(away.state)}


def _settings(folder: Path) -> Config:
    """The configuration that ran last; the defaults where that can't be read."""
    try:
        return running_config(folder)
    except (SwitchhookError, OSError):
        return Config()


def _answers(folder: Path) -> bool | None:
    """Whether the answer side answers; None where it isn't known where it listens."""
    said = answer_health(holder_url(folder, "answer"), _now_ms)()
    return None if said is None else said.answers


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

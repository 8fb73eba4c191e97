"""`switchhook cluster join`: what it would do, and doing it; interrupted, it can be run again."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import msgspec

from switchhook.access.audit import Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cluster.acts import NodeActs
from switchhook.cluster.join_checks import Refusal, look_at_cluster
from switchhook.cluster.joining import (
    EMPTY_FOLDER,
    OTHER_KEY,
    OTHER_KEY_HINT,
    Entered,
    drafted,
    enter,
    entry_of,
    finish,
    held,
    join_fresh,
    look,
    reached,
    runs_on,
)
from switchhook.cluster.leaving import standing_of
from switchhook.cluster.membership import read_membership
from switchhook.cluster.taking_along import (
    BEGUN,
    NOT_EMPTY_HINT,
    Copied,
    broken_audit,
    counted,
    take_along,
)
from switchhook.cluster.view import node_text
from switchhook.cluster.whose import refuse_another
from switchhook.errors import ClusterError, ConfigError, LedgerError
from switchhook.ledger.belonging import NOTE as LEDGER_NOTE
from switchhook.ledger.database import refuse_newer
from switchhook.postgresql_server import name_of
from switchhook.server.tables import MIGRATIONS, TOPICS, open_ledger
from switchhook.system.data_folder import LEDGER, STORE
from switchhook.system.file_system import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from switchhook.cluster.join_checks import ClusterFound
    from switchhook.cluster.joining import FolderFound
    from switchhook.cluster.membership import Membership
    from switchhook.cluster.settings import ClusterSettings

ASIDE = "ledger-before-cluster"
"""What the folder of a ledger is called, with the time, once the cluster's has taken its place."""
FORGETS_NOTHING = (
    f"the ledger's file stays in the data folder as {ASIDE}-…: no erasure reaches it, so remove it"
    " once you don't want the way back"
)


class JoinPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What joining does, or all that keeps it from being done: `refused`.

    `rows` are those of the own ledger, `runs` what has to be stopped before, empty where nothing
    runs. `along` is whether the ledger is copied, `behind` whether it is set aside uncopied,
    `new_key` whether what was made by the folder's key counts no more. `back` is whether its
    node takes part again: it left, or the database does not know it any more. `warned` may trouble
    it there, and keeps nothing from being done.
    """

    database: str
    node: int
    nodes: int
    records: int
    member: bool = False
    copied: bool = False
    along: bool = False
    behind: bool = False
    new_key: bool = False
    back: bool = False
    rows: Mapping[str, int] = {}
    runs: str = ""
    refused: tuple[Refusal, ...] = ()
    warned: tuple[Refusal, ...] = ()


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: the plan, what was copied, and where the own ledger is now."""

    plan: JoinPlan
    node: int
    copied: Copied | None = None
    aside: str = ""


def plan_join(settings: ClusterSettings, folder: Path, *, behind: bool) -> JoinPlan:
    """What joining would do, and all that would refuse it; it changes nothing.

    The ledger is opened, so that one of an older release is brought up to this one. Raises
    ConfigError, ClusterError, DataFolderError, LedgerError for what can't be looked at.
    """
    runs = runs_on(folder)
    return msgspec.structs.replace(_planned(settings, folder, behind=behind), runs=runs)


def _planned(settings: ClusterSettings, folder: Path, *, behind: bool) -> JoinPlan:
    """The plan for a folder on which nothing runs; joining goes by it, too."""
    if settings.database is None:
        hint = "set it in the configuration: docs/many-nodes.md"
        raise ConfigError("there is no database to join by", key="cluster.database", hint=hint)
    found, note = look(folder), read_membership(folder)
    tables = sorted({name for topic in TOPICS for name in topic.tables} - BEGUN)
    there = look_at_cluster(settings, tables, found, note.member if note is not None else "")
    rows, broken = _own_ledger(found)
    plan = JoinPlan(
        database=name_of(settings.database),
        node=found.node,
        nodes=there.nodes,
        records=found.records,
        member=note is not None and note.is_member,
        copied=there.node is not None,
        back=note is not None and note.is_member and (there.node is None or there.left),
        rows=rows,
        warned=there.warned,
    )
    refused = [*there.refused, *_unusable(plan.database, note, there)]
    if plan.member or plan.copied or found.fresh:
        return msgspec.structs.replace(plan, refused=tuple(refused))
    new_key = there.key not in (None, found.key)
    refused += _of_its_own(found, there, broken, behind=behind, new_key=new_key)
    return msgspec.structs.replace(
        plan,
        along=not behind and not refused,
        behind=behind and not refused,
        new_key=behind and new_key,
        refused=tuple(refused),
    )


def _own_ledger(found: FolderFound) -> tuple[dict[str, int], Refusal | None]:
    """The rows of the own ledger, and what keeps it from being taken along."""
    if not found.has_ledger:
        return {}, None
    with closing(open_ledger(found.path / LEDGER)) as ledger, ledger.reading() as connection:
        broken = broken_audit(connection)
        rows = counted(connection, ledger.tables)
        return rows, None if broken is None else Refusal(*broken)


def _unusable(database: str, note: Membership | None, there: ClusterFound) -> Iterator[Refusal]:
    """What keeps any folder out: a cluster or a ledger that is not for it."""
    try:
        if not there.refused:
            refuse_another(database, there.id, note)
        if there.ledger is not None:
            refuse_newer(database, *there.ledger, len(MIGRATIONS))
    except (ClusterError, LedgerError) as error:
        yield Refusal(error.problem, error.hint)


def _of_its_own(
    found: FolderFound,
    there: ClusterFound,
    broken: Refusal | None,
    *,
    behind: bool,
    new_key: bool,
) -> Iterator[Refusal]:
    """What keeps a folder out that has things of its own."""
    if behind:
        if not there.nodes:
            problem = "nobody is in the cluster yet, so the ledger need not stay behind"
            yield Refusal(problem, "without --leave-ledger-behind it is taken along")
        return
    if new_key:
        yield Refusal(OTHER_KEY, OTHER_KEY_HINT)
    if there.full and found.has_ledger:
        more = " …" if there.full[5:] else ""
        problem = f"its ledger is not empty: {', '.join(there.full[:5])}{more}"
        yield Refusal(problem, NOT_EMPTY_HINT)
    if broken is not None:
        yield broken


def join(
    settings: ClusterSettings,
    folder: Path,
    *,
    behind: bool,
    release: str,
    deed: Callable[[str, Mapping[str, str]], Deed],
    now_us: int,
) -> Joined:
    """Join, or take part again, which one that runs can do as well.

    Raises ClusterError, DataFolderError, LedgerError, NodeError; then it can be run again.
    """
    note = read_membership(folder)
    if note is not None and note.is_member:
        plan = _planned(settings, folder, behind=behind)
        if plan.back and not plan.refused:
            _take_back(settings, folder, note, release, deed, now_us)
            return Joined(plan=plan, node=note.node)
    with held(folder):
        plan = _planned(settings, folder, behind=behind)
        if plan.refused:
            raise ClusterError(plan.database, *plan.refused[0])
        found = look(folder)
        copied: Copied | None = None
        if plan.member:
            note = read_membership(folder)
            assert note is not None
            node = note.node
        elif found.fresh:
            node = join_fresh(settings, found, release).node
        else:
            plan = msgspec.structs.replace(plan, behind=behind)
            node, copied = _with_its_own(settings, found, plan, release, deed, now_us)
        return Joined(plan=plan, node=node, copied=copied, aside=_set_aside(folder))


def _take_back(
    settings: ClusterSettings,
    folder: Path,
    note: Membership,
    release: str,
    deed: Callable[[str, Mapping[str, str]], Deed],
    now_us: int,
) -> None:
    """Have the node of a member take part again."""
    assert settings.database is not None
    entry = entry_of(settings, look(folder), release, note.member)
    with closing(open_ledger(settings.database)) as ledger:
        acts = NodeActs(ledger, lambda: now_us // 1_000)
        with reached(settings) as connection:
            standing = standing_of(connection, note.node, note.member)
            if not standing.known:
                with connection.transaction():
                    entered = enter(connection, entry)
                    if entered.node != note.node:
                        problem = f"{node_text(note.node)} is another machine by now"
                        raise ClusterError(name_of(settings.database), problem, EMPTY_FOLDER)
                said = {"node": node_text(note.node)}
                LedgerAudit(ledger).note(deed("took a node back", said), now_us)
                return
        acts.take_back(
            str(note.node),
            "",
            lambda what, subject, said: msgspec.structs.replace(deed(what, said), subject=subject),
        )


def _with_its_own(
    settings: ClusterSettings,
    found: FolderFound,
    plan: JoinPlan,
    release: str,
    deed: Callable[[str, Mapping[str, str]], Deed],
    now_us: int,
) -> tuple[int, Copied | None]:
    """Take in a folder with a ledger or receipts; its number, and what was copied."""
    assert settings.database is not None
    copied: Copied | None = None
    taken: list[Entered] = []
    with ExitStack() as stack:
        connection = stack.enter_context(reached(settings))
        target = open_ledger(settings.database)
        stack.callback(target.close)
        member = stack.enter_context(drafted(found.path))
        entry = entry_of(settings, found, release, member, along=plan.along, may_change=plan.behind)
        if not (plan.along and found.has_ledger and not plan.copied):
            with connection.transaction():
                taken.append(enter(connection, entry))
        else:
            source = stack.enter_context(closing(open_ledger(found.path / LEDGER)))

            def note(rows: Mapping[str, int]) -> Deed:
                said = {"node": node_text(found.node), "rows": f"{sum(rows.values()):,}"}
                return deed("took the ledger along into the cluster", said)

            copied = take_along(
                source,
                target,
                lambda within: taken.append(enter(within, entry)),
                note,
                now_us,
            )
    finish(found.path, member, taken[0])
    return taken[0].node, copied


def _set_aside(folder: Path) -> str:
    """Have the data folder be without a ledger and a store of its own; where the ledger is now."""
    shutil.rmtree(folder / STORE, ignore_errors=True)  # it is made of receipts, and is not asked
    place = folder / LEDGER
    if not place.exists():
        return ""
    aside = folder / f"{ASIDE}-{time.strftime('%Y%m%d-%H%M%S')}"
    place.rename(aside)
    if (folder / LEDGER_NOTE).exists():
        os.replace(folder / LEDGER_NOTE, aside / LEDGER_NOTE)  # noqa: PTH105
    sync_folder(folder)
    return str(aside)


def ledgers_aside(folder: Path) -> list[Path]:
    """Ledgers of before joining that still lie in a data folder."""
    return sorted(folder.glob(f"{ASIDE}-*"))

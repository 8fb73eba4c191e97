"""Keeping and forgetting: `keep`, `forget`, `backup`, `restore`."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from switchhook import backup as backups
from switchhook.background import stand_back
from switchhook.cli import show
from switchhook.cli.ledger import deed
from switchhook.cli.ledger_back import restore_ledger
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.config.keep import limits_in
from switchhook.console.fold import Folder
from switchhook.console.keeping import Keeper
from switchhook.data_folder import JOURNAL, LEDGER, STORE, DataFolder, read_identity
from switchhook.erasure import NotANumber, plan_erasure, read_number
from switchhook.errors import ConfigError, DataFolderError
from switchhook.journal import JournalReader, JournalWriter, SealedSegments
from switchhook.keep import Holdings, Limits, Matter, closed_up_to, report
from switchhook.kept import KeptFolder
from switchhook.ledger import Ledger
from switchhook.ledger.belonging import Backup, note_backup
from switchhook.ledger.keeping import SqliteErasures, rows_of
from switchhook.operator_files import read_whole
from switchhook.settings import find_data_folder
from switchhook.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.erasure import Number, Proof
    from switchhook.keep import ClassReport

_NOTHING_GOES = Limits(0, 0, 0, 0, 0, 0)
_PAUSE_S = 0.1
_PATIENCE_S = 30.0


def keep(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show what is kept how long, the oldest of each class, and what was removed."""
    folder = _data_folder(config, data)
    with ExitStack() as opened:
        ledger = Ledger(folder / LEDGER)
        opened.callback(ledger.close)
        journal = JournalReader(folder / JOURNAL)
        opened.callback(journal.close)
        oldest = {matter: rows.oldest_ms() for matter, rows in rows_of(ledger, _now_ms).items()}
        try:
            oldest[Matter.STORIES] = SqliteStore(folder / STORE, journal).oldest_ms()
        except DataFolderError:
            oldest[Matter.STORIES] = None  # it was not begun yet
        segments = SealedSegments(folder / JOURNAL).segments()
        removed = SqliteErasures(ledger).removed()
    found = report(Holdings(segments, 0, oldest), _limits(folder, config), removed, _now_ms())
    if json:
        for each in found:
            show.print_json(_class_json(each))
        return 0
    show.print_table(
        ("CLASS", "KEPT", "OLDEST", "REMOVED"),
        (
            (
                each.matter.value,
                f"{each.days} days" if each.days else "for ever",
                "" if each.oldest_ms is None else show.moment(_time(each.oldest_ms)),
                f"{each.removed.rows:,}",
            )
            for each in found
        ),
    )
    return 0


def forget(
    number: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
    region: str = "IN",
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Erase everything about one phone number, with proof. Exit code 1 if something is left.

    A console that runs does it; without one this command does.

    Parameters
    ----------
    number
        The whole number, with its country code; - reads it from standard input, so that it stands
        in no history of commands.
    yes
        Don't ask.
    region
        Where a number without a country code is read.
    """
    folder = _data_folder(config, data)
    said = sys.stdin.readline() if number == "-" else number
    found = read_number(said, region)
    if isinstance(found, NotANumber):
        raise ConfigError(found.problem, key="number", hint="nothing was touched")
    journal = JournalReader(folder / JOURNAL)
    segments = SealedSegments(folder / JOURNAL).segments()
    plan = plan_erasure(found, segments, journal.last_seq())
    show.err.print(
        f"{plan.number}: {plan.segments} segments of the journal, {plan.bytes / 1e6:,.0f} MB, the"
        " store and the ledger are searched; what is found is masked and can't be brought back"
    )
    if not yes and not _agreed():
        show.err.print("nothing was touched")
        return 1
    proof = _forget(folder, found, journal)
    journal.close()
    if json:
        show.print_json(msgspec.to_builtins(proof))
    else:
        _print_proof(proof)
    return 0 if proof.complete else 1


def back_up(file: str, *, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Write everything that must not be lost into one new file, also while it runs.

    Parameters
    ----------
    file
        The file to make; a tar archive under gzip, so .tar.gz is a good ending.
    """
    folder = _data_folder(config, data)
    manifest = backups.back_up(folder, Path(file), progress=_said(json))
    with suppress(OSError):  # it only helps people to find the file
        note_backup(folder, Backup(str(Path(file).absolute()), manifest.made))
    return _report(manifest, Path(file), json)


def restore(
    file: str,
    *,
    config: CONFIG = None,
    data: DATA = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    ledger_only: Annotated[bool, Parameter(negative="")] = False,
    json: JSON = False,
) -> int:
    """Unpack a backup into an empty data folder, once all of it has been checked.

    Parameters
    ----------
    file
        The backup.
    check
        Only check it.
    ledger_only
        Put only its ledger back, into the data folder that it is of: users, audit log, settings of
        people. The ledger that was there is moved aside.
    """
    source = Path(file)
    if check:
        return _report(backups.check(source), source, json)
    folder = find_data_folder(config, data)
    if ledger_only:
        manifest = restore_ledger(source, folder, _said(json))
        show.err.print("the ledger is back; a console that waits for it goes on by itself")
        return _report(manifest, source, json)
    manifest = backups.restore(source, folder, progress=_said(json))
    show.err.print("start switchhook on it: the console makes the store again from the journal")
    return _report(manifest, source, json)


def _forget(folder: Path, number: Number, journal: JournalReader) -> Proof:
    """Have it done by the console that runs, or do it here."""
    with ExitStack() as opened:
        ledger = Ledger(folder / LEDGER)
        opened.callback(ledger.close)
        book = SqliteErasures(ledger)
        asked = deed("asked to erase a number", number.masked)
        try:
            held = opened.enter_context(DataFolder.open(folder, "console"))
        except DataFolderError:
            held = None
        store = SqliteStore(folder / STORE, journal)
        sealed = SealedSegments(folder / JOURNAL)
        keeper = Keeper(
            journal=sealed,
            store=store,
            book=book,
            rows={},
            limits=_NOTHING_GOES,
            last_seq=journal.last_seq,
        )
        id = keeper.erase(number, asked.who, asked).id
        if held is not None:
            stand_back()
            store.open()
            opened.callback(store.close)
            folding = Folder(journal, store)
            folding.start()
            opened.callback(folding.stop)
        else:
            show.err.print("the console does it; this waits for it, and may be interrupted")
        while True:
            proof = keeper.proof(id)
            assert proof is not None, "an erasure that was begun is kept"
            if proof.state == "done":
                return proof
            if held is None:
                time.sleep(_PAUSE_S)
                continue
            _seal_open(folder, held.node, sealed, proof.until_seq)
            if not keeper.step():
                time.sleep(_PAUSE_S)


def _seal_open(folder: Path, node: int, sealed: SealedSegments, seq: int) -> None:
    """Seal the segment being written where no answer side runs that would."""
    if closed_up_to(sealed.segments(), seq):
        return
    try:
        held = DataFolder.open(folder, "answer")
    except DataFolderError:
        return  # one runs, and is asked by the erasure
    with held, _writing(folder / JOURNAL, node):
        sealed.ask_roll(seq)
        until = time.monotonic() + _PATIENCE_S
        while not closed_up_to(sealed.segments(), seq) and time.monotonic() < until:
            time.sleep(_PAUSE_S)


@contextmanager
def _writing(journal: Path, node: int) -> Iterator[None]:
    """The answer side's part in the journal, without anything to write."""
    writer = JournalWriter(
        journal, node=node, notify=lambda call: call(), observe=lambda event: None
    )
    try:
        yield
    finally:
        writer.close()


def _agreed() -> bool:
    if not sys.stdin.isatty():
        hint = "--yes says so where nobody can be asked"
        raise ConfigError("an erasure has to be agreed to", key="forget", hint=hint)
    show.err.print("erase it? y/N ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _limits(folder: Path, config: str | None) -> Limits:
    """The limits in the configuration that is named, else in the one that ran last."""
    if config is not None:
        return limits_in(read_whole(config).decode(errors="replace"), config)
    kept = KeptFolder(folder).config()
    return Limits() if kept is None else limits_in(kept.text, kept.file)


def _data_folder(config: str | None, data: str | None) -> Path:
    """The data folder, which has to be there. Raises DataFolderError."""
    folder = find_data_folder(config, data)
    read_identity(folder)
    if folder.stat().st_uid != os.geteuid():
        problem = "it belongs to another user"
        raise DataFolderError(str(folder), problem, "run this as the user that owns it")
    return folder


def _report(manifest: backups.Manifest, file: Path, json: bool) -> int:
    if json:
        show.print_json(msgspec.to_builtins(manifest))
        return 0
    show.print_pairs(
        [
            ("backup", str(file)),
            ("made", show.moment(manifest.made)),
            ("node", str(manifest.node)),
            ("files", f"{len(manifest.files):,}"),
            ("unpacked", f"{manifest.size / 1e6:,.1f} MB"),
            ("as a file", f"{file.stat().st_size / 1e6:,.1f} MB"),
        ]
    )
    return 0


def _said(json: bool) -> Any:
    return (lambda name: None) if json else (lambda name: show.err.print(show.plain(name)))


def _print_proof(proof: Proof) -> None:
    show.print_pairs(
        [
            ("erasure", proof.id),
            ("number", proof.number),
            ("by", proof.by),
            ("up to record", f"{proof.until_seq:,}"),
            ("left", "nothing" if proof.complete else "something: see below"),
            ("proof", proof.proof),
        ]
    )
    show.out.print()
    show.print_table(
        ("PLACE", "SEARCHED", "FOUND", "LEFT"),
        (
            (place.name, f"{place.searched:,}", f"{place.found:,}", f"{place.left:,}")
            for place in proof.places
        ),
    )


def _class_json(each: ClassReport) -> dict[str, Any]:
    return {
        "class": each.matter.value,
        "days": each.days,
        "oldest_at": None if each.oldest_ms is None else _time(each.oldest_ms),
        "overdue_s": each.overdue_ms // 1000,
        "removed": each.removed.rows,
        "removed_bytes": each.removed.bytes,
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

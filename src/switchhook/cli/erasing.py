"""Erasing: `forget`, and what a restore erases again."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.data import own_folder_for_deed
from switchhook.cli.erasing_waits import wait
from switchhook.cli.ledger import deed
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.errors import ConfigError, DataFolderError
from switchhook.exotel.spellings import NotANumber, Subject, read_subject, shown
from switchhook.journal import JournalWriter
from switchhook.journal.closed import closed_up_to
from switchhook.retention import erasure_list_file
from switchhook.retention.erasure import NodeErased, NodeState, plan_erasure
from switchhook.retention.erasure_worker import WORDS
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.policy import RetentionLimits
from switchhook.retention.retention_worker import RetentionWorker
from switchhook.server.places import database_of, journal_of, ledger_of, sealed_of
from switchhook.store import SqliteStore
from switchhook.streams.fold import Folder
from switchhook.system.data_folder import JOURNAL, STORE, DataFolder, read_identity
from switchhook.system.priority import lower_priority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchhook.journal.closed import ClosedJournal
    from switchhook.journal.source import JournalSource
    from switchhook.retention.erasure import Proof

NOTHING_GOES = RetentionLimits(0, 0, 0, 0, 0, 0)
PAUSE_S = 0.1
_PATIENCE_S = 30.0


def forget(
    number: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    call: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    custom_field: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
    region: str = "IN",
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Erase everything about one number or call, with proof.

    A console that runs does it; without one this command does. In a cluster the node that leads
    does, and each node in its own journal: it is said which have done it, and which are awaited.

    Exit code 1 if something is left, or could not be looked into; 130 where you leave before it is
    done, by Ctrl-C: it goes on by itself.

    Parameters
    ----------
    number
        The whole number, with its country code; - reads it from standard input, so that it stands
        in no history of commands.
    call
        A CallSid or StreamSID instead: all that came with its records goes; - as above.
    custom_field
        The value of a CustomField instead: so do all calls that had it; - as above.
    yes
        Don't ask.
    region
        Where a number without a country code is read.
    """
    folder = own_folder_for_deed(config, data)
    subject, value = _asked(number, call, custom_field, region)
    journal, segments = journal_of(folder), sealed_of(folder).segments()
    plan = plan_erasure(shown(subject, value), segments, journal.last_seq())
    output.err.print(
        f"{output.plain(plan.masked)}: {plan.segments} segments of the journal,"
        f" {plan.bytes / 1e6:,.0f} MB, the store and the ledger are searched; what is found is"
        " masked and can't be brought back"
    )
    if not yes and not _agreed():
        output.err.print("nothing was touched")
        return 1
    proof = _forget(folder, subject, value, journal)
    journal.close()
    if json:
        output.print_json(msgspec.to_builtins(proof))
    else:
        print_proof(proof)
    return 0 if proof.complete else 1


def _asked(
    number: str | None, call: str | None, custom_field: str | None, region: str
) -> tuple[Subject, str]:
    said = {Subject.NUMBER: number, Subject.CALL: call, Subject.CUSTOM_FIELD: custom_field}
    given = [(subject, text) for subject, text in said.items() if text is not None]
    if len(given) != 1:
        hint = "give a number, or --call, or --custom-field"
        raise ConfigError("one thing is forgotten at a time", key="forget", hint=hint)
    ((subject, text),) = given
    if text == "-":
        text = sys.stdin.readline().rstrip("\r\n")
    found = read_subject(subject, text, region)
    if isinstance(found, NotANumber):
        raise ConfigError(found.problem, key=WORDS[subject], hint="nothing was touched")
    return subject, found


def _forget(folder: Path, subject: Subject, value: str, journal: JournalSource) -> Proof:
    """Have it done by the console that runs, or do it here; in a cluster its leader does it."""
    with ExitStack() as opened:
        ledger = ledger_of(folder)
        opened.callback(ledger.close)
        asked = deed(f"asked to erase a {WORDS[subject]}", shown(subject, value))
        held, url = None, database_of(folder)
        if url is None:
            with suppress(DataFolderError):
                held = opened.enter_context(DataFolder.open(folder, "console"))
        store = SqliteStore(folder / STORE, journal)
        sealed = sealed_of(folder)
        remember = partial(erasure_list_file.remember, folder, read_identity(folder))
        keeper = RetentionWorker(
            journal=sealed,
            store=store,
            book=LedgerErasures(ledger),
            rows={},
            limits=NOTHING_GOES,
            last_seq=journal.last_seq,
            # In a cluster each node does it, in the numbers of its own journal.
            remember=remember if url is None else lambda _: None,
        )
        id = keeper.erase(value, asked.who, asked, subject).id
        if held is not None:
            lower_priority()
            store.open()
            opened.callback(store.close)
            folding = Folder(journal, store)
            folding.start()
            opened.callback(folding.stop)
            return _finish(keeper, id, folder, held, sealed)
        return wait(keeper, id, url)


def _finish(
    keeper: RetentionWorker, id: str, folder: Path, held: DataFolder, sealed: ClosedJournal
) -> Proof:
    """Carry an erasure out, as the only one in the folder."""
    while True:
        proof = keeper.proof(id)
        assert proof is not None, "an erasure that was begun is kept"
        if proof.state == "done":
            return proof
        _seal_open(folder, held.node, sealed, proof.until_seq)
        if not keeper.step():
            time.sleep(PAUSE_S)


def _seal_open(folder: Path, node: int, sealed: ClosedJournal, seq: int) -> None:
    """Seal the segment being written where no answer side runs that would."""
    if closed_up_to(sealed.segments(), seq):
        return
    try:
        held = DataFolder.open(folder, "answer")
    except DataFolderError:
        return  # one runs, and is asked by the erasure
    with held:
        seal(folder / JOURNAL, node, sealed, seq)


def seal(journal: Path, node: int, sealed: ClosedJournal, seq: int) -> None:
    """Seal the segment with a record, as the answer side would; who calls holds the folder."""
    with _writing(journal, node):
        sealed.ask_roll(seq)
        until = time.monotonic() + _PATIENCE_S
        while not closed_up_to(sealed.segments(), seq) and time.monotonic() < until:
            time.sleep(PAUSE_S)


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
    output.err.print("erase it? y/N ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _left(proof: Proof) -> str:
    if proof.complete:
        return "nothing"
    if any(place.left for place in proof.places):
        return "something: see below"
    return "nothing in what could be looked into"


def _node_text(each: NodeErased) -> str:
    """What a node of a cluster did of it."""
    said = {
        NodeState.WISHED: "has not begun",
        NodeState.RUNNING: "is at it",
        NodeState.LEFT: "left the cluster before: its disk may still hold it",
        NodeState.DONE: f"{each.found:,} found, {each.left:,} left in its own journal",
    }
    return f"{each.name}: {said[each.state]}"


def print_proof(proof: Proof) -> None:
    """Show a proof to people."""
    output.print_pairs(
        [
            ("erasure", proof.id),
            (WORDS[Subject(proof.subject)], proof.masked),
            ("by", proof.by),
            ("up to record", f"{proof.until_seq:,}"),
            ("left", _left(proof)),
            *(("looked for", each) for each in proof.looked_for),
            *(("not looked for", each) for each in proof.not_looked_for),
            *(("not looked into", each) for each in proof.not_looked_into or ()),
            *(("node", _node_text(each)) for each in proof.nodes or ()),
            ("proof", proof.proof),
        ]
    )
    output.out.print()
    output.print_table(
        ("PLACE", "SEARCHED", "FOUND", "LEFT", "STAYS"),
        (
            (
                place.name,
                f"{place.searched:,}",
                f"{place.found:,}",
                f"{place.left:,}",
                f"{place.stays:,}",
            )
            for place in proof.places
        ),
    )

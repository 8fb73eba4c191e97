"""What a restore does before anything starts in the folder: it erases again what was erased since.

The store is not there yet, for it is made again from the journal; so nothing is asked of it.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.cli import output
from switchhook.cli.erasing import NOTHING_GOES, PAUSE_S, seal
from switchhook.cli.ledger import deed, now_us
from switchhook.journal import JournalReader, SealedSegments
from switchhook.journal.closed import closed_up_to
from switchhook.retention import erasure_list_file
from switchhook.retention.erased_search import look_at_records, look_at_texts
from switchhook.retention.erasure import Phase
from switchhook.retention.erasure_worker import WORDS
from switchhook.retention.fingerprints import ErasureList, Fingerprints, Suspects, again
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.retention_worker import RetentionWorker
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import JOURNAL, LEDGER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from switchhook.ledger.database import Ledger
    from switchhook.retention.erasure import Proof
    from switchhook.retention.fingerprints import Remembered
    from switchhook.system.data_folder import Identity

_RECORDS = 500
_FOLDED = 2**62
_OLDER = "a backup was restored, and who was called since is not known"


class _NoStore:
    """The store before it was made: it knows of nothing, and keeps nobody waiting."""

    def position(self) -> int:
        return _FOLDED

    def erase_number(self, number: str | None, seqs: Sequence[int]) -> int:
        return 0

    def holds_number(self, number: str, until_seq: int = 0) -> int:
        return 0

    def keep_stories(self, after_seq: int, before_seq: int, limit: int = 0) -> int | None:
        return None


def preparing(
    source: Path,
    lists: Sequence[Path],
    proofs: list[Proof],
    say: Callable[[str], None] = lambda text: None,
) -> Callable[[Path, Identity], Callable[[], None]]:
    """What `backup.restore` is given as `prepare`: the lists are read first, then it is erased.

    Beside `lists`, those beside the backup and in the folder count. `proofs` gets the proofs.
    """

    def prepare(folder: Path, identity: Identity) -> Callable[[], None]:
        places = [
            folder / erasure_list_file.FILE,
            erasure_list_file.beside(source, identity.node),
            *lists,
        ]
        listed = erasure_list_file.read_lists(places, identity.node)
        if not listed.erasures:
            output.err.print("there is no list of erasures: what was erased since is back")
        return lambda: proofs.extend(erase_again(folder, identity, listed, say))

    return prepare


def erase_again(
    folder: Path,
    identity: Identity,
    listed: ErasureList,
    say: Callable[[str], None] = lambda text: None,
) -> list[Proof]:
    """Do again the erasures of a list that a restored folder knows nothing of, and keep the list.

    Who calls is the only one in the folder. Gives the proofs of those of which something was found.
    """
    with ExitStack() as opened:
        ledger = open_ledger(folder / LEDGER)
        opened.callback(ledger.close)
        _stop_dialling(ledger)
        journal = JournalReader(folder / JOURNAL)
        opened.callback(journal.close)
        book, sealed = LedgerErasures(ledger), SealedSegments(folder / JOURNAL)
        known = {each.id: each.phase for each in book.all()}
        wanted = [each for each in listed.erasures if known.get(each.id) is not Phase.DONE]
        last = journal.last_seq()
        erasure_list_file.write_list(folder / erasure_list_file.FILE, listed.up_to(last))
        keeper = RetentionWorker(
            journal=sealed,
            store=_NoStore(),
            book=book,
            rows={},
            limits=NOTHING_GOES,
            last_seq=journal.last_seq,
        )
        if wanted:
            say(f"looking for {len(wanted)} erasures that were made since")
        for erased, value in _found(wanted, identity, journal, sealed, book):
            if erased.id not in known:
                what = f"erases a {WORDS[erased.subject]} again after a restore"
                keeper.erase_again(again(erased, value, last), deed(what, erased.masked))
        ids = [each.id for each in book.running()]
        _carry_out(folder, identity, keeper, book, sealed)
        return [proof for id in ids if (proof := keeper.proof(id)) is not None]


def _stop_dialling(ledger: Ledger) -> None:
    """Let nobody be called by itself: the ledger knows nothing of promises kept since."""
    dialling = LedgerDialling(ledger)
    on = [name for name, each in dialling.all().items() if each.allowed]
    if on:
        stopped = deed("stopped dialling", ", ".join(on), why=_OLDER)
        dialling.stop(on, _OLDER, stopped, now_us() // 1000)
        output.err.print(output.plain(f"dialling is stopped for {', '.join(on)}: {_OLDER}"))


def _carry_out(
    folder: Path,
    identity: Identity,
    keeper: RetentionWorker,
    book: LedgerErasures,
    sealed: SealedSegments,
) -> None:
    """Go on until no erasure runs; what holds one up is sealed here, as nobody else writes."""
    while running := book.running():
        for each in running:
            if not closed_up_to(sealed.segments(), each.until_seq):
                seal(folder / JOURNAL, identity.node, sealed, each.until_seq)
        if not keeper.step():
            time.sleep(PAUSE_S)


def _found(
    wanted: Iterable[Remembered],
    identity: Identity,
    journal: JournalReader,
    sealed: SealedSegments,
    book: LedgerErasures,
) -> list[tuple[Remembered, str]]:
    """Which of the erasures have something to erase here, and what that is."""
    suspects = Suspects(Fingerprints(identity.key), wanted)
    if not suspects.subjects:
        return []
    after = 0
    while records := journal.read(after, _RECORDS):
        after = records[-1].seq
        look_at_records(suspects, (each.body for each in records))
    for name in sealed.refused.names():
        suspects.look_at_text(sealed.refused.read(name))
    look_at_texts(suspects, book.texts())
    return list(suspects.found.values())

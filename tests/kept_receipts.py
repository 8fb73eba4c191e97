"""A real journal that tests write receipts into, for what reads and folds them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import msgspec

from patience import PATIENCE_S
from switchhook.exotel.cause import judge
from switchhook.journal import JournalReader, JournalWriter
from switchhook.journal.receipt import Receipt, RecordKind, encode, read_passthru, receipt_id
from switchhook.rules.decide import Decision, Option
from switchhook.streams.parsed_record import parse_record

START_MS = 1_795_000_000_000  # 2026-11-18T11:06:40Z


def query(call="c1", sid="s1", status="completed", **stream):
    """A passthru's query; None leaves a parameter out."""
    said = {"StreamSID": sid, "Status": status, **stream}
    pairs = [("CallSid", call), *((f"Stream[{key}]", text) for key, text in said.items())]
    return urlencode([(key, text) for key, text in pairs if text is not None]).encode()


def receipt(raw=None, **changes):
    """A receipt, answered as the built-in rules would."""
    base = Receipt(
        received_us=0,
        endpoint="default",
        method="GET",
        raw=query() if raw is None else raw,
        decision=Decision(Option.A, "default", "0" * 64, "no rule matched"),
        http_status=200,
        decided_in_us=250,
    )
    found = msgspec.structs.replace(base, **changes)
    if judge(read_passthru(found)).cause in ("throttled", "connect_failed", "bot_dropped"):
        decision = Decision(Option.B, "the stream went wrong", "0" * 64, "rule matched")
        found = msgspec.structs.replace(found, decision=decision, http_status=302)
    return found


def parsed(*records):
    """Records as whatever follows the journal hands them on."""
    return [parse_record(each) for each in records]


def fold(store, journal, batch=1000):
    """Fold all there is into a store, as the console does."""
    while records := journal.read(store.position(), batch):
        store.fold(store.position(), parsed(*records))


class Kept:
    """The journal's two ends. `ids` has the receipts' ids in order; one second lies between two."""

    def __init__(self, folder: Path, node: int = 7) -> None:
        self.node = node
        self.writer = JournalWriter(
            folder,
            node=node,
            notify=lambda call: call(),
            observe=lambda event: None,
            synchronous="OFF",
        )
        self.reader = JournalReader(folder)
        self.ids: list[str] = []

    def keep(self, *receipts: Receipt) -> list[str]:
        """Append receipts, durably; gives their ids."""
        new = []
        for each in receipts:
            at = START_MS + 1000 * self.writer.next_seq
            body = encode(msgspec.structs.replace(each, received_us=at * 1000 + 123))
            seq = self.record(RecordKind.PASSTHRU, body, at=at)
            new.append(receipt_id(at, self.node, seq))
        assert self.writer.flush(PATIENCE_S)
        self.ids += new
        return new

    def record(self, kind: int, body: bytes, at: int | None = None) -> int:
        """Append any record."""
        at = START_MS + 1000 * self.writer.next_seq if at is None else at
        seq = self.writer.append(kind, at, body)
        assert seq is not None
        return seq

    def close(self) -> None:
        self.writer.close(5)
        self.reader.close()

"""Journals of a given length, as a busy answer process would have left them a moment ago.

Written by the real JournalWriter at the pace of the disk, without syncing. Receipts are a
millisecond apart and end now, so that the memory for repeats has to be filled when a process
starts, up to its bound of 500,000.
"""

from __future__ import annotations

import queue
import random
import re
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import msgspec

from benchmarks.machine import need_room
from benchmarks.traffic import queries
from switchhook.journal import JournalEvent, JournalWriter
from switchhook.journal.receipt import Auth, Receipt, RecordKind, encode
from switchhook.rules.decide import Decision, Option
from switchhook.rules.rules_file import BUILTIN
from switchhook.system.data_folder import JOURNAL, DataFolder

_HOSTS = 40
_CALLER = re.compile(rb"(?<==)09[0-9]{9}")
_TIMES = (b"10%3A31%3A59", b"10%3A31%3A58", b"10%3A32%3A25")
_IST_S = 19_800

BYTES_A_RECEIPT = 2200
"""Room for a receipt in the journal and in the store, and again while the store is rebuilt."""
_GROUP = 1000
_GIB = 1 << 30
_STATUS = {"A": 200, "B": 302}


def make_journal(data: Path, count: int) -> None:
    """Write a data folder with `count` receipts. RuntimeError where there is no room for it."""
    need_room(data.parent, count * BYTES_A_RECEIPT)
    calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    events: list[JournalEvent] = []
    with DataFolder.open(data, "answer") as folder:
        writer = JournalWriter(
            folder.folder(JOURNAL),
            node=folder.node,
            notify=calls.put,
            observe=events.append,
            synchronous="OFF",
            ceiling_bytes=1000 * _GIB,
        )
        _fill(writer, count, calls)
        if not writer.close(60):
            raise RuntimeError(f"the journal could not be written: {writer.last_error}")
    trouble = [str(event) for event in events if event.trouble]
    if trouble:
        raise RuntimeError(f"the journal had trouble: {trouble[:3]}")


def _fill(writer: JournalWriter, count: int, calls: queue.SimpleQueue[Callable[[], None]]) -> None:
    chance = random.Random(count)
    start_ms = time.time_ns() // 1_000_000 - count
    start_mono = time.monotonic_ns() // 1_000_000 - count
    base = Receipt(
        received_us=0,
        endpoint="bench",
        method="GET",
        raw=b"",
        decision=Decision(Option.A, "default", BUILTIN.release, "no rule matched"),
        http_status=200,
        auth=Auth("ok", "path"),
        peer="127.0.0.1",
        decided_in_us=150,
    )
    other = Decision(Option.B, "over the stream limit", BUILTIN.release, "its expression is true")
    for number, (query, option) in enumerate(islice(queries(), count)):
        at = start_ms + number
        raw = _lifelike(query, at, chance)
        receipt = msgspec.structs.replace(base, received_us=at * 1000, raw=raw)
        if option == "B":
            receipt = msgspec.structs.replace(receipt, decision=other, http_status=302)
        writer.append(
            RecordKind.PASSTHRU,
            at,
            encode(receipt),
            mono=max(start_mono + number, 0),
            asked=chance.getrandbits(63) + 1,
            option=0 if option == "A" else 1,
        )
        if number % _GROUP == _GROUP - 1:
            if not writer.flush(60):
                raise TimeoutError("the disk takes no records")
            while not calls.empty():
                calls.get()()


def _lifelike(query: bytes, at_ms: int, chance: random.Random) -> bytes:
    """A request with a caller, a bot's host and times of its own, as an index has to take them."""
    query = _CALLER.sub(b"0%d" % chance.randrange(6_000_000_000, 10_000_000_000), query)
    # Few hosts have most of the calls.
    host = int(_HOSTS * chance.random() ** 3)
    query = query.replace(b"bot.example.com", b"bot%d.example.com" % host)
    for back, text in zip((31, 30, 0), _TIMES, strict=True):
        second = (at_ms // 1000 + _IST_S - back) % 86_400
        clock = (second // 3600, second // 60 % 60, second % 60)
        query = query.replace(text, b"%02d%%3A%02d%%3A%02d" % clock)
    return query

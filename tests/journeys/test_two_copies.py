"""Two copies, by the real programs: an answered receipt is in the database too, or marked.

First with a shipper that a test plays, which can lie, be silent or die; then with the real one.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest

from patience import PATIENCE_S
from program import Program, http, running, until
from switchhook.answer.two_copies import wait_ms
from switchhook.cluster.joining import join_if_needed
from switchhook.cluster.settings import ClusterSettings
from switchhook.journal import JournalReader
from switchhook.journal.receipt import OneCopy, RecordKind
from switchhook.postgresql_server import connect
from switchhook.system.hand_over_socket import SOCKET_NAME, Seqs, pack

pytestmark = pytest.mark.process

DEADLINE_MS = 2_000
_mark = msgspec.msgpack.Decoder(OneCopy).decode


@pytest.fixture
def node(tmp_path, postgresql_schema):
    """The configuration and the data folder of a node that has joined, and a way to its database.

    The endpoint `default` keeps two copies.
    """
    config = tmp_path / "switchhook.toml"
    config.write_text(
        f'[cluster]\ndatabase = "{postgresql_schema}"\n'
        f'[endpoints.default]\nkeep = "two-copies"\ndeadline_ms = {DEADLINE_MS}\n'
    )
    data = tmp_path / "data"
    join_if_needed(ClusterSettings(database=postgresql_schema), data, "0")
    with closing(connect(postgresql_schema)) as database:
        yield config, data, database


def in_journal(data: Path, kind: RecordKind) -> list[tuple[int, bytes]]:
    with closing(JournalReader(data / "journal")) as journal:
        return [(each.seq, each.body) for each in journal.read(0, 100_000) if each.kind == kind]


def last_seq(data: Path) -> int:
    with suppress(FileNotFoundError), closing(JournalReader(data / "journal")) as journal:
        return journal.last_seq()
    return 0


def seq_of(data: Path, call: str) -> int:
    """The number of a call's receipt."""
    (found,) = [seq for seq, body in in_journal(data, RecordKind.PASSTHRU) if call.encode() in body]
    return found


def marks(data: Path) -> set[int]:
    return {_mark(body).seq for _, body in in_journal(data, RecordKind.ONE_COPY)}


def acks(seq: int) -> bytes:
    return pack(seq)


def is_silent(_seq: int) -> bytes:
    return b""


def lies(seq: int) -> bytes:
    return pack(seq + 1_000_000)


def babbles(_seq: int) -> bytes:
    return b"\xff\x00garbage\r\n" * 5


class Played:
    """A shipper's end of the socket; `manner` gives what it answers to each number it hears."""

    def __init__(self, data: Path, manner: Callable[[int], bytes] = acks) -> None:
        self.manner, self.heard = manner, 0
        self.by_byte = False
        self._data, self._line = data, socket.socket(socket.AF_UNIX)
        (data / SOCKET_NAME).unlink(missing_ok=True)
        self._line.bind(str(data / SOCKET_NAME))
        self._line.listen()
        self._met: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def say(self, data: bytes) -> None:
        parts = [data[i : i + 1] for i in range(len(data))] if self.by_byte else [data]
        for part in parts:
            self._met[-1].sendall(part)

    def die(self) -> None:
        """As a process that is killed: its socket stays, and nobody is behind it."""
        self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        for each in self._met:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._thread.join(PATIENCE_S)

    def _serve(self) -> None:
        while True:
            try:
                met, _ = self._line.accept()
            except OSError:
                return
            self._met.append(met)
            with suppress(OSError):
                self.say(pack(last_seq(self._data)))
                self._talk(met)

    def _talk(self, met: socket.socket) -> None:
        seqs = Seqs()
        while data := met.recv(4096):
            seq = seqs.feed(data)
            if seq is not None:
                self.heard = seq
                self.say(self.manner(seq))


class Asked:
    """What some callers heard, and after how long."""

    def __init__(self, program: Program, data: Path) -> None:
        self._program, self._data, self._number = program, data, 0

    def call(self) -> int:
        """Ask once, and be answered in time; gives the receipt's number."""
        self._number += 1
        call, began = f"caller-{self._number}-", time.monotonic()
        reply = self._program.ask(f"CallSid={call}")
        took_ms = (time.monotonic() - began) * 1000
        assert reply.status == 200
        assert took_ms < DEADLINE_MS
        return seq_of(self._data, call)

    def until_unmarked(self) -> None:
        """Ask until callers wait for the second copy again."""
        until(lambda: self.call() not in marks(self._data), "a receipt with two copies")


@pytest.fixture
def asked(node):
    """Callers of an answer program that has no shipper yet."""
    config, data, _ = node
    with running(data, "--config", str(config), command="answer") as program:
        yield Asked(program, data)
        assert program.stop() == 0


def says(asked: Asked, text: str) -> bool:
    return any(text in each for each in asked._program.health()["problems"])


@pytest.mark.parametrize("by_byte", [False, True], ids=["whole", "byte by byte"])
def test_an_answer_leaves_once_the_shipper_says_that_its_receipt_is_kept_twice(
    node, asked, by_byte
):
    _, data, _ = node
    shipper = Played(data)
    shipper.by_byte = by_byte
    asked.until_unmarked()
    before = marks(data)
    seqs = [asked.call() for _ in range(20)]
    assert marks(data) == before
    assert shipper.heard >= seqs[-1]
    assert not says(asked, "kept once")
    shipper.die()


def test_an_answer_does_not_leave_before(node, asked):
    """It is held until it is told so; nothing else lets it go within its share of the deadline."""
    _, data, _ = node
    shipper = Played(data)
    asked.until_unmarked()
    shipper.manner = is_silent
    before, heard = shipper.heard, list[int]()
    caller = threading.Thread(target=lambda: heard.append(asked.call()))
    caller.start()
    hint = until(lambda: shipper.heard if shipper.heard > before else None, "a hint")
    assert heard == []
    shipper.say(pack(hint))
    caller.join(PATIENCE_S)
    assert heard[0] not in marks(data)
    shipper.die()


@pytest.mark.parametrize("manner", [is_silent, lies, babbles])
def test_who_waits_for_a_shipper_in_vain_is_answered_in_time_and_marked(node, asked, manner):
    _, data, _ = node
    shipper = Played(data)
    asked.until_unmarked()
    shipper.manner = manner
    began = time.monotonic()
    first = asked.call()
    assert manner is not is_silent or (time.monotonic() - began) * 1000 >= wait_ms(DEADLINE_MS)
    seqs = {first, *(asked.call() for _ in range(5))}
    assert seqs <= marks(data)
    until(lambda: says(asked, "receipts are kept once, not twice"), "the alarm")
    shipper.manner = acks
    asked.until_unmarked()
    until(lambda: not says(asked, "kept once"), "the end of the alarm")
    shipper.die()


def test_a_shipper_that_dies_is_waited_for_by_nobody_until_there_is_another(node, asked):
    _, data, _ = node
    shipper = Played(data)
    asked.until_unmarked()
    shipper.die()
    until(lambda: asked.call() in marks(data), "a receipt with one copy")
    assert {asked.call() for _ in range(10)} <= marks(data)
    assert last_seq(data) > 0
    another = Played(data)
    asked.until_unmarked()
    another.die()


def test_with_the_real_shipper_what_is_answered_is_in_the_database_or_marked(node):
    """Also while it is killed; its console tells of each receipt how many copies there were."""
    config, data, database = node
    with running(data, "--config", str(config)) as program:
        asked, twice = Asked(program, data), 0
        asked.until_unmarked()

        def call() -> None:
            nonlocal twice
            seq = asked.call()
            row = database.execute("SELECT 1 FROM cluster_receipt WHERE seq = %s", (seq,))
            there = row.fetchone() is not None
            twice += there
            assert there or seq in marks(data)

        for _ in range(3):
            for _ in range(10):
                call()
            shipper = program.children()["shipper"]
            os.kill(shipper, signal.SIGKILL)
            for _ in range(10):
                call()
            until(lambda old=shipper: program.children().get("shipper") not in (None, old), "it")  # type: ignore[misc]
            asked.until_unmarked()
        assert twice >= 30
        alone = marks(data)
        of_calls = [seq for seq, _ in in_journal(data, RecordKind.PASSTHRU)]

        def told() -> bool:
            reply = http(program.address("console"), b"/api/v1/receipts", headers=program.by_link)
            if reply.status != 200:  # as long as it doesn't lead
                return False
            copies = [each["copies"] for each in program.receipts()]
            return copies[::-1] == [1 if seq in alone else 2 for seq in of_calls]

        until(told, "what the console says of copies")
        assert program.stop() == 0

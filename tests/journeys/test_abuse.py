"""The real program beside those who abuse it, on a disk that is full, and what it leaves behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import subprocess
import sys
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from urllib.parse import quote, quote_plus

import apsw
import msgspec
import pytest

from kept_receipts import Kept, fold, query, receipt
from program import http, running, until
from switchhook.errors import DataFolderError
from switchhook.journal import JournalReader, Record
from switchhook.journal.receipt import RecordKind, decode_receipt
from switchhook.ledger.sqlite import APPLICATION_ID, CHECKED_VERSION
from switchhook.sqlite_file import connect_checked
from switchhook.store import SqliteStore

SECRET = "aaaa-secret-of-sales-1"
OTHER_SECRET = "bbbb secret/of+sales-2"
ABUSERS = 60
CONFIG = f"""
[answer]
max_connections = 300
max_connections_per_address = 100

[journal]
pending_mb = 256

[endpoints.sales]
secrets = ["{SECRET}", "{OTHER_SECRET}"]
deadline_ms = 300
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "switchhook.toml"
    file.write_text(CONFIG)
    return file


RIGHT = f"/passthru/sales/{SECRET}"


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([line, "Host: bot.example.com", *headers, ""]).encode()


class Honest:
    """Callers with the secret; `asked` has the status that is due to each, by their CallSid."""

    def __init__(self, program) -> None:
        self.program = program
        self.asked: dict[str, int] = {}

    def ask(self, calls: int = 1, **more: str) -> None:
        for _ in range(calls):
            sid = f"honest-{len(self.asked)}"
            failed = len(self.asked) % 2
            query = f"CallSid={sid}" + ("&Stream[Status]=failed" if failed else "")
            reply = self.program.ask(query, RIGHT, **more)
            self.asked[sid] = 302 if failed else 200
            assert reply.status == self.asked[sid]

    def asking(self, condition: Callable[[], bool]) -> Callable[[], bool]:
        """The same condition, with one more call before each look."""

        def asked() -> bool:
            self.ask()
            return condition()

        return asked


def kept(data: Path) -> dict[str, int]:
    """The honest callers' receipts in a journal."""
    found = (decode_receipt(each.body) for each in records(data, RecordKind.PASSTHRU))
    pairs = [(each.raw.split(b"&")[0].decode(), each.http_status) for each in found]
    honest = [(sid[8:], status) for sid, status in pairs if sid.startswith("CallSid=honest-")]
    assert len(honest) == len(dict(honest))
    return dict(honest)


def records(data: Path, kind: RecordKind) -> list[Record]:
    reader, found = JournalReader(data / "journal"), []
    while more := reader.read(found[-1].seq if found else 0, 10_000):
        found += more
    return [each for each in found if each.kind == kind]


def counted(data: Path) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in records(data, RecordKind.COUNTERS):
        counts.update(msgspec.msgpack.decode(each.body)["counts"])
    return counts


class Abuse(threading.Thread):
    """Connections that begin with some bytes, go on with others, read nothing, and come again."""

    def __init__(
        self,
        program,
        begin: bytes,
        go_on: bytes,
        connections: int = ABUSERS,
        source: str = "127.0.0.2",
        *,
        pause_s: float = 0.1,
    ) -> None:
        super().__init__(daemon=True)
        self._pause_s = pause_s
        self._address, self._source = program.address("answer"), source
        self._begin, self._go_on, self._connections = begin, go_on, connections
        self._enough = threading.Event()
        self._selector = selectors.DefaultSelector()
        self.opened = self.ended = 0

    def run(self) -> None:
        self._fill_up()
        # A pause after each round, so that the machine is not the bottleneck.
        while not self._enough.wait(self._pause_s):
            for key, events in self._selector.select(0):
                try:
                    if events & selectors.EVENT_READ and not key.data:
                        raise ConnectionResetError  # closed, or answered and about to be
                    key.fileobj.send(self._go_on)
                except BlockingIOError:
                    continue
                except OSError:
                    self.ended += 1
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()
            self._fill_up()

    def _fill_up(self) -> None:
        with contextlib.suppress(OSError):  # turned away already while connecting
            while len(self._selector.get_map()) < self._connections:
                self._open()

    def _open(self) -> None:
        sock = socket.create_connection(self._address, source_address=(self._source, 0))
        sock.setblocking(False)
        self.opened += 1
        with contextlib.suppress(OSError):
            sock.send(self._begin)
        self._selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)

    def __enter__(self) -> Abuse:
        self.start()
        until(lambda: self.opened >= self._connections, "all abusers")
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()


@pytest.mark.parametrize(
    "begin, go_on, counted_as",
    [
        pytest.param(b"", b"", "", id="half open: not a byte"),
        pytest.param(
            b"GET /passthru/sales?",
            b"a",
            "unreadable: head not whole in time",
            id="slow request line",
        ),
        pytest.param(
            b"GET /passthru/sales?",
            b"a" * 65536,
            "unreadable: head too large",
            id="endless request line",
        ),
        pytest.param(
            head("GET / HTTP/1.1"),
            b"A: b\r\n",
            "unreadable: head not whole in time",
            id="slow headers",
        ),
        pytest.param(
            head("GET / HTTP/1.1"),
            b"A: b\r\n" * 9000,
            "unreadable: head too large",
            id="endless headers",
        ),
        pytest.param(
            b"\r\n", b"\r\n" * 9000, "unreadable: empty lines only", id="endless empty lines"
        ),
        pytest.param(
            head("POST /passthru/sales HTTP/1.1", "Content-Length: 9999999", ""),
            b"x" * 65536,
            "secret missing",
            id="long body without the secret",
        ),
        pytest.param(
            head(f"POST {RIGHT} HTTP/1.1", "Content-Length: 999999", ""),
            b"x",
            "answered",
            id="slow body",
        ),
        pytest.param(
            head(f"POST {RIGHT} HTTP/1.1", "Transfer-Encoding: chunked", ""),
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
            "answered",
            id="endless body",
        ),
    ],
)
def test_honest_callers_are_answered_beside_abuse(tmp_path, config, begin, go_on, counted_as):
    """Each gets the right answer, and has a receipt; the others are ended soon, and counted."""
    data = tmp_path / "data"
    with running(data, "--config", str(config), command="answer") as program:
        honest = Honest(program)
        with Abuse(program, begin, go_on) as abuse:
            if counted_as:
                until(honest.asking(lambda: abuse.ended >= ABUSERS), "the end of the abuse")
            # As many as are asked while the abusers have come three times, where that costs much.
            while len(honest.asked) < 60 and abuse.ended < 3 * ABUSERS:
                honest.ask()
        until(lambda: kept(data) == honest.asked, "their receipts")
        assert program.stop() == 0
    counts = counted(data)
    counts["answered"] -= len(honest.asked)
    assert not counted_as or counts[counted_as] >= ABUSERS


def test_empty_lines_are_no_way_around_the_bounds_of_a_head(tmp_path, config):
    """A head is whole within 64 KB and two seconds, whatever it begins with."""
    with (
        running(tmp_path / "data", "--config", str(config), command="answer") as program,
        socket.create_connection(program.address("answer"), timeout=3) as sock,
    ):
        sock.sendall(b"\r\n" * 40_000)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100).startswith(b"HTTP/1.1 302") or not sock.recv(100)


def test_honest_callers_find_room_beside_a_flood_of_connections(tmp_path, config):
    """Four addresses take all that they may; whoever has proved nothing has to make room."""
    data = tmp_path / "data"
    with (
        running(data, "--config", str(config), command="answer") as program,
        contextlib.ExitStack() as flood,
    ):
        for address in range(2, 6):
            for _ in range(110):
                source = (f"127.0.0.{address}", 0)
                flood.enter_context(
                    socket.create_connection(program.address("answer"), source_address=source)
                )
        honest = Honest(program)
        honest.ask(50)
        assert program.health()["status"] == "ok"
        assert program.stop() == 0
    assert kept(data) == honest.asked
    counts = counted(data)
    assert counts["too many connections from one address"] == 40
    assert counts["closed for a newer connection"] >= 100


@pytest.mark.parametrize("addresses", [8, 1])
@pytest.mark.parametrize(
    "go_on", [b"x", b""], ids=["a byte now and then", "nothing behind the head"]
)
def test_slow_bodies_behind_the_right_secret_leave_room_for_others(
    tmp_path, config, addresses, go_on
):
    """From many addresses they would take every place, from one all that this one may have."""
    data = tmp_path / "data"
    begin = head(f"POST {RIGHT} HTTP/1.1", "Content-Length: 999999", "")
    with running(data, "--config", str(config), command="answer") as program:
        with contextlib.ExitStack() as flood:
            sources = [f"127.0.0.{2 + number}" for number in range(addresses)]
            for source in sources:
                # No place gets free by itself meanwhile, however seldom they come again.
                flood.enter_context(Abuse(program, begin, go_on, 100, source, pause_s=0.5))
            honest = Honest(program)
            for number in range(40):
                honest.ask(source=sources[number % addresses])
            until(lambda: kept(data) == honest.asked, "their receipts")
        assert program.stop() == 0


# A full disk.


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request, tmp_path):
    """A real file system of a few megabytes."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    place = tmp_path / "small"
    place.mkdir()
    commands = [["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]]
    if request.param == "ext4":
        image = tmp_path / "image"
        with image.open("wb") as file:
            file.truncate(24 << 20)
        commands = [
            ["mkfs.ext4", "-q", "-m", "0", str(image)],
            ["mount", "-o", "loop", str(image), str(place)],
        ]
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip(f"there is no {command[0]} here")
        if done.returncode:
            pytest.skip(f"{command[0]} isn't permitted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=False)


def fill(ballast: Path) -> None:
    """Take all the room that is left on a file system."""
    for size in (65536, 4096, 1):
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(size))


def test_on_a_full_disk_callers_are_answered_and_receipts_wait(small_disk, config):
    """Decisions are as ever; /healthz says what is amiss; when there is room, all is written."""
    ballast, data = small_disk / "ballast", small_disk / "data"
    with running(data, "--config", str(config)) as program:
        honest = Honest(program)
        honest.ask(20)
        fill(ballast)
        full = honest.asking(lambda: program.health()["status"] == "degraded")
        until(full, "the disk to be full")
        honest.ask(200)
        problems = str(program.health()["problems"])
        assert "journal: records can't be written and wait in memory" in problems
        assert "receipts wait for the disk; callers don't" in problems
        waiting = len(honest.asked) - len(kept(data))
        assert waiting >= 200
        ballast.unlink()
        until(lambda: program.health()["status"] == "ok", "the disk to be written again")
        assert list(kept(data).items()) == list(honest.asked.items())
        honest.ask(5)
        until(lambda: program.health("console")["fold_lag"] == 0, "the fold")
        assert [each["call_sid"] for each in program.receipts()] == list(honest.asked)[::-1]
        assert program.stop() == 0
    assert kept(data) == honest.asked
    # At least: one whose answer had to leave just before the disk was full was late, too.
    assert len(records(data, RecordKind.LATE)) >= waiting


@pytest.mark.parametrize("command", ["answer", "serve"])
def test_started_on_a_full_disk_it_answers(small_disk, config, command):
    """A restart at a bad time is no reason to send callers to Option B."""
    ballast, data = small_disk / "ballast", small_disk / "data"
    with running(data, "--config", str(config), command=command) as program:
        honest = Honest(program)
        honest.ask(5)
        assert program.stop() == 0
    fill(ballast)
    with running(data, "--config", str(config), command=command) as program:
        honest.program = program
        honest.ask(50)
        ballast.unlink()
        until(lambda: kept(data) == honest.asked, "the disk to be written again")


@pytest.fixture(scope="module")
def with_one_receipt(tmp_path_factory):
    """A data folder that a program has left, with one receipt in it."""
    folder = tmp_path_factory.mktemp("left")
    (folder / "switchhook.toml").write_text(CONFIG)
    with running(folder / "data", "--config", str(folder / "switchhook.toml")) as program:
        Honest(program).ask()
        assert len(program.receipts()) == 1
        assert program.stop() == 0
    return folder / "data"


def test_a_console_that_cannot_start_keeps_nobody_from_an_answer(
    tmp_path, config, with_one_receipt
):
    data = shutil.copytree(with_one_receipt, tmp_path / "data")
    shutil.rmtree(data / "store")
    (data / "store").touch()  # what is damaged or gone would be made again
    with running(data, "--config", str(config)) as program:
        Honest(program).ask(5)
        page = until(lambda: closed(program), "a page that says so")
        assert b"Callers are answered all the same" in page.body


@pytest.mark.parametrize("trouble", ["damaged", "newer"])
def test_without_its_ledger_the_console_says_so_and_comes_back(
    tmp_path, config, with_one_receipt, trouble
):
    """Nobody can be known then, so nothing is shown but what is wrong; mending it is enough."""
    data = shutil.copytree(with_one_receipt, tmp_path / "data")
    ledger = data / "ledger" / "ledger.sqlite"
    whole = ledger.read_bytes()
    if trouble == "newer":
        of_another_release = connect_checked(ledger, APPLICATION_ID, CHECKED_VERSION)
        of_another_release.pragma("user_version", 99)
        of_another_release.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        of_another_release.close()
    else:
        ledger.write_bytes(b"damaged" * 1000)
    with running(data, "--config", str(config)) as program:
        Honest(program).ask(5)
        page = until(lambda: closed(program), "a page that says so")
        hint = {"damaged": b"switchhook restore", "newer": b"the release that wrote it"}[trouble]
        assert hint in page.body
        assert str(data).encode() not in page.body
        for path in (b"/metrics", b"/api/v1/receipts", b"/static/console.css", b"/login"):
            assert http(program.address("console"), path).status == 503
        assert program.health("console")["status"] == "degraded"
        ledger.write_bytes(whole)
        until(lambda: not closed(program), "the console")
        assert len(program.receipts()) == 6
        assert program.stop() == 0


def closed(program):
    """The page of a console that can't open its files; None where it is another one."""
    reply = http(program.address("console"), b"/")
    return reply if reply.status == 503 and b"open its files" in reply.body else None


def test_after_a_full_disk_the_fold_goes_on(small_disk, tmp_path):
    """What the console could not fold it folds when there is room."""
    journal = Kept(tmp_path / "journal")
    store = SqliteStore(small_disk / "store", journal.reader)
    try:
        store.open()
        journal.keep(*(receipt(query(call=f"c{number}")) for number in range(50)))
        fill(small_disk / "ballast")
        with pytest.raises(DataFolderError, match="full"):
            fold(store, journal.reader)
        (small_disk / "ballast").unlink()
        fold(store, journal.reader)
        assert store.position() == 50
    finally:
        store.close()
        journal.close()


# Secrets.

PASSWORD = "hunter2-of-the-bot"


def test_no_secret_is_ever_on_the_disk_or_in_the_log(tmp_path, config):
    """Whichever way it came, and in whichever spelling; neither while running nor after it."""
    data = tmp_path / "data"
    secrets = [SECRET, OTHER_SECRET, PASSWORD]
    spellings = {
        spelt
        for secret in secrets
        for once in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
        for spelt in (once, quote(once, safe=""), b64encode(f"exotel:{once}".encode()).decode())
    }

    def found() -> list[tuple[str, str]]:
        # The configuration that runs is kept whole, by intent: the service outlives its file.
        files = [each for each in data.rglob("*") if each.is_file() and each.name != "config.json"]
        texts = {str(file): file.read_bytes() for file in files}
        texts["log"] = program.said.encode()
        texts["api"] = str(seen).encode()
        return [
            (name, spelt)
            for name, text in texts.items()
            for spelt in spellings
            if spelt.encode() in text
        ]

    seen: list[object] = []
    with running(data, "--config", str(config)) as program:
        url = quote(f"wss://bot:{PASSWORD}@bot.example.com/ws?token={PASSWORD}", safe="")
        calls = (f"CallSid=c{number}&Stream[StreamUrl]={url}&" for number in count())
        statuses = []
        for secret in (SECRET, OTHER_SECRET):
            raw, plus = quote(secret, safe=""), quote_plus(secret)
            echo = quote(f"https://bot.example.com/passthru/sales/{raw}", safe="")
            basic = b64encode(f"exotel:{secret}".encode()).decode()
            path = f"/passthru/sales/{raw}"
            for query, place, more in (
                ("", path, {}),
                (f"passthru={echo}", path, {}),
                (f"secret={raw}", "/passthru/sales", {}),
                (f"secret={plus}&CustomField={raw}", "/passthru/sales", {}),
                ("", "/passthru/sales", {"headers": {"Authorization": f"Basic {basic}"}}),
                ("", path, {"method": "POST", "body": f"passthru={echo}&x={raw}".encode()}),
                ("", path, {"headers": {"Content-Length": "no"}}),  # not readable
                (f"passthru={echo}", "/passthru/sales/wrong", {}),
                (f"passthru={echo}", f"/passthru/wrong/{raw}", {}),
            ):
                statuses.append(program.ask(next(calls) + query, place, **more).status)
        assert Counter(statuses) == {302: 14, 403: 2, 404: 2}
        seen += program.receipts()
        assert len(seen) == 14
        seen.append(program.health())
        assert found() == []
        assert program.stop() == 0
    assert found() == []
    assert len(records(data, RecordKind.SAMPLE)) == 2
    # The search itself works: what is no secret is found, and fingerprints where secrets were.
    kept_bytes = b"".join(file.read_bytes() for file in (data / "journal").iterdir())
    assert b"bot.example.com" in kept_bytes
    assert b"fp_" in kept_bytes

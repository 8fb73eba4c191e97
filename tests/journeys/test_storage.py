"""What is done to the console's files while the program runs: healed, or said with what to do."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from program import Program, command, http, running, until

HTML = {"Accept": "text/html"}


def ask(program, calls, first=0):
    for number in range(first, first + calls):
        reply = program.ask(
            f"CallSid=c{number}&CallFrom=%2B91987654{number:04d}&Stream[StreamSID]=s{number}"
            "&Stream[Status]=completed"
        )
        assert reply.status in (200, 302)


def look(data: Path, *words: str) -> None:
    """A look by command line, beside the console."""
    command(*words, "--data", str(data))


def page(program) -> str:
    return http(program.address("console"), b"/", headers=HTML | program.by_link).body.decode()


def problems(program: Program) -> str:
    return " ".join(program.health("console")["problems"])


def well(program: Program) -> bool:
    return bool(program.health("console")["status"] == "ok")


def told(program: Program, side: str) -> bool:
    """Whether a side says that something was damaged."""
    return "was damaged" in str(program.health(side))


def all_there(program, count) -> None:
    until(lambda: there(program) == count, f"{count} receipts")
    until(lambda: well(program), "health")


def there(program) -> int:
    """How many receipts the console shows; -1 where it can't."""
    target = b"/api/v1/receipts?limit=1000"
    reply = http(program.address("console"), target, headers=program.by_link)
    return reply.body.count(b'"received_at"') if reply.status == 200 else -1


def test_a_look_after_an_erasure_leaves_the_console_its_store(tmp_path):
    data = tmp_path / "data"
    with running(data) as program:
        ask(program, 5)
        all_there(program, 5)
        look(data, "forget", "+919876540001", "--yes")
        for _ in range(3):
            look(data, "streams")
            look(data, "keep")
            ask(program, 2, first=100)
        all_there(program, 11)
        assert program.stop() == 0
    assert "tries again" not in program.said


def test_a_store_that_is_taken_away_is_made_again(tmp_path):
    """The folder, the files in it, and the files' content; one after the other."""
    data = tmp_path / "data"
    ways: tuple[Callable[[Path], object], ...] = (shutil.rmtree, remove_files, spoil_files)
    with running(data) as program:
        ask(program, 30)
        all_there(program, 30)
        for number, take_away in enumerate(ways, 1):
            take_away(data / "store")
            ask(program, 5, first=50 * number)
            all_there(program, 30 + 5 * number)
        assert program.stop() == 0


def remove_files(store: Path) -> None:
    for path in store.glob("store-*.sqlite"):
        path.unlink()


def spoil_files(store: Path) -> None:
    for path in store.glob("store-*.sqlite"):
        aside = store / "aside"
        aside.write_bytes(b"no database" * 10_000)
        aside.replace(path)


def test_a_store_that_can_t_be_used_is_said_on_every_page_and_comes_back(tmp_path):
    data = tmp_path / "data"
    with running(data) as program:
        ask(program, 5)
        all_there(program, 5)
        store, away = data / "store", data / "away"
        store.rename(away)
        store.touch()
        ask(program, 5, first=50)  # callers are answered all the same
        until(lambda: "the store can't be used: not a directory" in problems(program), "a word")
        assert "it goes on by itself" in problems(program)
        until(lambda: "he store can&#39;t be used: not a directory" in page(program), "the page")
        metrics = http(program.address("console"), b"/metrics", headers=program.by_link).body
        assert b'switchhook_files_failing{file="store"} 1' in metrics
        store.unlink()
        away.rename(store)
        all_there(program, 10)
        until(lambda: "not a directory" not in page(program), "the page to forget it")
        assert program.stop() == 0


def test_a_ledger_that_is_taken_away_is_said_and_never_made_anew(tmp_path):
    data = tmp_path / "data"
    with running(data) as program:
        ask(program, 5)
        all_there(program, 5)
        ledger, away = data / "ledger", data / "away"
        ledger.rename(away)
        until(lambda: "was removed while" in problems(program), "a word of the ledger")
        assert "--ledger-only" in problems(program)
        assert not ledger.exists()
        away.rename(ledger)
        all_there(program, 5)
        assert program.stop() == 0
    assert (ledger / "ledger.sqlite").stat().st_size


def test_a_flipped_byte_in_the_journal_is_named_and_the_rest_is_shown(tmp_path):
    data = tmp_path / "data"
    with running(data) as program:
        ask(program, 20)
        all_there(program, 20)
        assert program.stop() == 0
    (segment,) = (data / "journal").glob("0*.sqlite")
    database = sqlite3.connect(segment)
    database.execute("PRAGMA wal_checkpoint(truncate)")
    database.close()
    content = segment.read_bytes()
    at = content.index(b"CallSid=c7&")
    segment.write_bytes(content[:at] + b"X" + content[at + 1 :])
    shutil.rmtree(data / "store")
    with running(data) as program:
        ask(program, 1, first=50)
        until(lambda: there(program) == 20, "all but one, and a new one")
        said = problems(program)
        assert f"journal/{segment.name} is damaged there" in said
        assert "1 records could not be folded" in said
        (told,) = program.api("status")["quarantine"]["newest"]
        assert "its checksum does not fit" in told["reason"]
        assert program.stop() == 0


def metrics(program) -> bytes:
    return http(program.address("console"), b"/metrics", headers=program.by_link).body


def test_a_flipped_bit_in_what_is_kept_of_the_configuration_is_said_and_stops_no_backup(tmp_path):
    """While it runs, with nothing changed but the bit."""
    data, config = tmp_path / "data", tmp_path / "switchhook.toml"
    config.write_text('[endpoints.sales]\nsecrets = ["a-good-secret-of-24-chars"]\n')
    with running(data, "--config", str(config)) as program:
        until(lambda: well(program), "health")
        kept = data / "kept" / "config.json"
        content = kept.read_bytes()
        kept.write_bytes(content.replace(b"sales", b"sahes", 1))
        for side in ("answer", "console"):
            until(partial(told, program, side), f"a word of {side}")
            assert "then remove kept/config.json.damaged-*" in str(program.health(side))
        until(lambda: "what was kept of it was damaged" in page(program), "the page")
        look(data, "backup", str(tmp_path / "backup.tar.gz"))
        until(lambda: b"switchhook_files_damaged 1.0" in metrics(program), "the figure")
        (data / "kept" / "config.json.damaged-1").unlink()
        all_there(program, 0)
        assert program.stop() == 0

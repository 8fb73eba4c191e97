"""Keeping and forgetting with the real program: beside it, without it, and killed in the middle."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import apsw
import pyrage
import pytest

from patience import PATIENCE_S
from program import running, until
from switchhook.cli import run
from switchhook.journal import JournalReader

DIGITS = b"9876543210"
SPELT = ("09876543210", "%2B919876543210", "%2B91+98765-43210", "sip%3A9876543210%40gw.example")


def ask(program, count, first=0):
    """Passthrus of several callers; every third is the one to forget."""
    for number in range(first, first + count):
        caller = SPELT[number % 4] if number % 3 == 0 else f"0900000{number:04d}"
        reply = program.ask(
            f"CallSid=c{number}&CallFrom={caller}&To=08047112233"
            f"&Stream[StreamSID]=s{number}&Stream[Status]=completed"
        )
        assert reply.status in (200, 302)


def holding(folder: Path, digits: bytes = DIGITS) -> list[str]:
    """The files in whose bytes the digits are, forwards or backwards."""
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(each in path.read_bytes() for each in (digits, digits[::-1]))
    ]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "switchhook", *words]


def forget(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command("forget", "-", "--yes", "--json", "--data", str(folder)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write("+91 98765 43210\n")
    process.stdin.close()
    process.stdin = None
    return process


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, (out, err)
    proof: dict[str, Any] = json.loads(out)
    return proof


def test_a_running_console_erases_and_callers_notice_nothing(tmp_path):
    """Then nothing of the number is left in any file, while answering went on."""
    data = tmp_path / "data"
    with running(data) as program:
        ask(program, 60)
        until(lambda: len(program.receipts()) == 60, "all receipts are told")
        process = forget(data)
        ask(program, 20, first=1)  # none of them is the caller's: 1 + 3n
        proof = told(process)
        assert proof["complete"] is True
        place = next(each for each in proof["places"] if each["name"] == "journal")
        assert place["found"] >= 20
        assert {each["left"] for each in proof["places"]} == {0}
        assert len(program.receipts()) == 80
        shown = json.dumps(program.receipts())
        assert "98765" not in shown
        assert "erased" in shown
        assert program.api(f"erasures/{proof['id']}")["confirmed"] is True
        by = {each["class"]: each for each in program.api("keeping")["classes"]}
        assert by["raw"]["oldest_at"] is not None
    assert [name for name in holding(data) if not name.startswith("journal/")] == []


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A data folder that a program has left, with 90 receipts in it."""
    data = tmp_path_factory.mktemp("written") / "data"
    with running(data) as program:
        ask(program, 90)
        until(lambda: len(program.receipts()) == 90, "all receipts are told")
    assert holding(data)
    return data


def copy_of(folder: Path, target: Path) -> Path:
    assert run(["backup", f"{target}.tar.gz", "--data", str(folder), "--json"]) == 0
    assert run(["restore", f"{target}.tar.gz", "--data", str(target), "--json"]) == 0
    return target


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_is_finished_by_the_next(written, tmp_path, seed):
    """With kill -9, without a console; the counts are those of one that was not killed."""
    chance = random.Random(seed)
    data = copy_of(written, tmp_path / "data")
    for _ in range(3):
        process = forget(data)
        timer = threading.Timer(chance.uniform(0.4, 1.6), process.send_signal, [signal.SIGKILL])
        timer.start()
        process.communicate(timeout=PATIENCE_S)
        timer.cancel()
    told(forget(data))
    with running(data) as program:
        proofs = program.api("erasures")["erasures"]
        assert all(proof["complete"] for proof in proofs)
        found = [place for proof in proofs for place in proof["places"] if place["found"]]
        assert sum(place["found"] for place in found if place["name"] == "journal") == 30
        assert len(program.receipts()) == 90
    assert holding(data) == []


def test_backup_and_restore_bring_every_receipt(written, tmp_path, capsys):
    data = copy_of(written, tmp_path / "data")
    first, second = JournalReader(written / "journal"), JournalReader(data / "journal")
    assert second.read(0, 10_000) == first.read(0, 10_000)
    first.close()
    second.close()
    with running(data) as program:
        until(lambda: len(program.receipts()) == 90, "all receipts are told")
        ask(program, 1, first=500)
        until(lambda: len(program.receipts()) == 91, "the new one is told")
    capsys.readouterr()
    assert run(["restore", f"{data}.tar.gz", "--data", str(data)]) == 2
    assert "into an empty folder only" in capsys.readouterr().err
    damaged = tmp_path / "damaged.tar.gz"
    damaged.write_bytes(Path(f"{data}.tar.gz").read_bytes()[:-100])
    assert run(["restore", str(damaged), "--data", str(tmp_path / "other")]) == 2
    assert "cut short" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
    assert run(["restore", f"{data}.tar.gz", "--check"]) == 0


def test_what_is_kept_is_shown(written, tmp_path, capsys):
    data = copy_of(written, tmp_path / "data")
    config = tmp_path / "s.toml"
    config.write_text("[keep]\nraw_days = 7\naudit_days = 0\n")
    capsys.readouterr()
    assert run(["keep", "--data", str(data), "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "7 days" in said
    assert "for ever" in said
    assert run(["keep", "--data", str(data), "--json"]) == 0
    by = {each["class"]: each for each in map(json.loads, capsys.readouterr().out.splitlines())}
    assert by["raw"]["days"] == 400
    assert by["raw"]["oldest_at"] is not None
    config.write_text("[keep]\nraw_days = -7\n")
    assert run(["keep", "--data", str(data), "--config", str(config)]) == 0
    said = capsys.readouterr()
    assert "by the configuration that ran last" in said.err
    assert "keep.raw_days" in said.err
    assert "400 days" in said.out


@pytest.mark.parametrize("number", ["43210", "XXXXX43210", "sip:a@b", "98765"])
def test_what_is_no_whole_number_is_refused(written, capsys, number):
    assert run(["forget", number, "--yes", "--data", str(written)]) == 2
    said = capsys.readouterr().err
    assert "nothing was touched" in said
    assert holding(written)


def test_an_erasure_says_what_it_could_not_look_into(written, tmp_path, capsys):
    data = copy_of(written, tmp_path / "data")
    oldest = min((data / "journal").glob("0*.sqlite"))
    connection = apsw.Connection(str(oldest))
    connection.execute("UPDATE record SET body = CAST(body || x'00' AS BLOB) WHERE seq = 3")
    connection.close()
    capsys.readouterr()
    assert run(["forget", "+919876543210", "--yes", "--data", str(data)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "left nothing in what could be looked into" in said
    assert "not looked into damaged records: 3; restore their file from a backup" in said
    assert not holding(data)


def test_an_erasure_has_to_be_agreed_to(written, capsys, monkeypatch):
    """Where nobody can be asked, and where somebody says no."""
    assert run(["forget", "+919876543210", "--data", str(written)]) == 2
    assert "--yes" in capsys.readouterr().err

    class Terminal:
        def isatty(self):
            return True

        def readline(self):
            return "\n"

    monkeypatch.setattr(sys, "stdin", Terminal())
    assert run(["forget", "+919876543210", "--data", str(written)]) == 1
    assert "nothing was touched" in capsys.readouterr().err
    assert holding(written)


def test_a_backup_is_encrypted_where_the_configuration_says_so(written, tmp_path, capsys):
    """Without a word on the command line; and only the key reads it."""
    made = pyrage.x25519.Identity.generate()
    config, key, target = (tmp_path / name for name in ("s.toml", "key.txt", "b.age"))
    config.write_text(f'[keep]\nencrypt_backups_to = ["{made.to_public()}"]\n')
    key.write_text(str(made))
    words = ["backup", str(target), "--data", str(written), "--config", str(config)]
    assert run(words) == 0
    assert target.read_bytes().startswith(b"age-encryption.org/v1\n")
    capsys.readouterr()
    assert run(["restore", str(target), "--check"]) == 2
    assert "--identity" in capsys.readouterr().err
    new = tmp_path / "new"
    assert run(["restore", str(target), "--data", str(new), "--identity", str(key)]) == 0
    reader = JournalReader(new / "journal")
    assert reader.last_seq() >= 90
    reader.close()

"""What comes in beside passthrus: webhooks on the public port, and facts from the console."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest

from program import Program, http, running, until
from switchhook.capacity.facts_document import AccountFigures
from switchhook.capacity.facts_file import FactsFile
from switchhook.journal import JournalReader
from switchhook.journal.receipt import HeartbeatReceived, RecordKind, StatusReceived, decode_receipt
from switchhook.rules.variables import AccountFacts

CONFIG = """
[accounts.main]
sid = "acme1"
poll = false
status_secret_files = ["status.secret"]
heartbeat_secret_files = ["heartbeat.secret"]
"""
STATUS, HEARTBEAT = "dddd-secret-of-status-1", "eeee-secret-of-heartbeat"


def receiving(folder: Path) -> AbstractContextManager[Program]:
    """An answer side that takes webhooks."""
    (folder / "switchhook.toml").write_text(CONFIG)
    (folder / "status.secret").write_text(STATUS)
    (folder / "heartbeat.secret").write_text(HEARTBEAT)
    config = str(folder / "switchhook.toml")
    return running(folder / "data", "--config", config, command="answer")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    with receiving(tmp_path_factory.mktemp("receiving")) as program:
        yield program


def records(data: Path, kind: RecordKind) -> list[bytes]:
    reader = JournalReader(data / "journal")
    try:
        return [each.body for each in reader.read(0, 10_000) if each.kind == kind]
    finally:
        reader.close()


def post(program, path: str, body: bytes, content_type: str) -> int:
    headers = {"Content-Type": content_type}
    address = program.address("answer")
    return http(address, path.encode(), method="POST", headers=headers, body=body).status


def test_rules_see_what_the_console_tells_and_receipts_keep_it(program):
    """One account serves all endpoints; what nobody tells any more is unknown again."""
    asked = 0

    def facts() -> AccountFacts:
        nonlocal asked
        asked += 1
        program.ask(f"CallSid=c{asked}")
        return decode_receipt(records(program.data, RecordKind.PASSTHRU)[-1]).facts

    assert facts() == AccountFacts()
    file = FactsFile(program.data)
    now_ms = time.time_ns() // 1_000_000
    file.write(
        {"main": AccountFigures(now_ms, 71, 100), "other": AccountFigures(now_ms, 1, 2)}, now_ms
    )
    known = until(lambda: (found := facts()).active is not None and found, "the facts")
    assert (known.active, known.allowed, known.headroom) == (71, 100, 29)
    assert known.age_s is not None
    assert 0 <= known.age_s < 30
    file.path.unlink()
    until(lambda: facts() == AccountFacts(), "forgetting them")


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/passthru/../metrics"])
def test_metrics_are_never_on_the_public_port(program, path):
    reply = program.ask(path=path)
    assert reply.status == 404
    assert b"switchhook_" not in reply.body


def test_a_webhook_that_was_thanked_for_is_in_the_journal(tmp_path):
    """Whatever comes after the thanks: here the process is killed."""
    with receiving(tmp_path) as program:
        form = "application/x-www-form-urlencoded"
        body = b"CallSid=c1&Status=completed"
        beat = b'{"timestamp":"2026-11-25T10:00:00Z","status_type":"OK","data":"' + b"x" * 2_000_000
        assert post(program, f"/status/main/{STATUS}?ref=1", body, form) == 200
        assert (
            post(program, f"/heartbeat/main/{HEARTBEAT}", beat + b'"}', "application/json") == 200
        )
        assert post(program, f"/status/main/{HEARTBEAT}", body, form) == 403
        assert program.ask(path=f"/status/main/{STATUS}").status == 405
        program.process.kill()
        program.stop()
    (status,) = records(program.data, RecordKind.STATUS)
    kept = msgspec.msgpack.decode(status, type=StatusReceived)
    assert (kept.account, kept.raw, kept.query, kept.content_type) == ("main", body, b"ref=1", form)
    (heartbeat,) = records(program.data, RecordKind.HEARTBEAT)
    beaten = msgspec.msgpack.decode(heartbeat, type=HeartbeatReceived)
    assert beaten.body == beat[:65536]
    assert beaten.problem is not None
    assert STATUS not in program.said

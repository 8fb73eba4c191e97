"""`switchhook refused`: what was not let in, without numbers for people, noted with them."""

from __future__ import annotations

import json

import pytest

from kept_receipts import Kept
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli import run
from switchhook.journal.receipt import RecordKind, Sample, encode
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.parsed_record import parse_record
from switchhook.system.data_folder import DataFolder


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    held = DataFolder.open(data, "console")
    kept = Kept(data / "journal")
    for number in range(3):
        raw = f"CallSid=c{number}&CallFrom=0987654321{number}".encode()
        kept.record(RecordKind.SAMPLE, encode(Sample("sales", "secret wrong", raw, "203.0.113.9")))
    kept.keep()
    store = SqliteStore(data / "store", kept.reader)
    store.open()
    store.fold(0, [parse_record(each) for each in kept.reader.read(0, 10)])
    store.close()
    kept.close()
    held.close()
    return data


def test_people_see_why_and_no_number(folder, capsys):
    assert run(["refused", "--data", str(folder), "--limit", "2"]) == 0
    out = capsys.readouterr().out
    assert out.count("sales: secret wrong from 203.0.113.9") == 2
    assert "an old, a cut or an altered one" in out
    assert "c2" in out
    assert "987654321" not in out


@pytest.mark.parametrize("limit", ["0", "101"])
def test_a_limit_is_1_to_100(folder, capsys, limit):
    with pytest.raises(SystemExit) as ended:
        run(["refused", "--data", str(folder), "--limit", limit])
    assert ended.value.code == 2
    assert f'Invalid value "{limit}" for --limit' in capsys.readouterr().err


def test_programs_read_it_whole_and_that_is_noted(folder, capsys):
    open_ledger(folder / "ledger").close()
    assert run(["refused", "--data", str(folder), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["passthru"]["from"] == "+919876543212"
    assert len(lines) == 3
    ledger = open_ledger(folder / "ledger")
    (entry,) = LedgerAudit(ledger).entries(AuditFilter(), 10)
    ledger.close()
    assert (entry.what, entry.subject) == ("read numbers by command line", "refused")


def test_nothing_is_said_to_be_nothing(tmp_path, capsys):
    data = tmp_path / "data"
    held = DataFolder.open(data, "console")
    kept = Kept(data / "journal")
    kept.keep()
    SqliteStore(data / "store", kept.reader).open()
    kept.close()
    held.close()
    assert run(["refused", "--data", str(data)]) == 0
    assert "nothing was refused" in capsys.readouterr().out

"""`call`, `streams`, `tail` and `rebuild` say what they can't read."""

from __future__ import annotations

import json

import apsw
import pytest

from kept_receipts import Kept, query, receipt
from patience import PATIENCE_S
from switchhook.cli import run
from switchhook.journal.receipt import Keep, OneCopy, RecordKind, encode
from switchhook.store import SqliteStore
from switchhook.streams.parsed_record import parse_record
from switchhook.system.data_folder import DataFolder


@pytest.fixture
def folder(tmp_path):
    """A data folder with three receipts, of which the second was damaged after it was folded."""
    data = tmp_path / "data"
    held = DataFolder.open(data, "console")
    kept = Kept(data / "journal")
    kept.keep(*(receipt(query(f"c{number}", f"s{number}")) for number in (1, 2, 3)))
    store = SqliteStore(data / "store", kept.reader)
    store.open()
    store.fold(0, [parse_record(each) for each in kept.reader.read(0, 10)])
    store.close()
    kept.close()
    held.close()
    (segment,) = (data / "journal").glob("*.sqlite")
    connection = apsw.Connection(str(segment))
    connection.execute("UPDATE record SET body = CAST(body || x'00' AS BLOB) WHERE seq = 2")
    connection.close()
    return data


SAID = "record 2 can't be read, and is not shown: its checksum does not fit"


def test_a_call_that_can_t_be_read_is_not_just_unknown(folder, capsys):
    assert run(["call", "c2", "--data", str(folder)]) == 1
    assert SAID in capsys.readouterr().err


def test_a_call_that_can_be_read_is_shown_with_what_can_t_of_others(folder, capsys):
    assert run(["call", "c1", "--data", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["call_sid"] == "c1"


def test_a_list_says_what_it_lacks(folder, capsys):
    assert run(["streams", "--data", str(folder), "--json"]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["call_sid"] for line in out.splitlines()] == ["c3", "c1"]
    assert SAID in err


def test_the_tail_says_it_and_ends_so(folder, capsys):
    assert run(["tail", "--data", str(folder), "--json"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "record 2" in err


def test_the_tail_says_what_was_answered_with_one_copy(tmp_path, capsys):
    data = tmp_path / "data"
    DataFolder.open(data, "console").close()
    kept = Kept(data / "journal")
    twice = receipt(query("c1"), keep=Keep.TWO_COPIES)
    kept.keep(twice, twice, receipt(query("c2")))
    kept.record(RecordKind.ONE_COPY, encode(OneCopy(2)))
    assert kept.writer.flush(PATIENCE_S)
    kept.close()
    assert run(["tail", "--data", str(data), "--json"]) == 0
    out = capsys.readouterr().out
    assert [json.loads(line)["copies"] for line in out.splitlines()] == [2, 1, None]
    assert run(["tail", "--data", str(data)]) == 0
    out = capsys.readouterr().out
    assert ["one copy when" in line for line in out.splitlines()] == [False, True, False]


def test_a_store_that_is_made_again_says_what_it_lacks(folder, capsys):
    assert run(["rebuild", "--data", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert "records folded" in out
    assert SAID in " ".join(err.split())
    # And later, too: nothing else knows of it any more.
    assert run(["call", "c2", "--data", str(folder)]) == 1
    assert SAID in capsys.readouterr().err

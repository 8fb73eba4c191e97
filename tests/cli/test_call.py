"""`call` and `streams` by either id and by number, and what they say where there is nothing."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from kept_receipts import Kept, query, receipt
from patience import PATIENCE_S
from switchhook.cli import run
from switchhook.journal.receipt import (
    AdmissionGiven,
    BotReportReceived,
    RecordKind,
    StatusReceived,
    encode,
)
from switchhook.store import SqliteStore
from switchhook.streams.parsed_record import parse_record
from switchhook.system.data_folder import DataFolder

CALLS = [f"{number}de0aa4c5b6f4729b8c3d2e1f0a91abt" for number in range(4)]
BEFORE, REPORTED = (f"{letter}2ab5b6f4729b8c3d2e1f0a91aabcdabt" for letter in "ef")
STREAMS = [f"{number}68e46bca0fd4e1c9a7789643f6d1abt" for number in range(3)]


def told(call, stream, caller):
    numbers = {"CallFrom": caller, "CallTo": "08047112233", "Direction": "incoming"}
    return receipt(query(call, stream, "completed") + b"&" + urlencode(numbers).encode())


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "data"
    held = DataFolder.open(data, "console")
    kept = Kept(data / "journal", node=held.identity.node)
    callers = ("09876543210", "09876543210", "+14155550123")
    kept.keep(*map(told, CALLS, STREAMS, callers))
    raw = f"CallSid={CALLS[3]}&Status=no-answer&From=08047112233&To=09876543210".encode()
    body = StatusReceived(2 * 10**15, "main", raw, "application/x-www-form-urlencoded")
    kept.record(RecordKind.STATUS, encode(body))
    asked = {name: getattr(receipt(), name) for name in receipt().__struct_fields__}
    asked |= {"raw": f"CallSid={BEFORE}".encode(), "account": "main", "admitted": True}
    kept.record(RecordKind.ADMISSION, encode(AdmissionGiven(**asked)))
    said = json.dumps({"call_sid": REPORTED, "event": "error", "error": "no model"}).encode()
    kept.record(RecordKind.BOT_REPORT, encode(BotReportReceived(2 * 10**15, "sales", said)))
    assert kept.writer.flush(PATIENCE_S)
    store = SqliteStore(data / "store", kept.reader)
    store.open()
    store.fold(0, [parse_record(each) for each in kept.reader.read(0, 10)])
    store.close()
    kept.close()
    held.close()
    return data


def calls(folder, capsys, *asked):
    assert run(["call", *asked, "--data", str(folder), "--json"]) == 0
    return [json.loads(line)["call_sid"] for line in capsys.readouterr().out.splitlines()]


def test_either_id_finds_the_call(folder, capsys):
    assert calls(folder, capsys, CALLS[1]) == [CALLS[1]]
    assert calls(folder, capsys, STREAMS[1]) == [CALLS[1]]
    run(["call", CALLS[1], "--data", str(folder), "--json"])
    [passthru] = json.loads(capsys.readouterr().out)["passthrus"]
    assert calls(folder, capsys, passthru["id"]) == [CALLS[1]]


@pytest.mark.parametrize(
    "number", ["+919876543210", "098765-43210", "tel:+91-98765-43210", "*43210"]
)
def test_a_number_finds_its_calls_newest_first_those_by_callback_too(folder, capsys, number):
    assert calls(folder, capsys, number) == [CALLS[3], CALLS[1], CALLS[0]]
    assert calls(folder, capsys, "+91", "98765", "43210") == [CALLS[3], CALLS[1], CALLS[0]]


@pytest.mark.parametrize(
    "call, said",
    [
        (BEFORE, ("asks for room", "admitted", "no passthru after a stream named it")),
        (REPORTED, ("no model", "no passthru after a stream named it")),
        (CALLS[3], ("only status callbacks told of it: no passthru",)),
    ],
)
def test_a_call_without_a_passthru_says_who_told_of_it(folder, capsys, call, said):
    assert run(["call", call, "--data", str(folder)]) == 0
    out = capsys.readouterr().out
    assert all(each in out for each in said)
    assert ("only status callbacks" in out) is (call == CALLS[3])


def test_people_get_a_list_and_the_newest_in_full(folder, capsys):
    assert run(["call", "09876543210", "--data", str(folder)]) == 0
    out = capsys.readouterr().out
    listed, _, newest = out.partition("\n\n")
    assert all(sid in listed for sid in (CALLS[0], CALLS[1], CALLS[3]))
    assert CALLS[3] in newest
    assert CALLS[1] not in newest
    assert "no-answer" in newest
    assert "+919876543210" in newest


@pytest.mark.parametrize(
    "asked, understood",
    [
        ("+91 99999 99999", "read as the telephone number +91"),
        ("nobody", "read as an id: no call, stream or receipt is kept that is called nobody"),
    ],
)
def test_where_there_is_none_it_says_what_was_understood(folder, capsys, asked, understood):
    assert run(["call", asked, "--data", str(folder)]) == 1
    err = capsys.readouterr().err
    assert understood in err
    assert "9999999999" not in err


def test_nothing_to_look_for_is_refused(folder, capsys):
    assert run(["call", "--data", str(folder)]) == 2
    assert "nothing to look for" in capsys.readouterr().err


@pytest.mark.parametrize(
    "asked, found",
    [
        ((CALLS[1],), [STREAMS[1]]),
        ((STREAMS[2],), [STREAMS[2]]),
        (("+1", "(415)", "555-0123"), [STREAMS[2]]),
        (("tel:+91-98765-43210",), [STREAMS[1], STREAMS[0]]),
        (("status:completed",), STREAMS[::-1]),
    ],
)
def test_streams_by_either_id_and_by_number(folder, capsys, asked, found):
    assert run(["streams", *asked, "--data", str(folder), "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["sid"] for line in lines] == found


def test_a_list_cuts_no_identifier_and_has_the_zone(folder, capsys):
    assert run(["streams", "--data", str(folder)]) == 0
    out = capsys.readouterr().out
    assert all(sid in out for sid in (*STREAMS, *CALLS[:3]))
    assert "…" not in out


READING = (
    ["keep"],
    ["person", "+919876543210"],
    ["now"],
    ["streams"],
    ["call", CALLS[0]],
    ["alerts"],
    ["tail"],
    ["causes"],
)


@pytest.mark.parametrize("command", READING, ids=lambda words: words[0])
@pytest.mark.parametrize("file", ["gone.toml", "broken.toml"])
def test_commands_that_read_need_the_data_folder_only(folder, tmp_path, capsys, command, file):
    (tmp_path / "broken.toml").write_text("this is = not [ toml")
    code = run([*command, "--data", str(folder), "--config", str(tmp_path / file)])
    assert code in (0, 1)  # 1 where no console has looked yet
    assert "switchhook:" not in capsys.readouterr().err


def test_a_search_with_nothing_found_says_what_it_understood_and_what_helps(folder, capsys):
    asked = ["from:+91", "98765-43210", "duration", ">", "1h", "--data", str(folder)]
    assert run(["streams", *asked]) == 0
    err = capsys.readouterr().err
    assert "it lasted more than 3600 s" in err
    assert "without it there are some" in err
    assert "43210" not in err


def test_an_export_for_a_dialler(folder, tmp_path, capsys):
    file = tmp_path / "dial.csv"
    asked = ["status:completed", "--export", str(file), "--data", str(folder)]
    more = ["--numbers", "e164", "--rows", "callers", "--headers", "Phone"]
    assert run(["streams", *asked, *more]) == 0
    assert file.read_bytes() == b"Phone\r\n+14155550123\r\n+919876543210\r\n"


@pytest.mark.parametrize(
    "more, said",
    [
        (["cuase:x"], "did you mean cause?"),
        (["--columns", "custommer"], "did you mean customer?"),
        (["--headers", "a,b", "--columns", "from"], "2 for 1 columns"),
    ],
)
def test_an_error_exports_nothing_and_says_so(folder, tmp_path, capsys, more, said):
    file = tmp_path / "dial.csv"
    assert run(["streams", *more, "--export", str(file), "--data", str(folder)]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not file.exists()

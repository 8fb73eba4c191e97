"""`switchhook report`: files, times, what is noted, what is refused."""

from __future__ import annotations

import json

import pytest

from kept_receipts import Kept, fold, query, receipt
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli import run
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.system.data_folder import DataFolder

SID = "0123456789abcdef0123456789abcdef"
TIME = ("--since", "2026-11-18", "--until", "2026-11-19")


@pytest.fixture
def folder(tmp_path):
    with DataFolder.open(tmp_path / "data", "console") as held:
        kept = Kept(held.folder("journal"), node=held.identity.node)
        url = {"StreamUrl": "wss://bot.example/x"}
        failed = query(SID, "s1", "failed", Error="connect: connection refused", **url)
        kept.keep(receipt(failed + b"&CallFrom=09876512345&Direction=incoming"))
        kept.keep(receipt(query("c2", "s2", DisconnectedBy="bot", Duration="9", **url)))
        store = SqliteStore(held.folder("store"), kept.reader)
        store.open()
        fold(store, kept.reader)
        store.close()
        kept.close()
        open_ledger(held.folder("ledger")).close()
    return tmp_path / "data"


def report(folder, *words):
    return run(["report", "--data", str(folder), "--bot", "bot.example", *words])


def noted(folder):
    ledger = open_ledger(folder / "ledger")
    try:
        return LedgerAudit(ledger).entries(AuditFilter(), 10)
    finally:
        ledger.close()


def test_markdown_is_printed_and_noted(folder, capsys):
    assert report(folder, *TIME) == 0
    text = capsys.readouterr().out
    assert "The bot failed 1 of the 2" in text
    assert SID in text
    assert "98765" not in text
    (entry,) = noted(folder)
    assert (entry.what, entry.subject) == ("made a report for a vendor", "bot.example")
    assert json.loads(entry.details)["numbers"] == "masked"


@pytest.mark.parametrize("ending", ["md", "html", "csv", "json"])
def test_a_file_is_written_once_and_for_its_owner(folder, tmp_path, capsys, ending):
    out = tmp_path / f"week.{ending}"
    assert report(folder, *TIME, "--out", str(out)) == 0
    assert SID in out.read_text()
    assert out.stat().st_mode & 0o777 == 0o600
    assert report(folder, *TIME, "--out", str(out)) == 2
    assert "file exists" in capsys.readouterr().err


def test_numbers_in_full_are_asked_for_and_noted(folder, capsys):
    assert report(folder, *TIME, "--numbers", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["groups"][0]["failures"][0]["number"] == "+919876512345"
    assert said["numbers"] == "whole"
    assert json.loads(noted(folder)[0].details)["numbers"] == "whole"


def test_a_week_by_its_name_or_the_last(folder, capsys):
    assert report(folder, "--week", "2026-W47", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["week"], said["streams"]) == ("2026-W47", 2)
    assert said["since"] == "2026-11-15T18:30:00.000000Z"
    assert report(folder, "--week", "--json") == 0
    last = json.loads(capsys.readouterr().out)
    assert last["over"] is True
    assert last["week"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--week", "2026-W47", "--since", "1d"), "--week: a week and a time are said"),
        (("--week", "47"), "--week: '47' is no week"),
        (("--out", "week.pdf"), "--out: 'week.pdf' ends in no form"),
        (("--since", "soon"), "--since: 'soon' is no time"),
    ],
)
def test_what_can_not_be_meant_is_refused(folder, capsys, words, said):
    assert report(folder, *words) == 2
    assert said in capsys.readouterr().err


def test_an_unknown_bot_is_said_with_those_known(folder, capsys):
    assert run(["report", "--data", str(folder), "--bot", "Asha", *TIME]) == 2
    assert "there is no bot 'Asha' (known: bot.example)" in capsys.readouterr().err


def test_without_a_ledger_it_says_what_is_not_known(folder, capsys):
    for file in (folder / "ledger").iterdir():
        file.unlink()
    assert report(folder, *TIME) == 0
    assert "no trouble is known, and nothing is noted" in capsys.readouterr().err

"""`switchhook capacity`: without a console, with honest ages, and no zero that nobody read."""

from __future__ import annotations

import json
import time

import pytest

from switchhook.capacity.ledger import LedgerCapacity
from switchhook.capacity.readings import Reading
from switchhook.cli import run
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import DataFolder


@pytest.fixture
def folder(tmp_path):
    DataFolder.open(tmp_path, "console").close()
    return tmp_path


@pytest.fixture
def keep(folder):
    ledger = open_ledger(folder / "ledger")
    yield LedgerCapacity(ledger).add
    ledger.close()


@pytest.fixture
def tell(folder, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def told(*options):
        code = run(["capacity", "--data", str(folder), *options])
        return code, *capsys.readouterr()

    return told


def now_ms():
    return time.time_ns() // 1_000_000


def test_nothing_watched_is_said(tell):
    code, out, err = tell()
    assert (code, out) == (1, "")
    assert "no account was watched here yet" in err


def test_the_figure_comes_with_age_and_forecast(keep, tell):
    now = now_ms()
    keep([Reading("main", now - at * 10_000, 40 + at % 2, 100) for at in range(60)])
    code, out, _ = tell()
    assert code == 0
    assert out.splitlines()[0].split() == [
        "ACCOUNT",
        "IN",
        "USE",
        "OF",
        "LEFT",
        "AGE",
        "LIMIT",
        "REACHED",
    ]
    row = out.splitlines()[1].split()
    assert row[:4] == ["main", "40", "100", "60"]
    assert row[5] == "s"
    code, out, _ = tell("--json", "--account", "main")
    found = json.loads(out)
    assert (found["active"], found["unread"], found["problem"]) == (40, 0, None)
    assert found["forecast"]["words"] in out
    assert tell("--account", "other")[0] == 1


def test_a_figure_that_is_old_foretells_nothing(keep, tell):
    now = now_ms()
    keep([Reading("main", now - 7_300_000 - at * 10_000, 40, 100) for at in range(60)])
    _, out, _ = tell()
    assert "2 h" in out
    assert "nobody asks: does the console run?" in out
    keep([Reading("main", now, None, None, "Exotel answered 401")])
    _, out, _ = tell()
    assert "Exotel answered 401" in out
    assert json.loads(tell("--json")[1])["unread"] == 1


def test_what_was_never_read_is_no_zero(keep, tell):
    keep([Reading("main", now_ms(), None, None, "no\x1b[2Janswer")])
    _, out, _ = tell()
    assert out.splitlines()[1].split()[:4] == ["main", "–", "–", "–"]
    assert "\x1b" not in out
    assert json.loads(tell("--json")[1])["active"] is None


def test_the_history_is_told_on_request(keep, tell):
    now = now_ms()
    keep([Reading("main", now - 5_000, 7, 100), Reading("main", now - 2_000, None)])
    code, out, _ = tell("--since", "1h")
    assert code == 0
    assert len(out.splitlines()) == 3
    lines = tell("--since", "1h", "--json")[1].splitlines()
    assert [json.loads(line)["mean"] for line in lines] == [7, None]
    code, _, err = tell("--since", "soon")
    assert code == 2
    assert "--since: not a time with its zone" in err
    assert tell("--since", "0001-01-01T00:00:00+00:01")[0] == 0
    assert tell("--since", "9999-12-31T23:59:59-00:01")[:2] == (1, "")
    code, _, err = tell("--since", "0000-01-01T00:00:00Z")
    assert code == 2
    assert "a day of the years 1 to 9999" in err

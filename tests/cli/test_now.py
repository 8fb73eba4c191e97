"""`switchhook now` says what the page says, or that it is not known."""

from __future__ import annotations

import json
import os
import shutil
import time
from functools import partial
from types import SimpleNamespace

import pytest

from overview.test_verdict import see
from switchhook.access.audit import Deed
from switchhook.cli import run
from switchhook.journal import JournalReader
from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_file import VerdictFile
from switchhook.routes.hands import HandChange
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.rules.routing import HandAct, HandSetting
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.system.data_folder import LEDGER, DataFolder

BAD = State(
    level=Level.BAD,
    what="Bot Sales fails: 9 of 9 streams.",
    since_us=1_764_050_400_000_000,
    callers="9 callers hit.",
    fault="At fault: bot Sales.",
    todo="Start the bot.",
    more=("Another\x1b[31m.",),
)


@pytest.fixture
def folder(tmp_path):
    with DataFolder.open(tmp_path / "data", "console") as held:
        reader = JournalReader(held.folder("journal"))
        store = SqliteStore(held.folder("store"), reader)
        store.open()
        store.close()
        reader.close()
    return tmp_path / "data"


def now(folder, capsys, *words):
    code = run(["now", "--data", str(folder), *words])
    return code, *capsys.readouterr()


def begun(setting, _held):
    return HandChange(begins=setting, ends=(), said="")


def now_ms():
    return time.time_ns() // 1_000_000


def test_it_begins_with_the_first_line_of_every_page(folder, capsys):
    VerdictFile(folder).write(BAD, [], now_ms())
    code, out, _ = now(folder, capsys)
    assert code == 0
    assert out.splitlines()[0].startswith("✕ Bot Sales fails: 9 of 9 streams. (since 2025-11-25 ")
    assert out.splitlines()[1:4] == [
        "  At fault: bot Sales. 9 callers hit.",
        "  Start the bot.",
        "  Also: Another\\x1b[31m.",
    ]
    code, out, _ = now(folder, capsys, "--json")
    assert json.loads(out)["verdict"]["what"] == BAD.what


def test_what_is_set_by_hand_stands_in_the_first_lines_with_what_ends_it(folder, capsys):
    VerdictFile(folder).write(BAD, [], now_ms())
    ledger = open_ledger(folder / LEDGER)
    hands = LedgerHands(ledger)
    for setting in (
        HandSetting(
            id=0,
            act=HandAct.OFF,
            pool="sales",
            by="asha",
            reason="dead",
            since_ms=1_764_050_400_000,
        ),
        HandSetting(
            id=0, act=HandAct.SAFE, endpoint="gate", by="ravi", reason="a test", since_ms=now_ms()
        ),
    ):
        hands.change(partial(begun, setting), lambda _change: Deed(who="x", what="y"), now_ms())
    ledger.close()
    _, out, _ = now(folder, capsys)
    lines = out.splitlines()
    assert lines[3].startswith("  By hand: pool sales is switched off, since 2025-11-25 ")
    assert lines[3].endswith(" by asha: dead. End it: switchhook route undo 1")
    assert lines[4].startswith("  By hand: callers of endpoint gate get its safe option, since ")
    assert lines[4].endswith(" by ravi: a test. End it: switchhook route undo 2")
    _, out, _ = now(folder, capsys, "--json")
    assert [(each["id"], each["act"]) for each in json.loads(out)["hands"]] == [
        (1, "off"),
        (2, "safe"),
    ]


@pytest.mark.parametrize("known", [False, True])
def test_what_nobody_looked_at_lately_is_not_known(folder, capsys, known):
    if known:
        VerdictFile(folder).write(BAD, [], now_ms() - 180_000)
    code, out, _ = now(folder, capsys)
    assert code == 1
    if known:
        assert out.startswith("? Unknown: no console has looked for 3 min.")
        assert "It said last: Bot Sales fails: 9 of 9 streams." in out
    else:
        assert out.startswith("? Unknown: no console has looked at this data folder yet.")


def test_a_full_disk_is_said_where_no_console_can_say_it(folder, capsys, monkeypatch):
    full = SimpleNamespace(f_blocks=1_000, f_bavail=3)
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    code, out, _ = now(folder, capsys)
    assert code == 1
    said = " ".join(out.split())
    assert "make room on it, and restart nothing before" in said
    assert "Callers are answered all the same." in said


def test_a_verdict_that_knows_nothing_is_none(folder, capsys):
    VerdictFile(folder).write(State(level=Level.UNKNOWN, what="Unknown: x."), [], now_ms())
    assert now(folder, capsys)[0] == 1


def test_that_nothing_has_come_yet_is_known(folder, capsys):
    """All runs: no script need wait for the first call."""
    nothing_yet = see(last_ms=None)
    VerdictFile(folder).write(nothing_yet, [], now_ms())
    code, out, _ = now(folder, capsys)
    assert code == 0
    assert "Nothing received yet" in out


def test_a_broken_configuration_keeps_nobody_from_reading(folder, tmp_path, capsys):
    config = tmp_path / "s.toml"
    config.write_text("nonsense")
    assert run(["causes", "--data", str(folder), "--config", str(config)]) == 0


def test_the_first_line_needs_no_store(folder, capsys):
    shutil.rmtree(folder / "store")
    VerdictFile(folder).write(BAD, [], now_ms())
    code, out, err = now(folder, capsys)
    assert code == 2
    assert out.startswith("✕ Bot Sales fails")
    assert err

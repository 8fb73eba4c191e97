"""`switchhook alerts`: what the console keeps, and a test that really arrives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import pytest

from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.alerts.alert import evaluate
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.ledger import LedgerAlerts
from switchhook.cli import run
from switchhook.metrics import Figure
from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_file import VerdictFile
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import DataFolder
from webhook import receiving


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data"
    DataFolder.open(path, "console").close()
    return path


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('[alerts.send.ops]\nurl_env = "OPS"\n[alerts.send.chat]\nurl_env = "OPS"\n')
    return str(path)


NOW_MS = 1_764_050_400_000
FULL = Figure("disk.free_share", 0.0, 0)


def fire(folder, *figures):
    ledger = open_ledger(folder / "ledger")
    LedgerAlerts(ledger).save(evaluate(DEFAULTS, figures, {}, NOW_MS), [], [])
    ledger.close()


def look(folder, *figures, ago_ms=0):
    """As a console does that runs."""
    now_ms = time.time_ns() // 1_000_000 - ago_ms
    alerts = evaluate(DEFAULTS, figures, {}, NOW_MS)
    VerdictFile(folder).write(State(level=Level.GOOD, what="All well."), alerts, now_ms)


def test_nothing_fires(folder, capsys):
    look(folder)
    assert run(["alerts", "--data", str(folder)]) == 0
    assert capsys.readouterr().out == "nothing fires\n"


def test_what_the_console_knows_counts_and_needs_no_ledger(folder, capsys):
    """On a disk that is full nothing new is in the ledger, and it may not open."""
    fire(folder)
    look(folder, FULL)
    (folder / "ledger" / "ledger.sqlite").write_bytes(b"no database")
    assert run(["alerts", "--data", str(folder)]) == 1
    assert "The disk is full" in capsys.readouterr().out


def test_who_is_on_it_is_listed(folder, capsys):
    (alert,) = (each for each in evaluate(DEFAULTS, [FULL], {}, NOW_MS) if each.rule == "disk-full")
    alert = msgspec.structs.replace(alert, acknowledged="asha")
    now_ms = time.time_ns() // 1_000_000
    VerdictFile(folder).write(State(level=Level.WARN, what="x"), [alert], now_ms)
    assert run(["alerts", "--data", str(folder)]) == 1
    assert "firing, asha is on it" in capsys.readouterr().out


@pytest.mark.parametrize("looked", [False, True])
def test_where_nobody_looked_lately_it_is_not_known(folder, capsys, looked):
    if looked:
        look(folder, ago_ms=180_000)
    assert run(["alerts", "--data", str(folder)]) == 1
    said = capsys.readouterr()
    assert said.out == "nothing fired\n"
    ago = " for 3 min" if looked else ""
    assert said.err == f"no console has looked{ago}: this is what was kept; is one running?\n"
    fire(folder, FULL)
    assert run(["alerts", "--data", str(folder)]) == 1
    assert "The disk is full" in capsys.readouterr().out


def test_what_fires_is_listed_harmlessly(folder, capsys):
    labels = (("account", "Main\x1b[31m"),)
    fire(
        folder,
        Figure("account.throttled", 1.0, 0, labels),
        Figure("account.headroom_share", 0.05, 0, labels),
    )
    assert run(["alerts", "--data", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "Callers find no free stream (Main\\x1b[31m)" in out
    assert "\x1b[31m)" not in out.replace("\\x1b[31m", "")
    assert out.index("firing") < out.index("pending")
    assert run(["alerts", "--data", str(folder), "--json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["rule"] for each in found] == ["throttled", "headroom-low"]


def test_a_test_arrives_and_is_kept(folder, config, capsys, monkeypatch):
    with receiving() as receiver:
        monkeypatch.setenv("OPS", f"json://127.0.0.1:{receiver.port}/hook")
        assert run(["alerts", "test", "ops", "--config", config, "--data", str(folder)]) == 0
        assert capsys.readouterr().out == "the test to ops was sent\n"
        (got,) = receiver.wait(1)
        assert got.body["title"] == "A test: nothing is wrong"
        receiver.status = 500
        assert run(["alerts", "test", "ops", "--config", config, "--data", str(folder)]) == 1
        said = capsys.readouterr().err
    assert said.startswith("the test to ops was not sent: ")
    assert "hook" not in said
    ledger = open_ledger(folder / "ledger")
    kept = LedgerAlerts(ledger).sent(10)
    ledger.close()
    assert sorted(each.delivery.state.value for each in kept) == ["completed", "discarded"]


def test_a_whole_policy_is_tried(folder, config, capsys, monkeypatch):
    with Path(config).open("a") as file:
        file.write('[alerts.policy.night]\nsteps = [["ops"], ["chat"]]\n')
    with receiving() as receiver:
        monkeypatch.setenv("OPS", f"json://127.0.0.1:{receiver.port}/hook")
        assert run(["alerts", "test", "night", "--config", config, "--data", str(folder)]) == 0
        assert capsys.readouterr().out == "the test to ops was sent\nthe test to chat was sent\n"
        assert len(receiver.wait(2)) == 2


def test_who_is_on_it_is_handed_in_and_noted(folder, capsys):
    fire(folder, Figure("account.throttled", 1.0, 0, (("account", "Main"),)))
    run(["alerts", "--data", str(folder), "--json"])
    id = json.loads(capsys.readouterr().out)["id"]
    assert run(["alerts", "ack", id, "--data", str(folder)]) == 0
    assert " is on it: Callers find no free stream (Main)" in capsys.readouterr().out
    ledger = open_ledger(folder / "ledger")
    ((handed_in, by),) = LedgerAlerts(ledger).take_acknowledged()
    (entry,) = LedgerAudit(ledger).entries(AuditFilter(), 10)
    ledger.close()
    assert (handed_in, by) == (id, entry.who)
    assert entry.what == "acknowledged an alert"
    assert run(["alerts", "ack", "gone", "--data", str(folder)]) == 2
    assert "no alert 'gone' goes on" in capsys.readouterr().err


def test_a_destination_that_is_none(folder, config, capsys, monkeypatch):
    monkeypatch.setenv("OPS", "json://127.0.0.1/hook")
    assert run(["alerts", "test", "opps", "--config", config, "--data", str(folder)]) == 2
    assert "there is no destination 'opps' (known: ops, chat)" in capsys.readouterr().err

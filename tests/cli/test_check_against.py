"""`check --against`: kept receipts of every kind of endpoint, decided by changed rules."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from answer.bots import gate, member, pool, pooled, voicebot
from answer.desk import TAKES_B, Desk
from kept_receipts import Kept
from patience import PATIENCE_S
from switchhook.cli.check_against import compare
from switchhook.config import EndpointConfig
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rules_file import load_rules
from switchhook.system.data_folder import DataFolder

HOUR_MS = 3_600_000


@pytest.fixture
def folder(tmp_path):
    """A data folder whose journal has what three endpoints were asked just now."""
    pools = pool("sales", member("vendor-a"), member("vendor-b")), pool("spare", member("spare-a"))
    asked = Desk(gate(), voicebot(), EndpointConfig("sales"), config=pooled(*pools))
    asked.ask("CallSid=c1", path="/voicebot/sales-in")
    asked.ask("CallSid=c1", path="/passthru/gate")
    asked.ask(TAKES_B, path="/passthru/sales")
    asked.ask(TAKES_B, path="/passthru/sales")
    with DataFolder.open(tmp_path / "data", "answer") as data:
        kept = Kept(data.folder("journal"), node=data.node)
        for each in asked.journal.records:
            kept.record(each.kind, each.body)
        assert kept.writer.flush(PATIENCE_S)
        kept.close()
    return tmp_path / "data"


def rules(text, kind=EndpointKind.PASSTHRU):
    return load_rules(text, file="", kind=kind)


DEFAULT_B = '[default]\noption = "B"\n'
CHANGED = {
    "sales-in": rules('[default]\npool = "spare"\n', EndpointKind.VOICEBOT),
    "gate": rules('[default]\noption = "B"\n', EndpointKind.ADMIT),
    "sales": rules('[default]\noption = "A"\n'),
}


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [("sales-in", "sales/vendor-", "spare"), ("gate", "B", None), ("sales", "B", "A")],
)
def test_each_kind_is_compared(capsys, folder, name, before, after):
    # What was kept is from long ago by the clock of the test, so that all of it is looked at.
    compare(folder, {name: CHANGED[name]}, 10**14, json=True)
    out, err = capsys.readouterr()
    if after is None:  # nothing was known of room: it was refused before, too
        assert (out, err) == ("", "0 of 1 receipts would be answered otherwise\n")
        return
    (row,) = map(json.loads, out.splitlines())
    assert (row["endpoint"], row["call_sid"]) == (name, "c1")
    assert row["before"].startswith(before)
    assert row["after"] == after
    assert "1 of 1 receipts would be answered otherwise" in err


def test_what_came_before_is_not_looked_at(capsys, folder):
    compare(folder, CHANGED, HOUR_MS, json=False)
    assert "0 of 0 receipts" in capsys.readouterr().err


def test_a_table_says_what_each_caller_got(capsys, folder):
    compare(folder, CHANGED, 10**14, json=False)
    out, err = capsys.readouterr()
    assert "RECEIPT" in out
    assert len(out.splitlines()) == 3
    assert "2 of 3 receipts would be answered otherwise" in err


def test_a_rule_that_compiled_decides_otherwise_than_by_cel_is_named(capsys, folder):
    """The compiled form is made wrong by hand: nobody knows of a rule that is."""
    sales = rules('[[rule]]\nname = "all"\nwhen = \'call.sid != ""\'\noption = "A"\n' + DEFAULT_B)
    blocks = tuple(replace(each, function=lambda _: -1) for each in sales.blocks)
    compare(folder, {"sales": replace(sales, blocks=blocks)}, 10**14, json=True)
    out, err = capsys.readouterr()
    assert json.loads(out)["rule_after"] == "all", "CEL decides"
    assert 'of endpoint sales: decided in two ways, compiled and by CEL, by rule: "all"' in err
    assert "answer.compiled_rules = false" in err

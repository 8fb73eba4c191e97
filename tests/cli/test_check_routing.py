"""`check` of pools, admission and keywords: what it refuses, and what it warns of."""

from __future__ import annotations

import time

import pytest

from kept_receipts import Kept, query, receipt
from patience import PATIENCE_S
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.capacity.readings import Reading
from switchhook.cli import run
from switchhook.cli.check_routing import allowed_streams, kind_said
from switchhook.journal.receipt import RecordKind, encode
from switchhook.rules.outcome import EndpointKind
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import LEDGER, DataFolder

CONFIG = """
[bots.sales.members.vendor-a]
url = "wss://a.example/stream"
limit = 150

[bots.spare.members.vendor-b]
url = "wss://b.example/stream"

[accounts.main]
sid = "main"
poll = false

[endpoints.sales-in]
kind = "voicebot"
rules = "sales.toml"
"""
SALES = '[default]\npool = "sales"\n'


@pytest.fixture
def say(capsys):
    """Run a command in this process; its exit code, standard output and error."""

    def command(*words):
        code = run(list(words))
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "switchhook.toml").write_text(CONFIG)
    (tmp_path / "sales.toml").write_text(SALES)
    return tmp_path


def test_a_pool_that_is_not_there_is_named(say, place):
    (place / "sales.toml").write_text('[default]\npool = "sale"\n')
    for files in ([], ["sales.toml"]):
        code, out, _ = say("check", *files)
        assert code == 1
        assert "[default]: there is no pool 'sale' (did you mean 'sales'?)" in out


def test_a_pool_that_nothing_reaches_is_warned_of(say, place):
    code, out, err = say("check")
    assert (code, out) == (0, "")
    assert "bots.spare: no endpoint and no rule sends calls to this pool" in err
    assert "above the" not in err  # of the account nothing is known


def test_a_limit_above_the_accounts_is_warned_of_once_it_is_known(say, place):
    with DataFolder.open(place / "data", "console"):
        ledger = open_ledger(place / "data" / LEDGER)
        LedgerCapacity(ledger).add(
            [
                Reading("main", 1_000, 5, 90),
                Reading("main", 2_000, 5, 100),
                Reading("main", 3_000, None),
            ]
        )
        ledger.close()
    assert allowed_streams(place / "data") == {"main": 100}
    code, _, err = say("check")
    assert code == 0
    assert "vendor-a.limit: 150 is above the 100 streams that Exotel allows account main" in err


def test_rules_by_themselves_are_checked_for_the_endpoint_that_has_them(say, place):
    assert say("check", "sales.toml")[0] == 0
    (place / "new.toml").write_text(SALES)
    assert say("check", "new.toml")[0] == 0  # no endpoint has it: its keys tell
    assert say("check", "new.toml", "--endpoint", "sales-in")[0] == 0
    (place / "new.toml").write_text('[default]\noption = "A"\n')
    code, out, _ = say("check", "new.toml", "--endpoint", "sales-in")
    assert code == 1
    assert '"option" is for rules of kind passthru or admit, these are of kind voicebot' in out


def test_the_built_in_rules_of_an_endpoint_are_those_of_its_kind(say, place):
    text = CONFIG.replace('rules = "sales.toml"', 'pool = "spare"')
    (place / "switchhook.toml").write_text(text + '[endpoints.gate]\nkind = "admit"\n')
    (place / "data").mkdir()
    for endpoint, given in (
        ("sales-in", 'pool = "spare"'),
        ("gate", 'class = "default"'),
        ("default", "when = 'stream.cause == \"throttled\"'"),
    ):
        code, out, _ = say("rules", "show", endpoint, "--builtin")
        assert code == 0
        assert given in out


@pytest.mark.parametrize(
    "text, kind",
    [
        (SALES, EndpointKind.VOICEBOT),
        ('[[rule]]\npool = "x"\n[default]\n', EndpointKind.VOICEBOT),
        ('[default]\nclass = "x"\n', EndpointKind.ADMIT),
        ('[default]\noption = "A"\nselect = "x"\n', EndpointKind.PASSTHRU),
        ('[default]\noption = "A"\npromise = true\nclass = "x"\n', EndpointKind.PASSTHRU),
        ("rule = 1\ndefault = 2\n", EndpointKind.PASSTHRU),
        ("[", EndpointKind.PASSTHRU),
    ],
)
def test_the_kind_that_rules_say(text, kind):
    assert kind_said(text.encode()) is kind


def test_nothing_is_known_of_accounts_without_a_ledger(tmp_path):
    assert allowed_streams(tmp_path) == {}


CALLING_BACK = """
[accounts.main]
sid = "main"
region = "mumbai"
key_file = "key"
token_file = "key"

[accounts.main.callbacks]
"""


def test_all_that_keeps_an_account_from_calling_back_is_said_at_once(say, place):
    (place / "key").write_text("a-key-of-the-account\n")
    (place / "never.txt").write_text("+919811100001\nAsha\n")
    (place / "switchhook.toml").write_text(
        CALLING_BACK + 'exophone = "1800 111 222"\nhours = "21:00-9:00"\ntell = ["ops"]\n'
        'do_not_call_file = "never.txt"\n'
    )
    code, out, _ = say("check")
    assert code == 1
    for problem in (
        "callbacks.exophone: it is a toll-free number, which calls nobody",
        "callbacks.hours: they never open",
        "callbacks.do_not_call_file: no telephone number in line 2 of 'never.txt'",
        "callbacks: nothing says where a callback leads",
        "callbacks.tell: no destination is named 'ops'",
    ):
        assert f"accounts.main.{problem}" in out
    assert "9811100001" not in out


def test_promises_that_nobody_keeps_are_warned_of(say, place):
    (place / "sales.toml").write_text('[default]\noption = "B"\npromise = true\nreason = "x"\n')
    (place / "switchhook.toml").write_text('[endpoints.sales]\nrules = "sales.toml"\n')
    code, out, err = say("check")
    assert (code, out) == (0, "")
    assert "they promise callbacks, and nothing says which account calls" in err


TWO = """
[endpoints.default]
[endpoints.sales]
rules = "rules/sales.toml"
[endpoints.support]
rules = "rules/sales.toml"
"""


def test_a_rules_file_is_checked_for_those_who_have_it(say, place):
    """And counted among their callers: those of another endpoint say nothing of it."""
    (place / "switchhook.toml").write_text(TWO)
    (place / "rules").mkdir()
    for name in ("rules/sales.toml", "new.toml"):
        (place / name).write_text('[default]\noption = "A"\n')
    with DataFolder.open(place / "data", "answer") as data:
        kept = Kept(data.folder("journal"), node=data.node)
        for endpoint, calls in (("default", 3), ("sales", 2), ("support", 1)):
            for call in range(calls):
                made = receipt(query(f"{endpoint}{call}", "s"), endpoint=endpoint)
                kept.record(int(RecordKind.PASSTHRU), encode(made), at=time.time_ns() // 1_000_000)
        assert kept.writer.flush(PATIENCE_S)
        kept.close()

    def looked_at(*words):
        code, _, err = say("check", *words)
        assert code == 0
        return [line for line in err.splitlines() if "looked at" in line]

    assert [line.partition(" of the last")[0] for line in looked_at("rules/sales.toml")] == [
        "endpoint sales: 2 callers",
        "endpoint support: 1 caller",
    ]
    (line,) = looked_at("new.toml", "--endpoint", "sales")
    assert line.startswith("endpoint sales: 2 callers")
    assert looked_at("new.toml")[0].startswith("endpoint default: 3 callers")


def test_an_endpoint_that_nobody_has_is_refused(say, place):
    code, out, err = say("check", "sales.toml", "--endpoint", "nope", "--against", "1h")
    assert (code, out) == (2, "")
    assert "there is no endpoint 'nope' in the configuration (known: sales-in)" in err

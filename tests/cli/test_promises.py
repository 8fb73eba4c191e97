"""`switchhook promises`, as somebody types it: beside no program, on a folder where one ran."""

from __future__ import annotations

import io
import json
import os
import socket

import pytest

from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.callbacks.dialling_ledger import SWITCHHOOK, LedgerDialling
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import PromiseEvent
from switchhook.cli import run
from switchhook.cli.data import steady_now_ms
from switchhook.config.live import SettingsKeeper
from switchhook.overview.verdict import Level, State
from switchhook.overview.verdict_file import VerdictFile
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import LEDGER, DataFolder

ASHA, RAVI, MEERA = "+919876500001", "+919876500002", "+919876500003"
CONFIG = """
[accounts.main]
sid = "acme1"
region = "mumbai"
key_env = "KEY"
token_env = "TOKEN"
[accounts.main.callbacks]
exophone = "+918047112233"
flow = "123456"
hours = "0:00-24:00"
classes = { sales = 4 }
[accounts.quiet]
sid = "acme2"
poll = false
"""
SECOND = """
[accounts.second]
sid = "acme3"
region = "mumbai"
key_env = "KEY"
token_env = "TOKEN"
[accounts.second.callbacks]
exophone = "+918047112244"
flow = "123456"
"""
NOBODY = "account main: nobody has allowed this account to dial"


class Desk:
    """A folder with a configuration, and what the commands say there."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys

    def configure(self, text):
        (self.folder / "switchhook.toml").write_text(text, encoding="utf-8")
        config = str(self.folder / "switchhook.toml")
        SettingsKeeper(self.folder / "data", config, environ=os.environ).start()

    def said(self, *words):
        """Exit code, standard output and error."""
        code = run(["promises", *words, "--data", str(self.folder / "data")])
        out, err = self._capsys.readouterr()
        return code, out.splitlines(), err.splitlines()

    def err(self):
        return self._capsys.readouterr().err

    def ok(self, *words, code=0):
        got, out, err = self.said(*words)
        assert got == code, (out, err)
        return out

    def refused(self, *words):
        code, out, err = self.said(*words)
        assert (code, out) == (2, [])
        return "\n".join(err).removeprefix("switchhook: ")

    def make(self, number, *words):
        self.ok("make", number, "--reason", "asked by mail", *words)

    def states(self, *words):
        _, out, _ = self.said("list", "--json", *words)
        return {each["id"]: each["state"] for each in map(json.loads, out)}

    def deeds(self):
        with self.ledger() as ledger:
            found = LedgerAudit(ledger).entries(AuditFilter(), 20)
        return [(each.what, each.subject) for each in found]

    def settle(self, id, *events):
        """What the console would have done."""
        with self.ledger() as ledger:
            for event in events:
                done = LedgerPromises(ledger).settle(
                    id, event, steady_now_ms(self.folder / "data"), why="as it went"
                )
                assert done is not None

    def ledger(self):
        return _Open(self.folder / "data" / LEDGER)


class _Open:
    def __init__(self, place):
        self._ledger = open_ledger(place)

    def __enter__(self):
        return self._ledger

    def __exit__(self, *_):
        self._ledger.close()


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("KEY", "a-key")
    monkeypatch.setenv("TOKEN", "a-token")
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path, capsys)
    DataFolder.open(tmp_path / "data", "console").close()
    desk.configure(CONFIG)
    return desk


def test_a_promise_is_made_listed_and_told(desk):
    code, out, err = desk.said(
        "make", "098765 00001", "--reason", "asked by mail", "--class", "sales"
    )
    assert code == 0
    assert out[0].startswith("promise 1: +91••••••••01 is called back from ")
    assert err == ["note: not yet: nobody has allowed this account to dial"]
    code, out, err = desk.said("list")
    assert (code, err) == (1, [NOBODY])
    assert out[0].split()[:5] == ["ID", "STATE", "NUMBER", "ACCOUNT", "CLASS"]
    assert out[1].split()[:5] == ["1", "open", "+91••••••••01", "main", "sales"]
    told = desk.ok("show", "1")
    assert told[:5] == [
        "promise       1",
        f"number        {ASHA}",
        "account       main",
        "class         sales",
        "promised for  asked by mail",
    ]
    assert any("made" in line and "open" in line for line in told)
    assert ("promised a callback", "main") in desk.deeds()
    assert ("read numbers by command line", "promises show") in desk.deeds()


def test_show_as_json_has_its_steps_and_calls(desk):
    desk.make(ASHA)
    (line,) = desk.ok("show", "1", "--json")
    told = json.loads(line)
    assert (told["number"], told["state"], told["calls"]) == (ASHA, "open", [])
    assert [step["event"] for step in told["steps"]] == [None]


def test_there_is_none_yet(desk):
    assert desk.said("list") == (0, ["none is open"], [NOBODY])
    assert desk.ok("refused") == ["nobody was refused a promise"]
    assert desk.refused("show", "7") == "there is no promise 7 (see: switchhook promises list)"


def test_the_number_may_come_from_standard_input(desk, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ASHA}\n"))
    desk.make("-")
    assert desk.states() == {1: "open"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("make", "12", "--reason", "x"), "no"),
        (("make", ASHA, "--reason", " "), "it has no reason"),
        (("make", ASHA, "--reason", "x", "--account", "quiet"), "no account 'quiet' calls back"),
        (("make", "+918047112233", "--reason", "x"), ""),
        (
            ("make", ASHA, "--reason", "x", "--class", "Bad Class"),
            "no such class is possible: 'Bad Class'"
            " (1 to 32 of a-z, 0-9, _ and -; account main has: default, sales)",
        ),
        (("make", ASHA, "--reason", "x", "--class", "all"), "class 'all' is a reserved word"),
        (("cancel", "--reason", "x"), "which promises is not said"),
        (("cancel", "--state", "opne", "--reason", "x"), "there is no state 'opne'"),
        (
            ("list", "--account", "zzz"),
            "no account 'zzz' calls back or has promises (known: main)",
        ),
        (
            ("cancel", "--class", "zzz", "--yes", "--reason", "x"),
            "no class 'zzz' is configured or has promises (known: default, sales)",
        ),
        (("list", "--since", "tomorrowish"), "'tomorrowish' is no time"),
        (("show", "9" * 23), f"there is no promise {'9' * 23}"),
        (("list", "--number", "12"), "that is no full telephone number"),
        (("allow-dialling", "quiet", "--reason", "x"), "no account 'quiet' calls back"),
        (("stop-dialling", "nobody"), "no account 'nobody' calls back"),
    ],
)
def test_what_cannot_be_is_said_in_words(desk, words, said):
    assert said in desk.refused(*words)
    assert desk.states() == {}


@pytest.mark.parametrize("words", [("list",), ("refused",), ("do-not-call",)])
@pytest.mark.parametrize("limit", ["0", "501"])
def test_a_limit_is_1_to_500(desk, words, limit):
    with pytest.raises(SystemExit) as ended:
        desk.said(*words, "--limit", limit)
    assert ended.value.code == 2
    assert f'Invalid value "{limit}" for --limit' in desk.err()


def test_one_number_has_one_promise(desk):
    desk.make(ASHA)
    assert desk.refused("make", ASHA, "--reason", "again")
    assert desk.states() == {1: "open"}
    (_, row) = desk.ok("refused")
    assert "open already" in row
    (line,) = desk.ok("refused", "--json")
    assert json.loads(line)["code"] == "open already"


def test_where_several_accounts_call_one_is_named(desk):
    desk.configure(CONFIG + SECOND)
    said = desk.refused("make", ASHA, "--reason", "x")
    assert said == "which account calls is not said (--account main or second)"
    desk.make(ASHA, "--account", "second")
    assert desk.states("--account", "second") == {1: "open"}
    assert desk.states("--account", "main") == {}


def test_promises_are_steered_by_their_ids(desk):
    for number in (ASHA, RAVI, MEERA):
        desk.make(number)
    assert desk.ok("pause", "1", "2", "--reason", "wait") == ["2 promises held back"]
    assert desk.states() == {1: "paused", 2: "paused", 3: "open"}
    (none,) = desk.ok("pause", "9" * 23, "--reason", "wait", code=1)
    assert none.startswith("there is none to pause")
    assert desk.ok("resume", "2", "3", "--reason", "go on") == ["1 promise resumed"]
    assert desk.ok("cancel", "3", "--reason", "served by mail") == ["1 promise cancelled"]
    assert desk.ok("expire", "1", "--reason", "too late") == ["1 promise expired"]
    assert desk.states("--state", "dropped,kept") == {1: "dropped", 3: "dropped"}
    assert desk.ok("retry", "3", "--reason", "asked again") == ["1 promise to be dialled again"]
    assert desk.states() == {2: "open", 3: "open"}
    assert [what for what, _ in desk.deeds() if "read" not in what][:5] == [
        "had promises dialled again",
        "let promises expire",
        "cancelled promises",
        "resumed promises",
        "paused promises",
    ]


def test_of_each_promise_that_is_named_and_left_out_it_says_why(desk):
    for number in (ASHA, RAVI, MEERA):
        desk.make(number)
    desk.ok("pause", "1", "--reason", "wait")
    code, out, err = desk.said("pause", "1", "2", "999", "--reason", "wait")
    assert (code, out) == (0, ["1 promise held back"])
    assert err == [
        "number 1 is left out: it is paused already",
        "number 999 is left out: there is none",
    ]
    desk.ok("cancel", "3", "--reason", "served by mail")
    code, out, err = desk.said("cancel", "3", "99", "--reason", "again")
    assert (code, out) == (1, ["there is none to cancel"])
    assert err == [
        "number 3 is left out: it is dropped already (cancelled)",
        "number 99 is left out: there is none",
    ]
    desk.make(MEERA)
    code, _, err = desk.said("retry", "3", "--reason", "asked again")
    assert code == 1
    assert err == ["number 3 is left out: promise 4 to this number is open"]
    code, _, err = desk.said("cancel", "4", "--state", "paused", "--reason", "x")
    assert code == 1
    assert err == ["number 4 is left out: the filter does not match it"]


def test_what_has_something_in_common_is_steered_once_somebody_says_yes(desk):
    for number, of in ((ASHA, "sales"), (RAVI, "sales"), (MEERA, "support")):
        desk.make(number, "--class", of)
    words = ("cancel", "--class", "sales", "--state", "open", "--reason", "done")
    code, out, err = desk.said(*words)
    assert (code, out) == (1, [])
    assert err[0] == "cancel 2 promises (open, of class sales)? Say --yes"
    assert desk.states() == {1: "open", 2: "open", 3: "open"}
    assert desk.ok(*words, "--yes") == ["2 promises cancelled"]
    assert desk.states() == {3: "open"}
    assert desk.ok(*words, "--yes", code=1) == ["there is none to cancel: open, of class sales"]
    assert desk.ok("pause", "--all", "--yes", "--reason", "night") == ["1 promise held back"]


def test_a_number_that_is_not_to_be_called_loses_its_promise(desk):
    desk.make(ASHA)
    words = ("do-not-call", ASHA, "--reason", "asked not to")
    assert desk.ok(*words) == ["it is not called any more"]
    assert desk.states("--state", "dropped") == {1: "dropped"}
    assert desk.ok(*words, code=1) == ["it was on the list already"]
    assert desk.refused("make", ASHA, "--reason", "again")
    (_, row) = desk.ok("do-not-call")
    assert row.split()[0] == "+91••••••••01"
    (line,) = desk.ok("do-not-call", "--json")
    assert json.loads(line)["number"] == ASHA
    gone = ("do-not-call", ASHA, "--remove", "--reason", "asked to")
    assert desk.ok(*gone) == ["it may be called again"]
    assert desk.ok("do-not-call") == ["every number may be called"]
    desk.make(ASHA)


def test_dialling_is_allowed_by_name_and_stopped_at_once(desk):
    desk.make(ASHA)
    code, out, err = desk.said("allow-dialling", "main", "--reason", "a first try")
    assert (code, err) == (1, ["note: not yet: no console runs, and nobody else dials"])
    assert out == [
        "account main may dial: 1 promise waits; `switchhook promises stop-dialling main` stops it"
    ]
    assert desk.said("list")[0] == 0
    assert desk.ok("stop-dialling") == ["nobody is dialled any more"]
    code, _, err = desk.said("list")
    assert code == 1
    assert err == ["account main: dialling is stopped: no reason was given"]
    assert desk.said("stop-dialling", "--reason", "the flow")[2] == []
    assert desk.said("list")[2] == ["account main: dialling is stopped: the flow"]
    desk.said("allow-dialling", "main", "--reason", "again")
    assert desk.ok("stop-dialling", "main", "--reason", "the greeting") == [
        "account main dials nobody any more"
    ]
    assert desk.said("list")[2] == ["account main: dialling is stopped: the greeting"]
    assert [what for what, _ in desk.deeds() if "dialling" in what] == [
        "stopped dialling",
        "allowed dialling",
        "stopped dialling",
        "stopped dialling",
        "allowed dialling",
    ]


def test_what_stopped_it_by_itself_stays_said_and_who_stops_it_is_told(desk):
    desk.make(ASHA)
    desk.said("allow-dialling", "main", "--reason", "a first try")
    deed = Deed(who=SWITCHHOOK, what="stopped dialling", subject="main")
    with desk.ledger() as ledger:
        LedgerDialling(ledger).stop(["main"], "no money is left", deed, 1)
    code, _, err = desk.said("stop-dialling", "main", "--reason", "the greeting")
    assert (code, err) == (
        0,
        ["note: account main was stopped before, and that is to be mended: no money is left"],
    )
    assert desk.said("list")[2] == ["account main: dialling is stopped: no money is left"]


def test_after_a_console_was_killed_it_says_at_once_that_none_runs(desk):
    """Its last verdict is seconds old, and its note is still there."""
    desk.make(ASHA)
    data = desk.folder / "data"
    now_ms = steady_now_ms(data)
    VerdictFile(data).write(State(level=Level.GOOD, what="All is well."), (), now_ms)
    words = ("allow-dialling", "main", "--reason", "a first try")
    gone = ["note: not yet: no console runs, and nobody else dials"]
    assert desk.said(*words)[::2] == (1, gone)
    lock, note = data / "console.lock", {"pid": 2**22 + 1, "program": "x", "since": "x"}
    lock.write_text(json.dumps({**note, "host": socket.gethostname()}))
    assert desk.said(*words)[::2] == (1, gone)
    lock.write_text(json.dumps({**note, "host": "a-container"}))
    assert desk.said(*words)[::2] == (0, [])
    with DataFolder.open(data, "console"):
        assert desk.said(*words)[::2] == (0, [])


def test_broken_promises_are_dialled_again_with_their_story_kept(desk):
    desk.make(ASHA)
    desk.settle(1, PromiseEvent.EXHAUSTED)
    assert desk.states("--state", "broken") == {1: "broken"}
    assert desk.ok("retry", "1", "--reason", "asked again") == ["1 promise to be dialled again"]
    events = [step["event"] for step in json.loads(desk.ok("show", "1", "--json")[0])["steps"]]
    assert events == [None, "exhausted", "retried"]

"""`switchhook release backtest`, as somebody types it: on what was kept, and on a log."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from types import SimpleNamespace

import msgspec
import pytest

from kept_receipts import query, receipt
from patience import PATIENCE_S
from served_folder import NEW, REFUSE, RULES, THROTTLE, ServedFolder, write_files
from switchhook.cli import run
from switchhook.journal.receipt import AddressGiven, RecordKind
from switchhook.releases.backtest import BackTest
from switchhook.releases.backtest_file import FOLDER
from switchhook.releases.ledger import LedgerReleases
from switchhook.rules.addressing import key_of_draw, with_address
from switchhook.rules.decide import Decision, Option
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.routing import NOTHING_KNOWN, route
from switchhook.rules.rules_file import builtin_rules
from switchhook.server.tables import open_ledger
from switchhook.streams.decided_again import read_request

FAILED = "CallSid=a1&From=09876543210&Stream[Status]=failed&Stream[Error]=3009+refused"
THROTTLED = "CallSid=a2&From=09876543211&Stream[Status]=failed&Stream[DetailedStatus]=throttled"


@pytest.fixture
def shop(tmp_path, monkeypatch, capsys):
    """A folder with a configuration, and what the command says there."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path)

    def say(*words):
        code = run(["release", "backtest", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return SimpleNamespace(folder=tmp_path, data=tmp_path / "data", say=say)


@pytest.fixture
def kept(shop):
    """The same where both programs ran, and who writes its journal."""
    served = ServedFolder(shop.folder)
    vars(shop).update(
        keep=served.keep, passthru=served.passthru, flush=served.flush, settings=served.settings
    )
    yield shop
    served.close()


@pytest.mark.process
def test_what_would_have_been_otherwise(kept):
    refused = [kept.passthru(f"r{n}", **REFUSE) for n in range(3)]
    kept.passthru("t1", **THROTTLE)
    for call in range(10):
        kept.passthru(f"c{call}", DisconnectedBy="user")
    kept.flush()
    code, out, _ = kept.say("new.toml", "--of", "default", "--since", "1h", "--json")
    assert code == 0
    said = json.loads(out)
    assert (said["decided"], said["different"], said["complete"]) == (14, 4, True)
    first, second = said["changes"]
    assert (first["count"], first["would_be"]["words"]) == (3, 'B by "throttled"')
    assert [each["receipt"] for each in first["receipts"]] == refused[::-1]
    assert second["was"]["words"] == 'B by "throttled"'
    assert {each["name"]: each["different"] for each in said["causes"]} == {
        "connect_failed": 3,
        "throttled": 1,
        "caller_left": 0,
    }
    assert said["mix"] == [
        {"given": 'A by "default"', "callers": 11},
        {"given": 'B by "throttled"', "callers": 3},
    ]
    assert not list((kept.data / FOLDER).iterdir())
    _, out, _ = kept.say("new.toml", "--of", "default", "--since", "1h")
    assert "new.toml of default: 4 of 14 requests since" in out
    assert "4 of 14 callers, each by their first request" in out
    assert refused[-1] in out
    assert "by cause" in out
    assert "connect_failed 3 of 3" in out


@pytest.mark.process
def test_it_and_check_count_the_same_callers_of_the_same_receipts(kept, capsys):
    """One counted calls, and who was not named at all; the other callers."""
    for call in range(5):
        kept.keep(receipt(f"CallSid=c{call}&CallFrom=0981234567{call % 3}".encode()))
    for _ in range(2):
        kept.keep(receipt(b"Direction=incoming"))
    kept.flush()
    _, out, _ = kept.say("new.toml", "--of", "default", "--since", "1h", "--json")
    said = json.loads(out)
    assert (said["decided"], said["callers"], said["without_caller"]) == (7, 3, 2)
    assert run(["check", "new.toml", "--endpoint", "default", "--data", str(kept.data)]) == 0
    err = capsys.readouterr().err
    assert "endpoint default: 3 callers of the last 24 hours were looked at" in err
    words = "no caller is known of 2 requests, by number or CallSid: the callers are without them"
    assert f"endpoint default: {words}" in err
    assert words in kept.say("new.toml", "--of", "default", "--since", "1h")[2]


@pytest.mark.process
def test_what_runs_gives_its_decisions_again_and_its_report_is_kept(kept, capsys):
    kept.passthru("t1", **THROTTLE)
    kept.passthru("c1")
    kept.flush()
    assert run(["release", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    number = next(each["number"] for each in rows if each["subject"] == "rules/default")
    code, out, _ = kept.say(str(number), "--json")
    said = json.loads(out)
    assert (code, said["decided"], said["different"], said["faults"]) == (0, 2, 0, 0)
    wrong = receipt(query("w1"), decision=Decision(Option.B, "throttled", said["hash"], "so it is"))
    name = kept.keep(wrong)
    kept.flush()
    code, out, err = kept.say(str(number))
    assert code == 1
    assert "FAULT: 1 decisions of this release are not as they were kept" in err
    assert f"{name}: not as it was kept: option, rule, reason" in err


@pytest.mark.process
def test_ctrl_c_stops_it_and_the_same_command_goes_on(kept):
    for call in range(6000):
        kept.passthru(f"c{call}", **(REFUSE if call % 4 == 0 else {}))
    kept.flush()
    words = [sys.executable, "-m", "switchhook", "release", "backtest", "new.toml"]
    words += ["--of", "default", "--since", "7d", "--cores", "1", "--json"]
    with subprocess.Popen(
        words, cwd=kept.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        state = None
        while process.poll() is None and state is None:
            files = list((kept.data / FOLDER).glob("*.msgpack"))
            if files:
                state = msgspec.msgpack.decode(files[0].read_bytes(), type=BackTest)
            time.sleep(0)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, ""), err
    assert "the same command goes on" in err
    assert "stopped at" in err
    assert "Traceback" not in err
    code, out, err = kept.say("new.toml", "--of", "default", "--since", "7d", "--json")
    assert code == 0
    assert "it goes on from" in err
    said = json.loads(out)
    assert (said["decided"], said["different"]) == (6000, 1500)


@pytest.mark.process
def test_pools_with_other_weights(kept):
    pools = {each.name: each for each in kept.settings.config.pools}
    ruleset = builtin_rules(EndpointKind.VOICEBOT, "sales")
    for call in range(100):
        blank = AddressGiven(
            received_us=0,
            endpoint="bots",
            method="GET",
            raw=f"CallSid=c{call}".encode(),
            decision=ruleset.otherwise,
            http_status=200,
        )
        key = key_of_draw(read_request(blank).passthru, sticky=False)
        drawn = route(pools, "sales", key, NOTHING_KNOWN, 0)
        decision = with_address(ruleset.otherwise, drawn, fallback=False, status=200)
        given = msgspec.structs.replace(blank, route=drawn, decision=decision)
        kept.keep(given, RecordKind.VOICEBOT)
    kept.flush()
    (kept.folder / "pools.toml").write_text("[sales.members.a]\nweight = 0\n")
    code, out, _ = kept.say("pools.toml", "--json")
    said = json.loads(out)
    assert (code, said["decided"]) == (0, 100)
    assert 75 <= said["different"] <= 100
    (change,) = said["changes"]
    assert (change["was"]["member"], change["would_be"]["member"]) == ("a", "b")
    assert said["mix"] == [{"given": "sales/b", "callers": 100}]


LOGS = {
    "queries": f"{FAILED}\n{THROTTLED}\n",
    "access log": f'192.0.2.1 - - [29/Nov/2026:10:00:00 +0000] "GET /p?{FAILED} HTTP/1.1" 200 1\n'
    f'192.0.2.1 - - [29/Nov/2026:10:00:00 +0000] "GET /p?{THROTTLED} HTTP/1.1" 302 1\n',
    "json": "\n".join(
        json.dumps(dict(pair.split("=", 1) for pair in each.split("&")))
        for each in (FAILED, THROTTLED)
    ),
    "curl": "\n".join(f"curl 'https://a.example/p?{each}'" for each in (FAILED, THROTTLED)),
}


@pytest.mark.parametrize("shape", LOGS)
def test_a_log_needs_no_traffic_and_no_data_folder(shop, shape):
    (shop.folder / "mock.log").write_text(LOGS[shape])
    code, out, _ = shop.say("new.toml", "--of", "default", "--log", "mock.log", "--json")
    assert code == 0
    said = json.loads(out)
    assert (said["log"], said["decided"], said["different"]) == ("mock.log", 2, 2)
    assert {each["was"]["words"] for each in said["changes"]} == {
        'A by "default"',
        'B by "throttled"',
    }
    assert not shop.data.exists()


def test_a_log_is_shown_by_its_lines(shop):
    other = '192.0.2.1 - - [29/Nov/2026:10:00:00 +0000] "GET /health?x=1 HTTP/1.1" 200 1'
    text = f"{other}\nnothing\n{LOGS['access log']}"
    (shop.folder / "mock.log.gz").write_bytes(gzip.compress(text.encode()))
    code, out, err = shop.say("new.toml", "--of", "default", "--log", "mock.log.gz")
    assert code == 0
    assert "requests that are no passthru: 1" in err
    assert "2 of 2 requests of mock.log.gz would have been answered otherwise (100 %)" in out
    assert "line 4" in out
    assert "lines without a request: 1" in err


def test_a_log_without_a_passthru_is_said(shop):
    (shop.folder / "mock.log").write_text("nothing\n")
    code, _, err = shop.say("new.toml", "--of", "default", "--log", "mock.log")
    assert code == 1
    assert "nothing in it looks like a passthru" in err


def test_the_moment_of_a_log_is_the_requests_own(shop):
    late = NEW.replace('stream.cause == "connect_failed"', "local.hour >= 22")
    (shop.folder / "new.toml").write_text(late)
    times = "2026-11-24+22%3A30%3A00", "2026-11-24+10%3A00%3A00"
    lines = [f"CallSid=a{n}&CurrentTime={each}\n" for n, each in enumerate(times)]
    (shop.folder / "mock.log").write_text("".join(lines))
    _, out, _ = shop.say("new.toml", "--of", "default", "--log", "mock.log", "--json")
    said = json.loads(out)
    assert said["different"] == 1
    assert [each["name"] for each in said["hours"]] == [
        "2026-11-24 10:00 IST",
        "2026-11-24 22:00 IST",
    ]


@pytest.mark.parametrize(
    ("rules", "endpoint", "changes"),
    [('[default]\npool = "sales"\n', "bots", 0), ("[sales.members.a]\nweight = 0\n", "pools", 1)],
)
def test_a_log_of_calls_before_their_stream(shop, rules, endpoint, changes):
    (shop.folder / "new.toml").write_text(rules)
    (shop.folder / "mock.log").write_text("CallSid=a1\nCallSid=a2\nCallSid=a3\nCallSid=a4\n")
    code, out, _ = shop.say("new.toml", "--of", endpoint, "--log", "mock.log", "--json")
    said = json.loads(out)
    assert (code, said["decided"], len(said["changes"])) == (0, 4, changes)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("new.toml", "--since", "soon"), "--since: not a length of time: 'soon'"),
        (("gone.toml", "--log", "mock.log"), "gone.toml"),
        (("new.toml", "--of", "nobody", "--log", "mock.log"), "there is no endpoint 'nobody'"),
        (("new.toml", "--of", "default", "--log", "gone.log"), "gone.log: no such file"),
    ],
)
def test_what_can_not_be_is_said(shop, words, problem):
    code, _, err = shop.say(*words)
    assert code == 2
    assert problem in err


def test_a_file_that_does_not_check_out_is_not_tried(shop):
    (shop.folder / "new.toml").write_text(RULES.replace("stream.cause", "stream.couse"))
    (shop.folder / "mock.log").write_text(FAILED)
    code, _, err = shop.say("new.toml", "--of", "default", "--log", "mock.log")
    assert code == 2
    assert err.startswith("switchhook: new.toml does not check out: ")
    assert "did you mean stream.cause?" in err


def test_a_draft_is_not_tried(kept):
    """Else each process of the back-test would end, and none would say of which release."""
    (kept.folder / "new.toml").write_text(RULES.replace("stream.cause", "stream.couse"))
    on = "--data", str(kept.data)
    assert run(["release", "check", "new.toml", "--of", "default", "--reason", "x", *on]) == 1
    with closing(open_ledger(kept.data / "ledger")) as ledger:
        number = LedgerReleases(ledger).standings("rules/default")[-1].release.number
    code, _, err = kept.say(str(number), *on)
    assert code == 2
    assert f"switchhook: release {number} does not check out: " in err
    assert f"switchhook release check {number}" in err

"""The commands as people and programs use them."""

from __future__ import annotations

import gzip
import io
import json
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from program import running, until
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli import output, run
from switchhook.cli.check_matches import count_matches
from switchhook.rules.rules_file import BUILTIN
from switchhook.server.tables import open_ledger

THROTTLED = (
    "CallSid=t1&Stream[StreamSID]=st1&Stream[Status]=failed"
    "&Stream[DetailedStatus]=Streaming_call_throttled"
)
DONE = (
    "CallSid=d1&Stream[StreamSID]=sd1&Stream[Status]=completed"
    "&Stream[Duration]=28&Stream[DisconnectedBy]=bot"
)
RULES = """
[[rule]]
name = "to people"
when = 'stream.cause == "{cause}"'
option = "B"
[default]
option = "A"
"""


@pytest.fixture
def say(capsys):
    """Run a command in this process; its exit code, standard output and error."""

    def command(*words):
        code = run([str(word) for word in words])
        return code, *capsys.readouterr()

    return command


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with rules of its own that has been asked two questions, one of them twice."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "rules.toml").write_text(RULES.format(cause="throttled"))
    config = folder / "switchhook.toml"
    config.write_text('data = "data"\n[endpoints.default]\nrules = "rules.toml"\n')
    with running(folder / "data", "--config", str(config)) as program:
        for query in (THROTTLED, DONE, DONE):
            program.ask(query)
        assert len(program.receipts()) == 3
        yield program


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    "command", ["serve", "answer", "console", "check", "rules", "parse", "tail"]
)
def test_every_command_explains_itself(say, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "200")  # it is measured once in a process
    code, out, _ = say(command, "--help")
    assert code == 0
    assert out.startswith(f"Usage: switchhook {command}")
    assert "fd" not in out  # what the supervisor says is nobody's business


@pytest.mark.process
def test_it_is_a_program():
    words = [sys.executable, "-m", "switchhook", "--version"]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    assert told.stdout.startswith(f"switchhook {version('switchhook')}")


def test_completion_knows_every_command(say):
    for shell, sign in (("bash", "complete "), ("zsh", "#compdef"), ("fish", "complete -c")):
        code, out, _ = say("completion", shell)
        assert code == 0
        assert sign in out
        for word in ("serve", "endpoint", "url", "--config"):
            assert word in out.replace("-l config", "--config")
    with pytest.raises(SystemExit):
        say("completion", "tcsh")


@pytest.mark.process
def test_completion_completes_in_bash(say):
    _, out, _ = say("completion", "bash")
    ask = "COMP_WORDS=(switchhook endpoint u); COMP_CWORD=2; _switchhook; echo ${COMPREPLY[@]}"
    words = ["bash", "--norc", "-c", f"{out}\n{ask}"]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    assert told.stdout == "url\n"


def test_schema_prints_either(say):
    titles = [json.loads(say("schema", *kind)[1])["title"] for kind in ((), ("rules",))]
    assert titles == ["The configuration of Switchhook", "A rules file of Switchhook"]


def test_parse_says_what_a_request_means(say):
    code, out, _ = say("parse", THROTTLED)
    assert code == 0
    assert "throttled" in out
    assert "B, 302" in out


def test_parse_reads_mock_logs_and_says_where_there_was_no_request(say, tmp_path):
    logs = tmp_path / "access.log"
    logs.write_text(
        f'h - - [t] "GET /p?{DONE} HTTP/1.1" 200\n\n# a comment\nnothing\n/p?{THROTTLED}\n'
    )
    code, out, err = say("parse", logs, "--json")
    first, strange, second = lines(out)
    assert code == 0
    assert (first["line"], first["cause"], first["decision"]["option"]) == (1, "bot_done", "A")
    assert strange["line"] == 4
    assert (second["cause"], second["decision"]["http_status"]) == ("throttled", 302)
    assert "no request was found in 1 lines: 4" in err
    code, out, _ = say("parse", logs)
    assert "2 requests: 1 take Option A, 1 take Option B" in out


def test_parse_goes_by_the_flags_of_the_configuration_beside(say, tmp_path, monkeypatch):
    """A rules file by itself: the dev stage needs nothing that runs."""
    rules = tmp_path / "r.toml"
    rule = "[[rule]]\nname='off'\nwhen='flags.off'\noption='B'\n[default]\noption='A'\n"
    rules.write_text(rule)
    monkeypatch.chdir(tmp_path)
    code, out, _ = say("parse", THROTTLED, "--rules", str(rules), "--json")
    assert "no configuration declares it" in out
    (tmp_path / "switchhook.toml").write_text('[flags.off]\nkind = "boolean"\ndefault = true\n')
    code, out, _ = say("parse", THROTTLED, "--rules", str(rules), "--json")
    assert (code, json.loads(out)["decision"]["rule"]) == (0, "off")


def test_parse_fails_where_nothing_is_a_request(say):
    code, out, err = say("parse", "hello")
    assert (code, out) == (1, "")
    assert err.startswith("nothing in it looks like a passthru of Exotel's")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gone.log", "gone.log: no such file (a file, a request between quotes, or - for"),
        ("./gone", "./gone: no such file"),
        ("logs/", "logs/: a folder, not a file"),
    ],
)
def test_parse_names_a_file_that_is_not_there(say, tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    code, out, err = say("parse", name)
    assert (code, out) == (2, "")
    assert err.startswith(f"switchhook: {said}")


def test_parse_reads_standard_input(say, monkeypatch):
    for words in (["parse", "-"], ["parse"]):
        monkeypatch.setattr(
            sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(DONE.encode())))
        )
        code, out, _ = say(*words)
        assert code == 0
        assert "1 take Option A" in out


def test_parse_reads_a_gzip_as_far_as_it_is_whole(say, tmp_path):
    """A log that is being rotated is cut; noise behind one is not the log's."""
    chance = random.Random(1)
    line = 'h - - [t] "GET /p?{}&CallSid={} HTTP/1.1" 200\n'
    text = "".join(line.format(DONE, chance.random()) for _ in range(2_000))
    whole = gzip.compress(text.encode())
    for name, content in (("cut.gz", whole[: len(whole) // 2]), ("noisy.gz", whole + b"noise")):
        (tmp_path / name).write_bytes(content)
        code, out, err = say("parse", tmp_path / name)
        assert code == 0
        assert len(out.splitlines()) > (500 if name == "cut.gz" else 2_000)
        assert f"{name}: its gzip is damaged or cut short; what stands before that was" in err


def test_parse_says_what_else_was_there_and_as_what_it_read_it(say, tmp_path):
    logs = tmp_path / "access.log"
    logs.write_text(f'h - - [t] "GET /p?{DONE} HTTP/1.1" 200\nh "GET /favicon.ico HTTP/1.1" 404\n')
    code, out, err = say("parse", logs)
    assert code == 0
    assert "read 1 as access log" in out
    assert err == "1 other requests are no passthru: GET /favicon.ico\n"


def test_what_comes_from_outside_can_not_write_to_the_terminal(say):
    code, out, _ = say("parse", "CallSid=%1B[31mred%E2%80%AEabc%0A[bold]x[/bold]")
    assert code == 0
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[31mred\\u202eabc\\n[bold]x[/bold]" in out


def test_check_names_what_is_wrong_with_its_place(say, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text(RULES.format(cause="throttled").replace("stream.cause", "stream.cuase"))
    code, out, _ = say("check", bad)
    assert code == 1
    assert re.search(re.escape(str(bad)) + r':\d+: rule "to people", column 1: ', out)
    good = tmp_path / "good.toml"
    good.write_text(RULES.format(cause="throttled"))
    assert say("check", good)[0] == 0


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ('stream.cause in ["throttled", "connection_failed"]', 'column 31: .*"connect_failed"'),
        ('call.direction == "incoming"', 'column 19: .*rules see "inbound"'),
        ('stream.error_kind == "connection refused"', 'column 22: .*did you mean "refused"'),
        ('call.from == "09876543210"', r'column 14: .*"\+919876543210"'),
        ("local.hour == 24", "column 15: .*0 to 23"),
        ('stream.status = "failed"', "column 15: .*write =="),
        ('stream.status == "Failed"', 'column 18: .*did you mean "failed"'),
        ('local.weekday == "Monday"', 'column 18: .*did you mean "monday"'),
        ("local.hour >= 21 && local.hour < 9", r"column 21: .*overnight is .*21 \|\| local"),
    ],
)
def test_check_refuses_a_rule_that_can_not_be_what_was_meant(say, tmp_path, when, told):
    bad = tmp_path / "bad.toml"
    rule = f"[[rule]]\nname = \"r\"\nwhen = '''{when}'''\noption = \"B\"\n"
    bad.write_text(rule + '\n[default]\noption = "A"\n')
    code, out, _ = say("check", bad)
    assert code == 1
    assert re.match(re.escape(f'{bad}:3: rule "r", ') + told, out)
    bad.write_text(bad.read_text().replace(when, "local.hour >= 21 || local.hour < 9"))
    assert say("check", bad)[0] == 0


def test_check_of_a_configuration_checks_its_rules(say, tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text('[endpoints.a]\nrules = "gone.toml"\nmood = 1\n')
    code, out, _ = say("check", config)
    assert code == 1
    assert "endpoints.a: unknown key 'mood'" in out
    config.write_text('[endpoints.a]\nrules = "gone.toml"\n')
    code, out, _ = say("check", config)
    assert code == 1
    assert "gone.toml: it can't be read: no such file or directory" in out


@pytest.mark.parametrize("command", ["tail", "now", "streams", "keep"])
def test_a_named_configuration_that_is_not_there_is_named(say, tmp_path, monkeypatch, command):
    """Its data folder would be a guess."""
    monkeypatch.chdir(tmp_path)
    code, out, err = say(command, "--config", "gone.toml")
    assert (code, out) == (2, "")
    assert err.startswith("switchhook: gone.toml: --config: no such file (say the right one")


@pytest.mark.process
def test_how_exotel_reaches_us_begins_with_https(say, server):
    for words in (["endpoint", "url"], ["endpoint", "test"], ["doctor"]):
        code, out, err = say(*words, "--url", "hooks.example.com", "--data", server.data)
        assert (code, out) == (2, ""), words
        assert "--url: it does not begin with https://" in err


def test_check_without_a_file_checks_what_serve_would_find(say, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = tmp_path / "switchhook.toml"
    found.write_text("[answer]\nmood = 1\n")
    code, out, _ = say("check")
    assert code == 1
    assert f"{found}: answer: unknown key 'mood'" in out
    found.write_text("[endpoints.sales]\n")
    code, _, err = say("check")
    assert code == 0
    assert f"{found} checks out" in err


def test_check_without_a_file_checks_the_defaults(say, tmp_path, monkeypatch):
    """They are what `serve` runs on in a new folder; a file that is named has to be there."""
    monkeypatch.chdir(tmp_path)
    code, out, err = say("check")
    assert (code, out) == (0, "")
    assert err == "there is no configuration: the defaults check out\n"
    code, out, _ = say("check", "--config", "gone.toml")
    assert code == 1
    assert "gone.toml: it can't be read: no such file or directory" in out


@pytest.mark.process
def test_check_of_the_defaults_against_what_was_kept(say, server):
    code, _, err = say("check", "--against", "1h", "--data", server.data)
    assert code == 0
    assert "receipts would be answered otherwise" in err


@pytest.mark.process
def test_check_tells_how_many_callers_each_rule_would_have_decided(say, server, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES.format(cause="bot_done"))
    code, out, err = say("check", rules, "--data", server.data)
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["RULE", "OPTION", "CALLERS"],
        ["to", "people", "B", "1"],
        ["default", "A", "1"],
    ]
    assert "endpoint default: 2 callers of the last 24 hours were looked at" in err
    _, out, _ = say("check", rules, "--data", server.data, "--json")
    assert lines(out)[0] == {
        "endpoint": "default",
        "rule": "to people",
        "option": "B",
        "promise": None,
        "callers": 1,
        "of": 2,
        "without_caller": 0,
    }
    rules.write_text(rules.read_text().replace("[default]", "promise = true\n[default]"))
    _, out, _ = say("check", rules, "--data", server.data)
    assert out.splitlines()[1].endswith("a callback as class default: to people")
    _, out, err = say("check", rules, "--data", server.data, "--endpoint", "other")
    assert (out, "endpoint other: no callers" in err) == ("", True)


@pytest.mark.process
def test_check_says_how_far_back_it_came_when_time_ran_out(server):
    found = count_matches(Path(server.data), {"default": BUILTIN}, longest_s=0)
    assert found.callers == {"default": 1}
    assert found.since_ms is not None


@pytest.mark.process
def test_check_against_what_was_kept(say, server, tmp_path):
    changed = tmp_path / "changed.toml"
    changed.write_text(RULES.format(cause="bot_done"))
    code, out, err = say("check", changed, "--against", "1h", "--data", server.data, "--json")
    assert code == 0
    found = {each["call_sid"]: (each["before"], each["after"]) for each in lines(out)}
    assert found == {"t1": ("B", "A"), "d1": ("A", "B")}
    assert "2 of 2 receipts would be answered otherwise" in err  # the repeat is left out


@pytest.mark.process
def test_tail_shows_the_newest_receipts(say, server):
    code, out, _ = say("tail", "--data", server.data, "--json")
    assert code == 0
    first, second, third = lines(out)
    assert [first["call_sid"], second["call_sid"]] == ["t1", "d1"]
    assert third["repeat_of"] == second["id"]
    _, out, _ = say("tail", "--data", server.data, "-n", "1")
    assert len(out.splitlines()) == 1
    assert "repeat" in out


@pytest.mark.process
def test_tail_says_that_there_is_nothing(say, server):
    code, out, err = say("tail", "--endpoint", "nope", "--data", server.data)
    assert (code, out) == (0, "")
    assert err == (
        "there is no receipt of the endpoint nope yet\n"
        "the configuration has no endpoint nope; it has default\n"
    )
    _, _, err = say("streams", "--endpoint", "nope", "--data", server.data)
    assert err.endswith("the configuration has no endpoint nope; it has default\n")
    with pytest.raises(SystemExit):
        say("tail", "-n", "-5", "--data", server.data)


@pytest.mark.process
@pytest.mark.parametrize("span", ["24hours", "1 day", "90min", "2w"])
def test_a_comparison_takes_lengths_as_a_search_does(say, server, span):
    code, _, err = say("check", "--against", span, "--data", server.data)
    assert code == 0
    assert "receipts would be answered otherwise" in err


@pytest.mark.parametrize("span", ["24", "1:30", "soon", ""])
def test_a_comparison_refuses_what_is_no_length(say, span):
    code, _, err = say("check", "--against", span)
    assert code == 2
    assert "--against: not a length of time" in err


@pytest.mark.process
def test_tail_follows_what_comes(server):
    words = [sys.executable, "-m", "switchhook", "tail", "-f", "-n", "1", "--json"]
    with subprocess.Popen(
        [*words, "--data", str(server.data)], stdout=subprocess.PIPE, text=True
    ) as tail:
        tail.stdout.readline()  # the newest of those before: what comes now, it follows
        server.ask("CallSid=follow1")
        server.ask("CallSid=follow2")
        told = [json.loads(tail.stdout.readline())["call_sid"] for _ in range(2)]
        tail.terminate()
    assert told == ["follow1", "follow2"]


@pytest.mark.process
def test_streams_and_calls(say, server):
    code, out, _ = say("streams", "--data", server.data, "--cause", "throttled", "--json")
    assert code == 0
    (stream,) = lines(out)
    assert (stream["sid"], stream["call_sid"], stream["option"]) == ("st1", "t1", "B")
    code, out, _ = say("call", "d1", "--data", server.data, "--json")
    (call,) = lines(out)
    assert code == 0
    assert len(call["passthrus"]) == 2
    assert [each["sid"] for each in call["streams"]] == ["sd1"]
    code, out, _ = say("call", "d1", "--data", server.data)
    assert "sd1" in out
    assert say("call", "nobody", "--data", server.data)[0] == 1


@pytest.mark.process
def test_commands_that_print_numbers_say_so_in_the_audit_log(say, server, tmp_path, monkeypatch):
    """Who it was by the machine, whatever the environment claims; and what they asked for."""
    place = ("--data", server.data)
    server.ask("CallSid=n1&CallFrom=09876543210&CallTo=08045678901")
    server.receipts()
    monkeypatch.setenv("USER", "mallory")
    monkeypatch.setenv("LOGNAME", "mallory")
    assert "919876543210" in say("call", "n1", *place)[1]
    assert "9876543210" in say("tail", "--json", *place)[1]
    say("tail", *place)
    say("streams", "cause:throttled", "from:98765", "--json", *place)
    say("streams", "option:B", "--export", tmp_path / "found.csv", *place)
    ledger = open_ledger(server.data / "ledger")
    read = [
        each
        for each in LedgerAudit(ledger).oldest_first()
        if each.what == "read numbers by command line" and each.details != '{"call":"d1"}'
    ]
    ledger.close()
    me = pwd.getpwuid(os.getuid()).pw_name
    assert {(each.who, each.origin) for each in read} == {(me, "command line")}
    told = [(each.subject, json.loads(each.details)) for each in read[-4:]]
    assert [subject for subject, _ in told] == ["call", "tail", "streams", "streams --export"]
    assert told[0][1] == {"call": "n1"}
    assert told[2][1]["search"] == "cause:throttled from:98765"
    assert told[3][1] == {"search": "option:B", "file": "found.csv"}


@pytest.mark.process
def test_what_can_not_be_noted_is_printed_masked(say, server, tmp_path):
    """As on the page: nobody reads whole numbers unseen."""
    data = tmp_path / "data"
    server.ask("CallSid=n2&CallFrom=09876543210")
    shutil.copytree(server.data, data, ignore=lambda _, names: [n for n in names if "lock" in n])
    for each in (data / "ledger").iterdir():
        each.write_bytes(b"no ledger " * 1_000)
    code, out, err = say("tail", "--json", "--data", data)
    assert code == 0
    assert '"n2"' in out
    assert "9876543210" not in out
    assert "masked" in err
    for each in (data / "ledger").iterdir():
        each.unlink()
    assert "no ledger here" in say("tail", "--json", "--data", data)[2]


@pytest.mark.process
def test_a_search_finds_what_the_page_finds(say, server, tmp_path):
    place = ("--data", server.data)
    code, out, _ = say("streams", "cause:throttled", "since:1h", "--json", *place)
    assert code == 0
    assert [each["sid"] for each in lines(out)] == ["st1"]
    file = tmp_path / "found.csv"
    code, out, _ = say("streams", "option:B", "--export", file, *place)
    zone = output.own_zone().tzname(None)
    assert (code, out) == (0, f"{file} is written: 1 rows, times in {zone}\n")
    head, *rows = file.read_bytes().decode("utf-8-sig").splitlines()
    assert "cause" in head.split(",")
    assert f"time ({zone})" in head.split(",")  # the zone that the search was read in
    assert len(rows) == 1
    assert "throttled" in rows[0]
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.process
@pytest.mark.parametrize(
    "words, said",
    [
        (["cause:throttld"], "the search: 'throttld' is no cause"),
        (["since:99/99/2026"], "'99/99/2026' is no time (at 0: since:99/99/2026)"),
        (["since:9876543210999"], "'9••••••••••99' is no time (at 0: since:9••••••••••99)"),
        (["--export", "streams.xls"], "--export: 'streams.xls' ends in no form of export"),
        (["--export", "s.csv", "--cause", "throttled"], "an export takes no --cause"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_by_name(say, server, words, said):
    code, out, err = say("streams", *words, "--data", server.data)
    assert (code, out) == (2, "")
    assert said in err


@pytest.mark.process
def test_what_fails_is_shown_at_a_glance(say, server):
    place = ("--data", server.data)
    code, out, _ = say("causes", "--json", *place)
    assert code == 0
    assert [(each["cause"], each["streams"]) for each in lines(out)] == [("throttled", 1)]
    until(lambda: say("now", *place)[0] == 0, "the console to have looked at everything")
    code, out, _ = say("now", "--json", *place)
    assert code == 0
    (found,) = lines(out)
    assert (found["failed"]["failed"], found["failed"]["streams"]) == (1, 2)
    code, out, _ = say("now", *place)
    assert code == 0
    assert "1 throttled" in out


@pytest.mark.process
def test_a_filter_that_makes_no_sense_is_refused_by_name(say, server):
    code, _, err = say("streams", "--data", server.data, "--since", "noon")
    assert code == 2
    assert "--since" in err


@pytest.mark.process
def test_rebuild_makes_the_same_store_again(say, server):
    before = server.api("streams")
    assert say("rebuild", "--data", server.data)[0] == 0
    assert server.api("streams") == before


def test_secret_makes_a_new_one_each_time_and_the_url(say):
    _, out, _ = say("secret", "sales", "--url", "https://h.example/", "--json")
    (made,) = lines(out)
    assert made["url"] == f"https://h.example/passthru/sales/{made['secret']}"
    assert len(made["secret"]) >= 32
    assert say("secret", "sales")[1] != say("secret", "sales")[1]


@pytest.mark.parametrize(
    "words", [("tail",), ("streams",), ("call", "x"), ("rebuild",), ("rules", "list")]
)
def test_a_folder_that_is_none_is_said(say, tmp_path, words):
    code, _, err = say(*words, "--data", tmp_path / "none")
    assert code == 2
    assert err.startswith("switchhook: data folder ")
    assert not (tmp_path / "none").exists()


@pytest.mark.process
def test_undo_is_followed_at_once(say, tmp_path):
    rules, config = tmp_path / "rules.toml", tmp_path / "switchhook.toml"
    rules.write_text(RULES.format(cause="throttled"))
    config.write_text('data = "data"\n[endpoints.default]\nrules = "rules.toml"\n')
    with running(tmp_path / "data", "--config", str(config), command="answer") as program:
        assert program.ask(DONE).status == 200
        rules.write_text(RULES.format(cause="bot_done"))
        asked = iter(range(10**6))
        until(lambda: program.ask(DONE + f"&n={next(asked)}").status == 302, "the change")
        # A broken file changes nothing, and is complained of.
        rules.write_text("[[rule]]\n")
        until(lambda: program.health()["problems"], "a complaint")
        assert program.ask(DONE + f"&n={next(asked)}").status == 302
        code, out, _ = say("rules", "undo", "--config", config)
        assert code == 0
        assert "runs rules" in out
        until(lambda: program.ask(DONE + f"&n={next(asked)}").status == 200, "the undo")
        _, out, _ = say("rules", "history", "--config", config, "--json")
        assert [entry["number"] for entry in lines(out)] == [1, 2, 3]
        assert program.stop() == 0
    # What checked out last runs on after a restart, though file and configuration are broken.
    rules.unlink()
    config.write_text("nonsense")
    with running(tmp_path / "data", "--config", str(config), command="answer") as program:
        assert program.ask(DONE + f"&n={next(asked)}").status == 200
        assert len(program.health()["problems"]) == 2


@pytest.mark.process
def test_serve_refuses_what_never_checked_out(tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text("[endpoints.default]\nmood = 1\n")
    with (
        pytest.raises(AssertionError) as refused,
        running(tmp_path / "data", "--config", str(config)),
    ):
        pass
    assert "it ended with 2: " in str(refused.value)
    assert "unknown key 'mood'" in str(refused.value)

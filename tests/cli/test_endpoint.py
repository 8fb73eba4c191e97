"""`switchhook endpoint`: what there are, how one answers, and its URL with the secret it has."""

from __future__ import annotations

import json

import pytest

from program import command, running
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli import run
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import DataFolder, read_identity
from switchhook.system.local_keys import endpoint_secret

FIRST, SECOND = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


@pytest.fixture
def folder(tmp_path):
    DataFolder.open(tmp_path / "data", "console").close()
    return tmp_path / "data"


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text(
        f'[endpoints.sales]\nsecrets = ["{FIRST}", "{SECOND}"]\n[endpoints.support]\n'
        '[endpoints.local]\nauth = "open"\n'
    )
    file.chmod(0o600)
    return file


def url(folder, config, name, *words):
    return run(["endpoint", "url", name, "--data", str(folder), "--config", str(config), *words])


def test_it_is_the_configured_secrets_and_says_what_else_is_valid(folder, config, capsys):
    assert url(folder, config, "sales", "--url", "https://h.example/") == 0
    out, err = capsys.readouterr()
    assert out == f"https://h.example/passthru/sales/{FIRST}\n"
    assert f"valid, too: https://h.example/passthru/sales/{SECOND}" in err
    assert "After each edit of the flow" in err
    assert "switchhook endpoint test sales" in err
    assert url(folder, config, "sales", "--json", "--url", "https://h.example") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["public"] is True
    assert said["also"] == [f"https://h.example/passthru/sales/{SECOND}"]


def test_without_one_it_is_the_folders_own_and_where_none_is_asked_for_there_is_none(
    folder, config, capsys
):
    assert url(folder, config, "support") == 0
    own = endpoint_secret(read_identity(folder).key, "support")
    assert capsys.readouterr().out.endswith(f"/passthru/support/{own}\n")
    assert url(folder, config, "local") == 0
    out, err = capsys.readouterr()
    assert out.endswith("/passthru/local\n")
    assert "answer.url in the configuration" in err


def test_before_the_first_start_it_says_where_the_secret_comes_from(tmp_path, config, capsys):
    folder = tmp_path / "none yet"
    for name in ("sales", "local"):
        assert url(folder, config, name) == 0
    capsys.readouterr()
    assert url(folder, config, "support") == 2
    err = capsys.readouterr().err
    assert "the secret of support's URL is made at the first start" in err
    assert "switchhook serve" in err
    assert not folder.exists()
    assert url(folder, config, "nobody") == 2
    assert "known: sales, support, local" in capsys.readouterr().err


def test_the_configuration_says_how_exotel_reaches_it(folder, config, capsys):
    text = config.read_text()
    config.write_text(f'[answer]\nurl = "https://calls.example.com/"\n{text}')
    assert url(folder, config, "sales") == 0
    out, err = capsys.readouterr()
    assert out == f"https://calls.example.com/passthru/sales/{FIRST}\n"
    assert "this machine" not in err


def test_who_read_it_is_noted(folder, config, capsys):
    open_ledger(folder / "ledger").close()
    assert url(folder, config, "sales") == 0
    ledger = open_ledger(folder / "ledger")
    (entry,) = LedgerAudit(ledger).entries(AuditFilter(), 10)
    ledger.close()
    assert (entry.what, entry.subject) == ("read the URL of an endpoint", "sales")
    assert FIRST not in str(entry)


def test_a_name_that_is_none_is_refused_with_those_there_are(folder, config, capsys):
    assert url(folder, config, "sale") == 2
    assert "there is no endpoint 'sale'" in capsys.readouterr().err


def test_without_a_name_it_is_the_only_one_s_or_says_which_there_are(folder, config, capsys):
    words = ["endpoint", "url", "--data", str(folder), "--config", str(config)]
    assert run(words) == 2
    assert "say of which endpoint: sales, support, local" in capsys.readouterr().err
    config.write_text(f'[endpoints.sales]\nsecrets = ["{FIRST}"]\n')
    assert run([*words, "--url", "https://h.example"]) == 0
    assert capsys.readouterr().out == f"https://h.example/passthru/sales/{FIRST}\n"


@pytest.mark.process
def test_a_test_asks_as_exotel_would_and_the_list_counts_none(tmp_path):
    """Through the real program."""
    config = tmp_path / "c.toml"
    config.write_text(
        f'[endpoints.sales]\nsecrets = ["{FIRST}"]\n[endpoints.later]\nmode = "async"\n'
    )
    config.chmod(0o600)
    with running(tmp_path / "data", "--config", str(config)) as program:
        where = ("--data", str(program.data), "--config", str(config))
        done = command("endpoint", "test", "sales", *where)
        assert "a stream that went well: 200, Option A" in done.out
        assert "a stream that failed: 302, Option B" in done.out
        assert FIRST not in done.out + done.err
        asked = (
            "endpoint",
            "test",
            "sales",
            "--query",
            "CallSid=a b&Stream[Status]=failed",
            *where,
        )
        assert command(*asked, "--option", "B").code == 0
        told = command(*asked, "--option", "A", "--json", code=1)
        said = json.loads(told.out)
        assert (said["status"], said["option"], said["expected"]) == (302, "B", "A")
        log = tmp_path / "access.log"
        log.write_text(
            '198.51.100.7 - - [25/Nov/2026:10:00:00 +0530] "GET /p?CallSid=l1&Stream%5BStatus%5D='
            'completed HTTP/1.1" 200 0\nnoise\n'
        )
        done = command("endpoint", "test", "later", "--file", str(log), *where)
        assert "line 1: 200, Option B by rule 'outcome unknown' (an async applet" in done.out
        program.ask("CallSid=real&Stream[Status]=failed", f"/passthru/sales/{FIRST}")
        listed = command("endpoint", "list", "--json", *where).out.splitlines()
        rows = {row["endpoint"]: row for row in map(json.loads, listed)}
        assert (rows["sales"]["requests"], rows["sales"]["share_b"]) == (1, 1.0)
        assert (rows["later"]["requests"], rows["later"]["last_asked_at"]) == (0, None)
        assert (rows["sales"]["secrets"], rows["later"]["mode"]) == (1, "async")
        table = command("endpoint", "list", *where).out
        assert "1, made by the folder" in table
        assert program.stop() == 0
        done = command("endpoint", "test", "sales", *where, code=1)
        assert "no answer" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nobody",), "there is no endpoint 'nobody'"),
        ((), "say of which endpoint"),
        (("sales", "--query", "a=1", "--file", "x"), "not both"),
        (("sales", "--file", "/nowhere"), "no such file"),
        (("sales", "--option", "C"), "C"),
    ],
)
def test_what_can_not_be_tested_is_said(folder, config, words, said):
    where = ("--data", str(folder), "--config", str(config))
    try:
        done = command("endpoint", "test", *words, *where, code=None)
    except SystemExit:
        assert said == "C"  # refused by the command line itself
        return
    assert done.code in (1, 2)
    assert said in done.out + done.err


def test_a_rules_file_that_does_not_run_is_listed_with_why(folder, config, tmp_path):
    (tmp_path / "r.toml").write_text('[default]\noption = "C"\n')
    config.write_text(config.read_text() + '[endpoints.ruled]\nrules = "r.toml"\n')
    done = command("endpoint", "list", "--data", str(folder), "--config", str(config), code=1)
    assert "refused" in done.out
    assert "r.toml" in done.out


def test_the_options_are_named_as_everywhere(folder, config, capsys):
    words = ["endpoint", "test", "sales", "--data", str(folder), "--config", str(config)]
    with pytest.raises(SystemExit):
        run([*words, "--option", "C"])
    assert 'Choose from: "A", "B"' in capsys.readouterr().err


VOICEBOTS = """
[bots.sales.members.a]
url = "wss://a.example/s"
[endpoints.after]
[endpoints.in]
kind = "voicebot"
pool = "sales"
when_off = 503
[endpoints.safe]
kind = "voicebot"
pool = "sales"
fallback = "wss://b.example/s?token=s3cret"
"""


def test_a_voicebot_endpoint_is_listed_and_linked_as_what_it_is(folder, config, capsys):
    config.write_text(VOICEBOTS)
    where = ["--data", str(folder), "--config", str(config)]
    assert run(["endpoint", "list", "--json", *where]) == 0
    rows = {row["endpoint"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    names = ("kind", "safe_option", "pool", "fallback", "when_off")
    assert {name: tuple(row[each] for each in names) for name, row in rows.items()} == {
        "after": ("passthru", "B", None, None, None),
        "in": ("voicebot", None, "sales", None, 503),
        "safe": ("voicebot", None, "sales", "wss://b.example/s?token=…", 404),
    }
    assert run(["endpoint", "list", *where]) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table[0][:3] == ["ENDPOINT", "KIND", "MODE"]
    assert [line[1] for line in table[1:]] == ["passthru", "voicebot", "voicebot"]
    assert table[2][-3:] == ["503", "pool", "sales"]
    assert table[3][-3:] == ["fallback", "pool", "sales"]
    assert run(["link", "--json", *where]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (list(said["passthru"]), list(said["voicebot"])) == (["after"], ["in", "safe"])
    assert run(["link", *where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["console", "passthru", "voicebot", "voicebot"]
    assert "/voicebot/in/" in lines[2]

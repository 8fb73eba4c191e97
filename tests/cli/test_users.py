"""`switchhook users` and `switchhook tokens`, on a data folder."""

from __future__ import annotations

import io
import json
import sys

import pytest

from switchhook.access.audit import Deed, verify_chain
from switchhook.access.ledger import LedgerAccess
from switchhook.access.users import LinkKind
from switchhook.cli import run
from switchhook.config.live import SettingsKeeper
from switchhook.server.tables import open_ledger
from switchhook.system import folder_lock
from switchhook.system.data_folder import DataFolder
from switchhook.web.sign_in.password_hashing import password_matches
from switchhook.web.sign_in.tokens import hashed

PASSWORD = "seven green parrots"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    DataFolder.open(folder, "console").close()
    return folder


@pytest.fixture
def say(capsys, monkeypatch, data):
    """Run a command with something on standard input; exit code, standard output and error."""

    def command(*words, typed=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        code = run([*map(str, words), "--data", str(data)])
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def kept(data):
    ledger = open_ledger(data / "ledger")
    yield LedgerAccess(ledger)
    ledger.close()


def add(say, name, role="administrator"):
    code, _, error = say("users", "add", name, "--role", role, typed=f"{PASSWORD}\n")
    assert code == 0, error


def test_users_come_and_change(say, kept):
    assert "nobody has an account" in say("users", "list")[2]
    add(say, "Asha")
    add(say, "ரவி", "viewer")
    assert say("users", "role", "ரவி", "operator")[1] == "ரவி is operator\n"
    assert say("users", "disable", "asha")[0] == 2  # who would administer?
    assert say("users", "disable", "ரவி")[0] == 0
    said = [json.loads(line) for line in say("users", "list", "--json")[1].splitlines()]
    assert [(each["name"], each["role"], each["disabled"]) for each in said] == [
        ("Asha", "administrator", False),
        ("ரவி", "operator", True),
    ]
    assert "disabled" in say("users", "list")[1]
    assert say("users", "enable", "ரவி")[0] == 0
    assert say("users", "password", "asha", typed="eleven purple teacups\n")[0] == 0
    assert password_matches("eleven purple teacups", kept.users.named("asha").password_hash)
    entries = list(kept.audit.oldest_first())
    assert {each.origin for each in entries} == {"command line"}
    assert verify_chain(entries, kept.audit.head()).broken_at is None
    assert PASSWORD not in str(entries)


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (("add", "asha"), "short\n", "at least 15 characters"),
        (("add", "asha"), "", "at least 15 characters"),
        (("add", " asha"), PASSWORD, "no blanks"),
        (("add", "a\u202e"), PASSWORD, "invisible"),
        (("add", "asha", "--role", "king"), PASSWORD, "viewer, operator, administrator"),
        (("role", "nobody", "viewer"), "", "switchhook users list"),
        (("disable", "nobody"), "", "no such user"),
        (("password", "nobody"), PASSWORD, "no such user"),
    ],
)
def test_what_is_refused(say, words, typed, said):
    code, _, error = say("users", *words, typed=typed)
    assert code != 0
    assert said in error


def test_a_name_can_be_had_once(say):
    add(say, "asha")
    code, _, error = say("users", "add", "ASHA", typed=PASSWORD)
    assert code == 2
    assert "taken" in error


def test_links(say, kept, tmp_path):
    """For the first administrator, a new user, and a user who forgot the password."""
    add(say, "asha")
    config = tmp_path / "switchhook.toml"
    config.write_text('[console]\nurl = "https://switchhook.example"\nusers = true\n')
    for words, kind, name, role in (
        ((), LinkKind.FIRST, "", "administrator"),
        (("ravi", "--role", "operator"), LinkKind.INVITE, "ravi", "operator"),
        (("asha",), LinkKind.RESET, "asha", "administrator"),
    ):
        code, out, error = say("users", "link", *words, "--config", config)
        assert code == 0
        assert out.startswith("https://switchhook.example/welcome/")
        assert ("3 days" if kind is LinkKind.INVITE else "15 minutes") in error
        link = kept.users.link(hashed(out.strip().rpartition("/")[2]))
        assert (link.kind, link.name, link.role.word) == (kind, name, role)
    assert say("users", "link", "--url", "http://x/")[1].startswith("http://x/welcome/")
    assert say("users", "link")[1].startswith("http://127.0.0.1:8081/welcome/")


def test_a_link_leads_to_the_console_that_runs_where_no_configuration_is_named(say, data, tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text('[console]\nurl = "https://switchhook.example"\nusers = true\n')
    SettingsKeeper(data, str(config), environ={}).start()
    assert say("users", "link")[1].startswith("https://switchhook.example/welcome/")
    code, _, error = say("users", "add", "asha", typed="switchhook.example\n")
    assert (code, "made of" in error) == (2, True)


@pytest.mark.parametrize("words", [("link",), ("users", "link")])
def test_a_link_waits_for_a_console_that_starts_and_says_of_one_that_is_down(
    say, data, monkeypatch, words
):
    """It has its lock before it listens; what it says then is where."""
    held = DataFolder.open(data, "console")
    monkeypatch.setattr(
        folder_lock.time, "sleep", lambda seconds: held.say_where("http://127.0.0.1:4711")
    )
    try:
        code, out, error = say(*words)
    finally:
        held.close()
    assert (code, "http://127.0.0.1:4711/" in out) == (0, True), (out, error)
    assert "the console side" not in error
    code, out, error = say(*words)
    assert (code, "http://127.0.0.1:8081/" in out) == (0, True), (out, error)
    assert "the console side" in error
    assert "not up yet" in error


def test_no_link_for_who_can_not_use_it(say, kept):
    add(say, "asha")
    add(say, "ravi", "viewer")
    assert say("users", "disable", "ravi")[0] == 0
    code, out, error = say("users", "link", "ravi")
    assert (code, out) == (2, "")
    assert "this user is disabled" in error
    assert kept.users.links(1) == []


def test_tokens(say, kept):
    add(say, "asha")
    assert "there is no token" in say("tokens", "list")[2]
    proof = say("tokens", "make", "grafana")[1].strip()
    assert proof.startswith("shk_")
    say("tokens", "make", "ops", "--scope", "admin", "--days", "5", "--owner", "asha")
    said = [json.loads(line) for line in say("tokens", "list", "--json")[1].splitlines()]
    assert {(each["name"], each["scope"], each["owner"], each["state"]) for each in said} == {
        ("grafana", "read", None, "works"),
        ("ops", "admin", "asha", "works"),
    }
    assert kept.passes.standing(None, hashed(proof)).token.name == "grafana"
    assert say("tokens", "revoke", 1)[0] == 0
    assert say("tokens", "revoke", 1)[0] == 2
    assert "revoked" in say("tokens", "list")[1]
    for words in (("--scope", "all"), ("--days", "0"), ("--days", "366"), ("--owner", "nobody")):
        assert say("tokens", "make", "x", *words)[0] == 2


def test_a_folder_that_is_none_of_ours(tmp_path, capsys):
    assert run(["users", "list", "--data", str(tmp_path)]) == 2
    assert "nothing has run on it yet" in capsys.readouterr().err
    assert not (tmp_path / "ledger").exists()


def test_a_user_is_deleted_and_a_second_factor_reset(say, kept):
    add(say, "asha")
    add(say, "ravi", "viewer")
    ravi = kept.users.named("ravi")
    assert say("users", "reset-second-factor", "ravi")[0] == 2
    done = Deed(who="ravi", what="set up a second factor")
    kept.second_factors.enrol(ravi.id, b"secret", 1, [], done, 1)
    assert "second factor" in say("users", "list")[1]
    assert say("users", "reset-second-factor", "RAVI")[0] == 0
    assert kept.users.named("ravi").second_factor is False
    assert say("users", "delete", "asha")[0] == 2  # who would administer?
    code, out, _ = say("users", "delete", "ravi")
    assert (code, out) == (0, f"ravi is deleted; in the audit log: user {ravi.id}\n")
    assert "ravi" not in say("users", "list")[1]
    assert say("users", "delete", "ravi")[0] == 2
    entries = list(kept.audit.oldest_first())
    assert verify_chain(entries, kept.audit.head()).broken_at is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [("Password123456789", "most common"), ("switchhook-2026", "made of"), ("asha", "at least 15")],
)
def test_a_password_that_is_guessed_soon_is_refused(say, typed, said):
    code, _, error = say("users", "add", "asha", typed=f"{typed}\n")
    assert code == 2
    assert said in error

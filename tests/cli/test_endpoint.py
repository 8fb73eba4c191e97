"""`switchhook endpoint url`: the URL with the secret that is there, and no new one."""

from __future__ import annotations

import json

import pytest

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

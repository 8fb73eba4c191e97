"""`switchhook init`: what it writes runs, nothing is written over, and answers are asked again."""

from __future__ import annotations

import os
import pty
import stat
import sys
from pathlib import Path

import pytest

from program import command
from switchhook.cli.data import config_in


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_a_terminal_it_asks_nothing_and_what_it_writes_checks_out(folder):
    done = command("init", "--endpoint", "sales", "--url", "https://hooks.example.com")
    (point,) = config_in("switchhook.toml").endpoints
    (secret,) = point.secrets
    assert f"  https://hooks.example.com/passthru/sales/{secret.reveal()}\n" in done.out
    assert command("check").err == f"{folder}/switchhook.toml checks out\n"
    assert mode(folder / "secrets/sales.txt") == 0o600
    assert mode(folder / "secrets") == 0o750
    assert "sales.txt" not in command("check").err  # nobody else may read it
    # Each thing to do next is a command that there is, told as it works here.
    next_steps = done.out.partition("\nNext:\n")[2].split("\n")
    assert [line.split() for line in next_steps if line][:2] == [
        ["switchhook", "check"],
        ["switchhook", "serve"],
    ]


def test_the_url_that_it_prints_is_printed_again_before_anything_runs(folder):
    made = command("init", "--endpoint", "sales", "--url", "https://hooks.example.com")
    url = command("endpoint", "url").out
    assert f"  {url}" in made.out
    assert not (folder / "data").exists()
    (folder / "switchhook.toml").write_text("[endpoints.sales]\n")
    done = command("endpoint", "url", code=2)  # its secret is made when it first starts
    assert "first start, and nothing has run yet (start it, switchhook serve" in done.err


def test_a_region_without_an_account_is_named_and_nothing_is_written(folder):
    done = command("init", "--region", "singapore", code=2)
    assert "--region: it is an account's, and --sid names none" in done.err
    assert list(folder.iterdir()) == []
    command("init", "--region", "singapore", "--sid", "acme1")
    assert config_in("switchhook.toml").accounts[0].region == "singapore"


def test_elsewhere_it_says_how_it_is_found(folder):
    done = command("init", "other")
    assert "  switchhook serve --config other/switchhook.toml\n" in done.out
    assert "(on this machine only:" in done.out
    assert command("check", "other/switchhook.toml").code == 0


def test_a_folder_of_a_service_is_written_for_its_group(folder):
    other = next(iter({*os.getgroups(), 1} - {os.getegid()})) if os.geteuid() == 0 else None
    if other is None:
        pytest.skip("only root can give files away")
    place = folder / "etc"
    place.mkdir()
    os.chown(place, -1, other)
    command("init", "etc")
    for path in (place / "secrets", place / "secrets/default.txt"):
        assert path.stat().st_gid == other
    assert mode(place / "secrets/default.txt") == 0o640


@pytest.mark.parametrize("there", ["switchhook.toml", "rules/default.toml", "secrets/default.txt"])
def test_nothing_is_written_over(folder, there):
    path = folder / there
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    done = command("init", code=2)
    assert f"{there}: it is there already (nothing was written" in done.err
    assert path.read_text() == "mine"
    assert [each for each in folder.rglob("*") if each.is_file()] == [path]


def test_what_can_not_be_used_is_refused_before_anything_is_written(folder):
    done = command("init", "--endpoint", "a b", "--url", "ftp://x", code=2)
    assert "answer.url: no URL of a page" in done.err
    assert "endpoints.'a b': no such name is possible" in done.err
    assert [*folder.iterdir()] == []


def test_a_disk_that_fails_half_way_leaves_nothing(folder):
    (folder / "secrets").write_text("a file where a folder has to be")
    assert command("init", code=2).err == "switchhook: secrets: file exists\n"
    assert [each.name for each in folder.rglob("*") if each.is_file()] == ["secrets"]


def typed(folder: Path, *lines: str) -> tuple[int, str]:
    """What `init` does at a terminal with lines that are typed; its code, and what is seen."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "switchhook", "init"])
    seen = b""
    waiting = list(lines)
    try:
        while True:
            seen += os.read(terminal, 4096)
            # Each question ends like this; the answer to one comes after it.
            if seen.endswith(b": ") and waiting:
                os.write(terminal, waiting.pop(0).encode() + b"\n")
                seen += b"|"
    except OSError:
        pass  # it has ended
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


@pytest.mark.process
def test_at_a_terminal_it_asks_and_asks_again(folder):
    code, seen = typed(
        *(folder, "sales team", "sales", "https://hooks.example.com", "sink", "sync"),
        *("the bot", "people", "acme1", "mars", "singapore", "key1", "token1", ""),
    )
    assert code == 0, seen
    assert "no such name is possible for an endpoint" in seen
    assert "one of: sync, async" in seen
    assert "no such region" in seen
    assert "token1" not in seen
    config = config_in(str(folder / "switchhook.toml"))
    (point,), (account,) = config.endpoints, config.accounts
    assert (point.name, point.destinations.B) == ("sales", "people")
    assert (account.region, account.token and account.token.reveal()) == ("singapore", "token1")
    assert mode(folder / "secrets/exotel-token.txt") == 0o600


@pytest.mark.process
def test_answers_that_end_write_nothing(folder):
    code, seen = typed(folder, "sales", "\x04")
    assert code == 2
    assert "the answers ended before the questions: nothing was written" in seen
    assert [*folder.iterdir()] == []

"""What commands say of what they set by hand, until the answer processes are told of it."""

from __future__ import annotations

import os

import pytest

from switchhook.capacity.facts_file import FactsFile
from switchhook.cli import flag, route, run, told
from switchhook.cli.data import steady_now_ms
from switchhook.config.live import SettingsKeeper
from switchhook.rules.flags import FlagKind, FlagSetting
from switchhook.system.data_folder import DataFolder, boot_id

CONFIG = """
[answer]
listen = "127.0.0.1:8080"
[flags.level]
kind = "number"
default = 3
[endpoints.bots]
kind = "voicebot"
secrets = ["cbcdefghijklmnopqrstuvwxyz0123456789"]
pool = "sales"
[bots.sales.members.a]
url = "wss://a.example.com/x"
[bots.sales.members.b]
url = "wss://b.example.com/x"
"""
NOBODY = "it is kept, and not in force yet: no console runs, which would tell it\n"


class Here:
    """A folder on which programs ran, and what the commands say there."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder / "data", capsys

    def run(self, *words):
        """Exit code, and standard error."""
        code = run([*words, "--reason", "x", "--data", str(self.folder)])
        return code, self._capsys.readouterr().err

    def tell(self, setting):
        """What a console does."""
        facts = FactsFile(self.folder, boot_id())
        facts.tell_flags((setting,), steady_now_ms(self.folder))


@pytest.fixture
def here(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    config = tmp_path / "switchhook.toml"
    config.write_text(CONFIG, encoding="utf-8")
    DataFolder.open(tmp_path / "data", "console").close()
    SettingsKeeper(tmp_path / "data", str(config), environ=os.environ).start()
    return Here(tmp_path, capsys)


def meanwhile(monkeypatch, module, act):
    """Have `act` done once by somebody else between the change and the first look."""
    wait, acts = module.until_told, [act]

    def until_told(*args):
        if acts:
            acts.pop()()
        return wait(*args)

    monkeypatch.setattr(module, "until_told", until_told)


@pytest.mark.parametrize(
    "words", [("flag", "set", "level", "42"), ("route", "weight", "sales/a", "7")]
)
def test_where_no_console_runs_that_is_said(here, words):
    assert here.run(*words) == (1, NOBODY)


def test_it_is_in_force_once_it_is_told(here, monkeypatch):
    meanwhile(monkeypatch, flag, lambda: here.tell(FlagSetting("level", FlagKind.NUMBER, 42)))
    assert here.run("flag", "set", "level", "42") == (0, "")


def test_a_console_that_runs_and_tells_nothing_is_named(here, monkeypatch):
    monkeypatch.setattr(told, "_IN_FORCE_S", 0.0)
    with DataFolder.open(here.folder, "console"):
        code, said = here.run("flag", "set", "level", "42")
    assert code == 1
    assert said.endswith("not in force yet: the console does not tell it; look at its log\n")


@pytest.mark.parametrize(
    ("module", "words", "other", "now"),
    [
        (flag, ("flag", "set", "level", "42"), ("flag", "set", "level", "41"), "level is 41, by "),
        (
            flag,
            ("flag", "set", "level", "42"),
            ("flag", "reset", "level"),
            "level is as it is declared, by ",
        ),
        (
            route,
            ("route", "weight", "sales/a", "7"),
            ("route", "weight", "sales/a", "8"),
            "a of sales has weight 8, by ",
        ),
        (route, ("route", "weight", "sales/a", "7"), ("route", "undo"), "it is over"),
    ],
)
def test_of_two_at_once_the_first_hears_of_the_second(here, monkeypatch, module, words, other, now):
    """What holds by now is said, and not that a console keeps silent about what is over."""
    meanwhile(monkeypatch, module, lambda: here.run(*other))
    code, said = here.run(*words)
    assert code == 1
    assert said.startswith(f"by now {now}")

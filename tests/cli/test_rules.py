"""`switchhook rules`: what is shown of releases, and of rules that wait."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from program import command
from switchhook.config.live import SettingsKeeper
from switchhook.config.released import ReleasedRules
from switchhook.system.data_folder import DataFolder

ONE, TWO = '[default]\noption = "A"\n', '[default]\noption = "B"\n'
CONFIG = '[endpoints.default]\nrules = "default.toml"\n'


@pytest.fixture
def options(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "c.toml").write_text(CONFIG)
    (tmp_path / "default.toml").write_text(ONE)
    return "--config", str(tmp_path / "c.toml"), "--data", str(tmp_path / "data")


def start(tmp_path: Path) -> None:
    DataFolder.open(tmp_path / "data", "answer").close()
    SettingsKeeper(tmp_path / "data", str(tmp_path / "c.toml"), environ={}).start()


def rules(*words: str, options: tuple[str, ...]) -> str:
    return command("rules", *words, *options).out


def test_a_release_is_shown_by_its_number(tmp_path: Path, options: tuple[str, ...]) -> None:
    start(tmp_path)
    ReleasedRules(tmp_path / "data").run("rules/default", TWO, release=12, by="asha")
    assert rules("show", options=options) == TWO
    listed = json.loads(rules("list", "--json", options=options))
    assert (listed["endpoint"], listed["release"], listed["by"]) == ("default", 12, "asha")
    history = [
        json.loads(line) for line in rules("history", "--json", options=options).split("\n")[:-1]
    ]
    assert [(each["number"], each["release"]) for each in history] == [(1, None), (2, 12)]
    table = rules("history", options=options).splitlines()
    assert [line.split()[2] for line in table] == ["RELEASE", "-", "12"]


def test_rules_that_wait_are_not_said_to_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    start(tmp_path)
    (tmp_path / "c.toml").write_text("[endpoints.default]\n# no rules\n")
    start(tmp_path)
    assert "every endpoint has the built-in rules" in command("rules", "list", *options).err
    shown = command("rules", "show", *options)
    assert "has the built-in rules" in shown.err
    assert shown.out != ONE
    told = command("rules", "history", *options)
    assert "its configuration names no file" in told.err
    assert len(told.out.splitlines()) == 2


@pytest.mark.parametrize("words", [("show",), ("history",)])
def test_an_endpoint_that_nobody_has_is_refused(
    tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """Else its rules would be said to be the built-in ones."""
    start(tmp_path)
    done = command("rules", *words, "deflaut", *options, code=2)
    assert done.out == ""
    assert "there is no endpoint 'deflaut' in the configuration (known: default)" in done.err

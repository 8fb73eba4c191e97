"""`switchhook flag`, as somebody types it: beside no program, on a folder where one ran."""

from __future__ import annotations

import json
import os

import pytest

from switchhook.cli import run
from switchhook.config.live import SettingsKeeper
from switchhook.system.data_folder import DataFolder

CONFIG = """
[flags.level]
kind = "number"
default = 3
[flags.day]
kind = "window"
default = { from = "09:00", until = "21:00" }
"""


class Here:
    """A folder on which programs ran, and what the commands say there."""

    def __init__(self, folder, capsys):
        self._folder, self._capsys = folder, capsys
        DataFolder.open(folder / "data", "console").close()
        self.configure(CONFIG)

    def configure(self, text):
        config = self._folder / "switchhook.toml"
        config.write_text(text, encoding="utf-8")
        SettingsKeeper(self._folder / "data", str(config), environ=os.environ).start()

    def said(self, *words):
        """Exit code, standard output and error."""
        code = run(["flag", words[0], "--data", str(self._folder / "data"), *words[1:]])
        return code, *self._capsys.readouterr()

    def refused(self, *words):
        code, out, err = self.said(*words)
        assert (code, out) == (2, "")
        return err.removeprefix("switchhook: ").rstrip("\n")


@pytest.fixture
def here(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return Here(tmp_path, capsys)


def test_the_history_of_a_flag_that_nobody_set_is_empty(here):
    assert here.said("history", "level") == (0, "nobody has set level\n", "")
    assert here.said("history", "level", "--json") == (0, "", "")
    assert here.said("history") == (0, "nobody has set a flag yet\n", "")


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_flag_that_there_never_was_has_no_history(here, more):
    assert here.refused("history", "levle", *more) == (
        "there is no flag 'levle' (did you mean 'level'?)"
    )
    assert here.refused("history", "nosuch", *more) == (
        "there is no flag 'nosuch' (known: level, day)"
    )


def test_a_flag_that_is_declared_no_more_has_its_history(here):
    here.said("set", "level", "7", "--reason", "why not")
    here.configure(CONFIG.replace("level", "levels"))
    code, out, _ = here.said("history", "level", "--json")
    assert (code, json.loads(out)["value"]) == (0, 7)


@pytest.mark.parametrize("digits", [17, 20, 21, 23, 24, 5_000])
def test_a_number_of_any_length_is_refused_and_nothing_is_kept(here, digits):
    for number in ("9" * digits, "-" + "9" * digits):
        said = here.refused("set", "level", "--reason", "x", "--", number)
        hint = "a whole number is less than 2 to the power of 53, either way"
        assert said == f"no such number is possible ({hint})"
    assert here.said("history", "level") == (0, "nobody has set level\n", "")


def test_a_window_is_told_as_it_is_typed(here):
    said = here.refused("set", "day", "9-21", "--reason", "x")
    assert said.startswith(
        "'9' is neither a clock time nor a moment (such as '09:00-21:00' or '09:00-21:00 monday"
    )

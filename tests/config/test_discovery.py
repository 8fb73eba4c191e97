"""Which file is used when none is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchhook.config.discovery import FoundConfig, find_config
from switchhook.errors import ConfigError


@pytest.fixture
def places(tmp_path, monkeypatch) -> tuple[str, str]:
    """One in the folder that a command runs in, and one of the machine."""
    for name in ("here", "etc"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return "switchhook.toml", str(tmp_path / "etc/switchhook.toml")


def test_nothing_is_there(places):
    assert find_config(None, places) == FoundConfig(None)


def test_the_folder_comes_first_and_the_other_is_named(places):
    here, machine = str(Path(places[0]).absolute()), places[1]
    Path(machine).touch()
    assert find_config(None, places) == FoundConfig(machine)
    Path(here).touch()
    assert find_config(None, places) == FoundConfig(here, (machine,))


def test_a_named_file_is_taken_also_where_it_is_missing(places, tmp_path):
    here = Path(places[0]).absolute()
    here.touch()
    named = tmp_path / "elsewhere.toml"
    assert find_config(str(named), places) == FoundConfig(str(named), (str(here),))
    assert find_config("switchhook.toml", places) == FoundConfig(str(here))


def test_the_same_file_by_a_link_is_not_another(places):
    machine = Path(places[1])
    machine.touch()
    Path(places[0]).symlink_to(machine)
    assert find_config(None, places) == FoundConfig(str(Path(places[0]).absolute()))


def test_a_place_that_can_not_be_looked_at_is_refused(places):
    """A name that is too long for the system stands for all that it refuses to say."""
    place = "a" * 300
    with pytest.raises(ConfigError, match="can't look there: file name too long"):
        find_config(None, (place,))
    Path(places[0]).touch()
    assert find_config(None, (*places, place)).file == str(Path(places[0]).absolute())

"""What is found of the operator's files and the data folder."""

from __future__ import annotations

import os

import pytest

from switchhook.config import Config
from switchhook.config.live import SettingsKeeper
from switchhook.doctor.file_queries import (
    check_configuration,
    check_exposure,
    check_folder,
    check_rules,
)
from switchhook.doctor.finding import Level
from switchhook.system.data_folder import DataFolder

OK, WARN, FAIL, UNCHECKED = Level.OK, Level.WARN, Level.FAIL, Level.UNCHECKED
SECRET = "hV3pJ0uYw-8QkT3nXb5sZr8L"
TEXT = f'data = "data"\n[endpoints.sales]\nsecrets = ["{SECRET}"]\nrules = "r.toml"\n'


@pytest.fixture
def place(tmp_path):
    (tmp_path / "r.toml").write_text('[default]\noption = "A"\n')
    file = tmp_path / "c.toml"
    file.write_text(TEXT)
    file.chmod(0o600)
    DataFolder.open(tmp_path / "data", "answer").close()
    SettingsKeeper(tmp_path / "data", str(file), environ={}).start()
    return tmp_path


def looked(place):
    return check_configuration(str(place / "c.toml"), place / "data", {})


def test_a_configuration_that_checks_out_and_runs(place):
    candidate, found = looked(place)
    assert candidate is not None
    assert [each.level for each in found] == [OK]
    assert check_configuration(None, place, {})[1][0].level is OK


@pytest.mark.parametrize(
    ("text", "levels", "said"),
    [
        (TEXT + "[answr]\n", [FAIL], "answr"),
        (TEXT + "mode = 1\nfoo = 2\n", [FAIL, FAIL], "foo"),
        (TEXT + "# another remark\n", [WARN], "something else than runs"),
        (None, [FAIL], "can't be read"),
    ],
)
def test_one_that_does_not(place, text, levels, said):
    file = place / "c.toml"
    file.unlink() if text is None else file.write_text(text)
    candidate, found = looked(place)
    assert [each.level for each in found] == levels, found
    assert any(said in each.said for each in found)
    assert (candidate is None) is (FAIL in levels)


def test_rules(place):
    candidate, _ = looked(place)
    assert candidate is not None
    assert [each.level for each in check_rules(place / "data", candidate.config)] == [OK]
    (place / "r.toml").write_text('[default]\noption = "C"\n')
    (refused,) = check_rules(place / "data", candidate.config)
    assert (refused.level, "r.toml" in refused.said) == (FAIL, True)
    (place / "r.toml").write_text('[default]\noption = "B"\n')
    assert [each.level for each in check_rules(place / "data", candidate.config)] == [WARN]
    keeper = SettingsKeeper(place / "data", str(place / "c.toml"), environ={})
    keeper.start()
    keeper.undo("sales", "asha")
    (undone,) = check_rules(place / "data", candidate.config)
    assert (undone.level, undone.todo.startswith("change the file")) == (WARN, True), undone


def test_a_file_with_secrets_that_others_may_read_is_told_with_what_mends_it(place):
    candidate, _ = looked(place)
    assert [each.level for each in check_exposure(candidate, place / "data", Config())] == [OK]
    (place / "c.toml").chmod(0o644)
    (found,) = check_exposure(candidate, place / "data", Config())
    assert found.level is WARN
    assert found.todo.startswith("chmod 600 ")
    assert "everybody" in found.said


def test_the_data_folder(place):
    (found,) = check_folder(place / "data")
    assert found.level is OK
    (found,) = check_folder(place / "nowhere")
    assert (found.level, "serve" in found.todo) == (UNCHECKED, True)
    (place / "data/identity.json").write_text("{")
    (found,) = check_folder(place / "data")
    assert (found.level, "backup" in found.todo) == (FAIL, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_in_it_is_told(place):
    os.chown(place / "data/identity.json", 65_534, 65_534)
    (found,) = check_folder(place / "data")
    assert (found.level, "identity.json" in found.said) == (FAIL, True)
    assert "chown -R" in found.todo

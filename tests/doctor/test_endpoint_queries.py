"""Rules files beside what runs, the ages of secrets, and what was asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kept_receipts import START_MS, Kept, query, receipt
from switchhook.config import load_config
from switchhook.config.live import SettingsKeeper
from switchhook.config.released import ReleasedRules
from switchhook.doctor.endpoint_queries import (
    HOUR_MS,
    Asked,
    ages_s,
    rules_state,
    secret_files,
    traffic,
)
from switchhook.journal.receipt import RecordKind, encode
from switchhook.system.data_folder import DataFolder

RULES = '[default]\noption = "A"\n'
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def place(tmp_path):
    """A data folder, and a configuration whose rules it took over."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/one.txt").write_text(SECRET + "\n")
    (tmp_path / "sales.toml").write_text(RULES)
    file = tmp_path / "c.toml"
    file.write_text(
        'data = "data"\n[endpoints.sales]\nrules = "sales.toml"\n'
        'secret_files = ["secrets/one.txt"]\n[endpoints.other]\n'
    )
    DataFolder.open(tmp_path / "data", "answer").close()
    SettingsKeeper(tmp_path / "data", str(file), environ={}).start()
    return tmp_path


def sales(place):
    config = config_of(place)
    return config, config.endpoint("sales")


def config_of(place):
    file = place / "c.toml"
    return load_config(
        file.read_bytes(),
        file=str(file),
        environ={},
        read_file=lambda path: Path(path).read_bytes(),
    )


@pytest.mark.parametrize(
    ("text", "state", "problem"),
    [
        (RULES, "in force", ""),
        (RULES.replace("A", "B"), "changed", "rules show sales"),
        ('[default]\noption = "C"\n', "refused", "sales.toml"),
        (None, "missing", "no such file"),
    ],
)
def test_a_rules_file_stands_beside_what_runs(place, text, state, problem):
    file = place / "sales.toml"
    file.unlink() if text is None else file.write_text(text)
    found = rules_state(place / "data", *sales(place))
    assert found.state == state
    assert problem in found.problem


def test_rules_that_run_and_can_not_be_what_was_meant_are_in_force_all_the_same(place):
    doubtful = '[[rule]]\nname = "x"\nwhen = "local.hour > 30"\noption = "B"\n' + RULES
    (place / "sales.toml").write_text(doubtful)
    SettingsKeeper(place / "fresh", str(place / "c.toml"), environ={}).start()
    found = rules_state(place / "fresh", *sales(place))
    assert (found.state, "local.hour" in found.problem) == ("in force", True), found
    assert rules_state(place / "data", *sales(place)).state == "changed"


def test_what_was_undone_is_said_while_the_file_still_holds_it(place):
    keeper = SettingsKeeper(place / "data", str(place / "c.toml"), environ={})
    (place / "sales.toml").write_text(RULES.replace("A", "B"))
    keeper.start()
    keeper.undo("sales", "asha")
    found = rules_state(place / "data", *sales(place))
    assert (found.state, found.problem) == (
        "undone",
        f"{place / 'sales.toml'} still holds what was undone",
    )
    (place / "sales.toml").write_text(RULES.replace("A", "B") + "# mended\n")
    assert rules_state(place / "data", *sales(place)).state == "changed"


def test_a_release_is_said_while_the_file_holds_something_else(place):
    SettingsKeeper(place / "data", str(place / "c.toml"), environ={}).start()
    released = ReleasedRules(place / "data")
    released.run("rules/sales", RULES + "# released\n", release=4, by="asha")
    found = rules_state(place / "data", *sales(place))
    assert (found.state, "than release 4, which runs" in found.problem) == ("released", True)
    (place / "sales.toml").write_text(RULES + "# released\n")
    assert rules_state(place / "data", *sales(place)).state == "in force"
    released.run("rules/other", RULES, release=5, by="asha")
    config = config_of(place)
    found = rules_state(place / "data", config, config.endpoint("other"))
    assert (found.state, found.problem) == ("released", "")


def test_without_a_file_they_are_built_in_and_a_new_one_was_not_taken_over(place, tmp_path):
    config = config_of(place)
    assert rules_state(place / "data", config, config.endpoint("other")).state == "built-in"
    found = rules_state(tmp_path / "nowhere", config, config.endpoint("sales"))
    assert (found.state, "not taken over" in found.problem) == ("changed", True)


def test_secrets_are_as_old_as_their_files(place):
    files = secret_files(config_of(place))
    assert files == {"sales": (place / "secrets/one.txt",), "other": ()}
    os.utime(place / "secrets/one.txt", (1000, 1000))
    assert ages_s((*files["sales"], place / "gone.txt"), 1060) == (60,)


def test_the_last_hour_is_counted_by_endpoint_and_tests_are_left_out(tmp_path):
    kept = Kept(tmp_path / "journal")
    sales = [receipt(endpoint="sales")] * 3
    kept.keep(*sales, receipt(query(status="failed"), endpoint="sales"), receipt())
    now_ms = START_MS + 10_000
    kept.record(RecordKind.TEST, encode(receipt(endpoint="sales", test="0" * 16)))
    kept.close()
    found = traffic(tmp_path, now_ms, lambda: False)
    assert found.since_ms is None
    assert {name: (each.requests, each.to_b) for name, each in found.endpoints.items()} == {
        "sales": (4, 1),
        "default": (1, 0),
    }
    assert traffic(tmp_path, now_ms + 2 * HOUR_MS, lambda: False).endpoints == {}
    assert traffic(tmp_path, now_ms, lambda: True).since_ms is not None
    assert Asked() == Asked(0, 0, None)

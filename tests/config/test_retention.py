"""`[keep]`: days by class, 0 for ever, and nothing by mistake."""

from __future__ import annotations

import pytest

from switchhook.config import load_config
from switchhook.config.retention import limits_in
from switchhook.config.values import ConfigProblems
from switchhook.errors import ConfigError
from switchhook.retention.policy import RetentionLimits


def load(text):
    return load_config(text, file="s.toml", environ={}, read_file=lambda _: b"").keep


def test_without_a_word_a_year_and_a_month_is_kept():
    assert load("data = 'd'") == RetentionLimits() == RetentionLimits(400, 400, 400, 400, 800, 800)


def test_each_class_has_its_days():
    text = """
[keep]
raw_days = 1
stories_days = 2
call_details_days = 3
alerts_days = 4
capacity_days = 5
audit_days = 0
promises_days = 6
"""
    assert load(text) == RetentionLimits(1, 2, 3, 4, 5, 0, 6) == limits_in(text, "s.toml")


@pytest.mark.parametrize(
    "line, said",
    [
        ("raw_days = -1", "s.toml: keep.raw_days: -1 is out of bounds (0 to 36,500)"),
        ("raw_days = 36501", "out of bounds"),
        ("raw_days = 1.5", "not a whole number"),
        ("raw_days = true", "not a whole number"),
        ('raw_days = "30"', "not a whole number"),
        ("raw_day = 30", "unknown key 'raw_day' (did you mean raw_days?"),
    ],
)
def test_what_is_no_limit_is_refused(line, said):
    with pytest.raises(ConfigProblems) as refused:
        load(f"[keep]\n{line}\n")
    assert said in str(refused.value)
    with pytest.raises(ConfigError) as alone:
        limits_in(f"[keep]\n{line}\n", "s.toml")
    assert said in str(alone.value)


def test_what_is_no_toml_is_refused():
    with pytest.raises(ConfigError, match="it is not TOML"):
        limits_in("[keep", "s.toml")


AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA a@b"


def test_whom_backups_are_encrypted_to():
    assert load("[keep]").encrypt_backups_to == ()
    assert load(f'[keep]\nencrypt_backups_to = ["{AGE}", "{SSH}"]').encrypt_backups_to == (AGE, SSH)


@pytest.mark.parametrize(
    "said", ['["asha"]', '["AGE-SECRET-KEY-1ABC"]', f'"{AGE}"', f'["{AGE}x"]', '[""]', "[1]"]
)
def test_who_is_no_recipient_is_refused(said):
    with pytest.raises(ConfigProblems) as caught:
        load(f"[keep]\nencrypt_backups_to = {said}")
    assert "keep.encrypt_backups_to" in str(caught.value)

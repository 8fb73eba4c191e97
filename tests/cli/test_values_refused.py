"""What is said of a value that begins with `-` and was taken for an option: how it is written."""

from __future__ import annotations

import pytest

from switchhook.cli import run

BEHIND = 'A value that begins with "-" stands at the end, behind "--": -- '
JOINED = 'A value that begins with "-" is joined to its option: '


@pytest.fixture
def said(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def said(*words):
        with pytest.raises(SystemExit) as ended:
            run(words)
        assert ended.value.code == 2
        return " ".join(capsys.readouterr().err.replace("│", " ").split())

    return said


@pytest.mark.parametrize(
    ("words", "how"),
    [
        (("flag", "set", "x", "-5%", "--reason", "y"), f"Unknown option: -5%. {BEHIND}-5%"),
        (("release", "canary", "-5%"), f"Unknown option: -5%. {BEHIND}-5%"),
        (("check", "--against", "-5h"), f"{JOINED}--against=-5h"),
        (("flag", "set", "x", "--reason", "-5%"), f"{JOINED}--reason=-5%"),
        (("route", "out", "a", "--reason", "x", "--for", "-5m"), f"{JOINED}--for=-5m"),
    ],
)
def test_how_a_value_is_written_that_looks_like_an_option(said, words, how):
    assert how in said(*words)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("flag", "set", "x", "5", "--resaon", "z"), "Unknown option: --resaon. Did you mean"),
        (("flag", "set", "x", "5", "--reason"), "parameter --reason requires an argument."),
        (("flag", "set", "x", "--reason", "--for"), "parameter --reason requires an argument."),
        (("route", "undo", "-x"), "Unknown option: -x."),
        (("flag", "set"), 'Command "flag set" parameter'),
    ],
)
def test_what_is_an_option_is_refused_as_ever(said, words, problem):
    told = said(*words)
    assert problem in told
    assert "A value that begins" not in told


def test_a_value_written_so_is_read_as_one(capsys, tmp_path):
    """It gets as far as what is wrong with it."""
    (tmp_path / "s.toml").write_text('[answer]\nlisten = "127.0.0.1:0"\n')
    assert run(["check", str(tmp_path / "s.toml"), "--against=-5h"]) == 2
    assert "not a length of time: '-5h'" in capsys.readouterr().err

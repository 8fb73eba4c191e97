"""The system's clock steps under the real program, and nothing comes of it but that it is told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from faketime import FakeTime
from program import Program, running, until

HOUR, DAY = 3600, 86_400
FAILED = (
    "CallSid={0}&Stream[StreamSID]={0}&Stream[Status]=failed&Stream[Error]=3009+dial+tcp:+refused"
)


@pytest.fixture
def clock(tmp_path, monkeypatch):
    found = FakeTime(tmp_path)
    for name, value in found.environ.items():
        monkeypatch.setenv(name, value)
    return found


def config_of(folder: Path, rules: str = "", more: str = "") -> str:
    (folder / "rules.toml").write_text(f'{rules}\n[default]\noption = "A"\n')
    config = folder / "switchhook.toml"
    config.write_text(f'[endpoints.default]\nrules = "{folder}/rules.toml"\n{more}')
    return str(config)


def answered(program: Program, name: str) -> str:
    """Ask, and give the rule that answered."""
    program.ask(f"CallSid={name}&From=09876543210")
    return until(lambda: _rule_of(program, name), "the receipt")


def _rule_of(program: Program, name: str) -> str | None:
    found = program.receipts(call_sid=name)
    return str(found[0]["decision"]["rule"]) if found else None


def test_a_step_of_nine_hours_and_back_changes_nothing(clock, tmp_path):
    """Callers are decided by the hour that the clock says, at once and after a restart."""
    ist = datetime.now(UTC) + timedelta(hours=5.5 + 9)
    hours = f"local.hour == {ist.hour} || local.hour == {(ist.hour + 1) % 24}"
    config = config_of(tmp_path, f'[[rule]]\nname = "later"\nwhen = "{hours}"\noption = "B"\n')
    with running(tmp_path / "data", "--config", config) as program:
        assert answered(program, "c1") == "default"
        clock.step(9 * HOUR)
        until(lambda: _told(program, "is still off"), "the step to be told")
        assert answered(program, "c2") == "later"
        clock.step(0)
        until(lambda: _told(program, ", for "), "its end to be told")
        assert answered(program, "c3") == "default"
        received = [each["received_at"] for each in reversed(program.receipts())]
        assert received[1] > received[2] > received[0], "times are kept as they were"
        assert [each["call_sid"] for each in program.receipts(since="1h")] == ["c3", "c2", "c1"]
        assert program.api("receipts", since="1h", until="30m")["receipts"] == []
    with running(tmp_path / "data", "--config", config) as program:
        assert answered(program, "c4") == "default"
        assert len(program.receipts()) == 4


def _told(program: Program, words: str) -> bool:
    """Whether both sides and the verdict tell of the clock in these words."""
    said = [*program.health()["problems"], *program.health("console")["problems"]]
    verdict = program.api("verdict")
    told = [verdict["what"], *verdict["more"]]
    clocks = [text for text in said if "clock stepped" in text and words in text]
    return len(clocks) == 2 and any("clock stepped" in text and words in text for text in told)


def test_nothing_is_well_while_everything_fails(clock, tmp_path):
    """Neither while the clock is off nor after it, however far; no stream is from another day."""
    with running(tmp_path / "data", "--config", config_of(tmp_path)) as program:
        failed = 0

        def fail(calls: int) -> None:
            nonlocal failed
            for _ in range(calls):
                program.ask(FAILED.format(f"c{failed}"))
                failed += 1

        fail(8)
        until(lambda: program.api("verdict")["level"] == "bad", "the failure to be seen")
        for off_s in (2 * DAY, -2 * DAY, 500 * DAY, -20_000 * DAY):
            clock.step(off_s)
            until(lambda: _clock_told(program), "the step to be told")
            for _ in range(8):
                fail(1)
                verdict = program.api("verdict")
                assert verdict["level"] == "bad", verdict
            until(lambda: _failed(program) == failed, "all of them to be counted now")
            clock.step(0)
            fail(1)
            until(lambda: _failed(program) == failed, "the last of them to be counted")
            until(partial(_all_failed, program, failed), "a count of them")
            assert program.api("verdict")["level"] == "bad"
        assert len(program.api("streams", since="1h", limit=100)["streams"]) == failed


def _all_failed(program: Program, calls: int) -> bool:
    return f"{calls} of {calls}" in program.api("verdict")["what"]


def _clock_told(program: Program) -> bool:
    verdict = program.api("verdict")
    told = (verdict["what"], *verdict["more"])
    return any("clock stepped" in text and "is still off" in text for text in told)


def _failed(program: Program) -> int:
    return int(program.api("now")["failed"]["failed"])


def test_retention_removes_nothing_by_a_clock_that_is_wrong(clock, tmp_path):
    """Not when it steps, and not after a restart in which it was wrong from the start."""
    config = config_of(tmp_path, more="[keep]\nraw_days = 30\nstories_days = 30\n")
    with running(tmp_path / "data", "--config", config) as program:
        assert answered(program, "c1") == "default"
        clock.step(500 * DAY)
        until(lambda: _told(program, "is still off"), "the step to be told")
        assert answered(program, "c2") == "default"
    with running(tmp_path / "data", "--config", config) as program:
        assert answered(program, "c3") == "default"
        until(lambda: program.api("keeping")["running"], "retention to run")
        time.sleep(0)
        assert [each["call_sid"] for each in program.receipts()] == ["c3", "c2", "c1"]

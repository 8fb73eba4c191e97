"""The log: one line for each thing said, with nothing in it that it must not hold."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from program import running, until
from switchhook.journal import JournalEvent
from switchhook.system.logs import JsonLines, TextLines, safe, set_up

NUMBER = "+919876543210"
LOG = logging.getLogger("switchhook.test_logs")


@pytest.fixture
def said():
    """What is said from now on; the log is as it was afterwards."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()

    def begin(**how: Any) -> io.StringIO:
        set_up(stream=stream, **how)
        return stream

    yield begin
    root.handlers[:], root.level = before, level


def fail(why: str) -> None:
    """Log an error that says why."""
    try:
        raise ValueError(why)  # noqa: TRY301
    except ValueError:
        LOG.exception("it failed")


def test_a_line_of_json_says_when_who_and_what(said):
    stream = said(json=True)
    LOG.warning("%d waits", 7, extra={"endpoint": "sales", "count": 3, "ok": True, "none": None})
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "switchhook.test_logs",
        "message": "7 waits",
        "fields": {"endpoint": "sales", "count": 3, "ok": True, "none": None},
    }


def test_an_error_is_one_line_too(said):
    stream = said(json=True)
    fail(f"{NUMBER}\nand more")
    (line,) = stream.getvalue().splitlines()
    error = json.loads(line)["error"]
    assert error["type"] == "ValueError"
    assert error["trace"][0].startswith("Traceback")
    assert NUMBER not in line


def test_a_line_of_text_is_for_people(said):
    stream = said()
    LOG.info("%s came", "it")
    assert stream.getvalue().endswith(" INFO switchhook.test_logs: it came\n")


def test_the_least_that_is_said_is_the_level(said):
    stream = said(level="error")
    LOG.warning("no")
    LOG.error("yes")
    assert stream.getvalue().count("\n") == 1


def test_set_up_again_it_says_everything_once(said):
    stream = said(json=True)
    stream = said(json=True)
    LOG.error("once")
    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize("json_", [False, True])
@pytest.mark.parametrize("number", [NUMBER, "09876543210", "9876543210", "+6581234567"])
def test_no_line_holds_a_number(said, json_, number):
    stream = said(json=json_)
    LOG.error("from %s", number, extra={"to": number, "raw": int(number)})
    fail(number)
    assert number not in stream.getvalue()
    assert number.lstrip("+0") not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    ["receipt 1234567 was kept 20 ms late", "at 1795000000000",
     "journal/00000000000000000123.sqlite", "127.0.0.1:8080", "20,000 records", "process 4194303",
     "d3b07384d113edec49eaa6238ad5ff00"],
)  # fmt: skip
def test_what_is_no_number_is_left_alone(text):
    assert safe(text) == text


@pytest.mark.parametrize("json_", [False, True])
def test_a_name_that_people_copy_is_whole_and_the_number_beside_it_is_not(said, json_):
    """As an argument, in what failed, and as a field."""
    stream = said(json=json_)
    name = "00000000000012345678.sqlite"
    event = JournalEvent("abandoned", name, f"from {NUMBER}")
    LOG.error("journal: %s", event, extra={"file": f"journal/{name}-wal"})
    fail(f"{name} of {NUMBER}, and 81234567")
    text = stream.getvalue()
    assert text.count(name) == (3 if json_ else 2)
    assert f"(segment {name}): from +91" in text
    assert NUMBER not in text
    assert "81234567" not in text


@given(st.text(max_size=80))
def test_nothing_acts_in_a_terminal_or_begins_another_line(text):
    for formatter in (TextLines("%(message)s"), JsonLines()):
        line = formatter.format(
            logging.makeLogRecord({"msg": text.replace("%", "%%"), "name": "x"})
        )
        assert line.isprintable() or not any(
            ord(each) < 0xA0 and not each.isprintable() for each in line
        )
        assert len(line.splitlines()) <= 1
        assert "\u202e" not in line
        line.encode()


@pytest.mark.process
def test_the_programs_log_as_the_configuration_says(tmp_path):
    """Also when it changes while they run."""
    config = tmp_path / "switchhook.toml"
    config.write_text('[log]\nformat = "json"\n')
    with running(tmp_path / "data", "--config", str(config), command="answer") as program:
        config.write_text('[log]\nformat = "json"\n[answer]\nmax_connections = 100\n')
        until(lambda: "taken over" in program.said, "the new configuration")
        for line in program.said.splitlines():
            assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
        config.write_text('[log]\nformat = "text"\n')
        until(lambda: program.said.count("taken over") == 2, "the next")
        config.write_text('[log]\nformat = "text"\nlevel = "warning"\n')
        until(lambda: " WARNING switchhook: config is taken over" in program.said, "text")


@pytest.mark.process
def test_all_of_serve_logs_in_one_form(tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text('[log]\nformat = "json"\n')
    with running(tmp_path / "data", "--config", str(config)) as program:
        children = program.children()
        os.kill(children["console"], signal.SIGKILL)
        until(lambda: program.children().get("console", 0) not in (0, children["console"]), "a new")
        until(lambda: "started again" in program.said, "what the supervisor says")
    loggers = {json.loads(line)["logger"] for line in program.said.splitlines()}
    assert {"switchhook", "switchhook.supervisor"} <= loggers


@pytest.mark.process
def test_an_application_that_mounts_the_answer_side_keeps_its_own_log(tmp_path):
    code = (
        "import asyncio, logging, switchhook as s\n"
        "from switchhook.config import Config\n"
        "app = s.answer_app(Config(data='data'))\n"
        "async def receive(): return {'type': 'http.request'}\n"
        "async def send(message): pass\n"
        "scope = {'type': 'http', 'method': 'GET', 'path': '/passthru/default', 'headers': [],\n"
        "         'query_string': b'CallSid=c1'}\n"
        "async def ask():\n"
        "    await app(scope, receive, send)\n"
        "    await app.aclose()\n"
        "asyncio.run(ask())\n"
        "print(logging.getLogger().handlers)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"

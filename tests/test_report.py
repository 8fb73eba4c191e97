"""The bot's side of reports: it never waits, never raises, and counts what it drops."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from patience import PATIENCE_S
from switchhook import report as report_module
from switchhook.journal.bot_report import LONGEST_EVENT, BotEvent, read, split
from switchhook.report import MOST_AT_ONCE, Reporter

FILE = Path(report_module.__file__)


class Hook(HTTPServer):
    """A server that notes what comes, and answers with the next of `statuses`, the last again."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.statuses = [200]
        self.may_answer = threading.Event()
        self.may_answer.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                hook.may_answer.wait(PATIENCE_S)
                status = hook.statuses.pop(0) if len(hook.statuses) > 1 else hook.statuses[0]
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/report/sales/secret"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for body in self.bodies for event in json.loads(body)]

    def close(self) -> None:
        self.may_answer.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


def test_a_streams_life_is_reported_in_the_form_that_the_receiver_reads(hook: Hook) -> None:
    reporter = Reporter(hook.url)
    stream = reporter.stream("c1", "s1")
    for tell in (stream.started, stream.first_in, stream.first_in, stream.first_out):
        tell()
    stream.error("the model did not answer")
    stream.ended(by="bot")
    assert reporter.flush(PATIENCE_S)
    reports = [
        report
        for body in hook.bodies
        for raw in split(body)[0]
        if (report := read(raw)) is not None
    ]
    assert [each.event for each in reports] == [
        BotEvent.STARTED,
        BotEvent.FIRST_IN,
        BotEvent.FIRST_OUT,
        BotEvent.ERROR,
        BotEvent.ENDED,
    ]
    assert {(each.call_sid, each.stream_sid, each.defects) for each in reports} == {
        ("c1", "s1", ())
    }
    assert all(abs((each.at_us or 0) / 1e6 - time.time()) < 60 for each in reports)
    assert (reports[-1].by, reports[3].error) == ("bot", "the model did not answer")
    assert (reporter.delivered, reporter.dropped, reporter.problem) == (5, 0, "")
    reporter.close()


def test_nobody_waits_while_the_receiver_hangs_and_what_is_too_much_is_counted(hook: Hook) -> None:
    hook.may_answer.clear()
    reporter = Reporter(hook.url, most_queued=50)
    for number in range(5_000):
        reporter.send("started", f"c{number}")
    assert reporter.dropped >= 5_000 - 50 - MOST_AT_ONCE
    hook.may_answer.set()
    assert reporter.flush(PATIENCE_S)
    assert reporter.delivered + reporter.dropped == 5_000
    reporter.close()


def test_what_was_not_kept_is_sent_again_in_its_order(hook: Hook) -> None:
    hook.statuses = [503, 429, 200]
    reporter = Reporter(hook.url)
    reporter.send("started", "c1")
    assert reporter.flush(PATIENCE_S)
    assert [each["call_sid"] for each in hook.events] == ["c1"] * 3
    assert (reporter.delivered, reporter.dropped) == (1, 0)
    reporter.close()


@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_is_refused_is_dropped_and_said(hook: Hook, status: int) -> None:
    hook.statuses = [status]
    reporter = Reporter(hook.url)
    reporter.send("started", "c1")
    assert reporter.flush(PATIENCE_S)
    assert (reporter.delivered, reporter.dropped) == (0, 1)
    assert reporter.problem == f"answered with {status}"
    reporter.close()
    assert reporter.send("ended", "c1") is False


def test_a_receiver_that_is_not_there_costs_nothing_but_the_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(report_module, "GIVE_UP_S", 0.0)
    reporter = Reporter("http://127.0.0.1:9/report/sales")
    reporter.send("started", "c1")
    assert reporter.flush(PATIENCE_S)
    assert (reporter.delivered, reporter.dropped) == (0, 1)
    assert reporter.problem == "ConnectionRefusedError"
    reporter.close(0)


def test_the_secret_is_in_no_text_of_it(hook: Hook) -> None:
    assert "secret" not in repr(Reporter(hook.url))
    with pytest.raises(ValueError, match="https") as found:
        Reporter("ftp://host/secret")
    assert "secret" not in str(found.value)


def test_whatever_is_handed_over_nothing_is_raised(hook: Hook) -> None:
    class Odd:
        def __str__(self) -> str:
            raise LookupError

    reporter = Reporter(hook.url)
    assert reporter.send("error", Odd()) is False  # type: ignore[arg-type]
    assert reporter.send("error", "c1", error="x" * 100_000) is True
    assert reporter.flush(PATIENCE_S)
    assert (len(hook.events[0]["error"]), reporter.dropped) == (500, 1)
    reporter.close()


def test_it_is_used_from_asyncio_without_holding_the_loop(hook: Hook) -> None:
    hook.may_answer.clear()
    reporter = Reporter(hook.url)

    async def serve() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        streams = [reporter.stream(f"c{number}") for number in range(200)]
        await asyncio.gather(*(asyncio.to_thread(each.started) for each in streams[:50]))
        for each in streams:
            each.started()
        return loop.time() - began

    assert asyncio.run(serve()) < 5
    hook.may_answer.set()
    assert reporter.flush(PATIENCE_S)
    assert sorted(each["call_sid"] for each in hook.events) == sorted(
        f"c{number}" for number in range(200)
    )
    reporter.close()


@pytest.mark.process
def test_it_needs_the_standard_library_alone_and_sends_at_the_end(hook: Hook) -> None:
    """By itself, copied into a bot that has nothing else; a fork begins anew."""
    code = f"""
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("report", {str(FILE)!r})
report = importlib.util.module_from_spec(spec)
sys.modules["report"] = report
spec.loader.exec_module(report)
reporter = report.Reporter({hook.url!r})
reporter.send("started", "parent")
if os.fork() == 0:
    reporter.send("started", "child")
    reporter.flush({PATIENCE_S})
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env={"PATH": os.environ["PATH"]},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(each["call_sid"] for each in hook.events) == ["child", "parent"]


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (("barged_in", "c1"), "there is no event 'barged_in'"),
        (("", "c1"), "there is no event ''"),
        (("started", ""), "an event has neither call_sid nor stream_sid"),
        (("started", " ", " "), "an event has neither call_sid nor stream_sid"),
    ],
)
def test_what_the_receiver_would_refuse_is_dropped_at_once(said, problem) -> None:
    reporter = Reporter("http://127.0.0.1:9/report/sales/x")
    assert reporter.send(*said) is False
    assert (reporter.dropped, reporter.problem.startswith(problem)) == (1, True)
    reporter.close(0)


@pytest.mark.parametrize("text", ["\0" * 5000, "\U0001f600" * 5000, "\ud800" * 500, "x" * 5000])
@pytest.mark.parametrize("now_s", [0.0, 1_795_000_000.0, 99_999_999_999.0])
def test_whatever_is_said_the_receiver_understands_it(text, now_s) -> None:
    said = {"call_sid": "c1" + text, "stream_sid": text, "event": "error", "error": text}
    whole, problem = report_module._event(said, now_s)
    assert problem == "" or "more than" in problem
    if not problem:
        (raw,), refused = split(json.dumps([whole]).encode())
        assert (refused, len(raw) <= LONGEST_EVENT) == ("", True)
        assert ("at" in whole) is (now_s == 1_795_000_000.0)

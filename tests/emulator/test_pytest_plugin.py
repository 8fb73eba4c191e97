"""The `exotel` fixture, as tests use it; docs/testing.md's examples run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from switchhook.emulator.flow import Flow, Gather, Hangup, Passthru
from switchhook.emulator.in_tests import NotAimedError

PAGE = Path(__file__).parents[2] / "docs/testing.md"


class Server:
    def __init__(self, status=200):
        self.status = status
        self.queries = []

    async def __call__(self, scope, receive, send):
        self.queries.append(scope["query_string"].decode())
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def run_pytest(folder, text):
    (folder / "test_it.py").write_text(text)
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, cwd=folder
    )
    return done.returncode, done.stdout


def test_the_examples_of_the_page_run_as_they_stand(tmp_path):
    fences = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code, said = run_pytest(tmp_path, "\n".join(fences))
    assert code == 0, said
    assert "4 passed" in said


def test_what_the_app_raises_is_in_the_failure(tmp_path):
    text = """
async def app(scope, receive, send):
    raise ValueError("the handler is broken")

def test_it(exotel):
    exotel.passthru(app)
    call = exotel.call()
    assert call.option == "A"
"""
    code, said = run_pytest(tmp_path, text)
    assert code == 1
    assert "ValueError: the handler is broken" in said
    assert "voicebot “bot”" in said


def test_it_leaves_nothing_behind(exotel):
    server = Server()
    exotel.passthru(server)
    running = exotel.call()
    threads = threading.active_count()
    exotel.close()
    assert running.trace[-1]["what"] == "ended"
    assert threading.active_count() == threads - 1


def test_it_starts_at_once_and_a_long_talk_is_short(exotel):
    exotel.passthru(Server())
    began = time.monotonic()
    call = exotel.call(hangs_up_after=600)
    exotel.bot("wss://bot.example.com/bot/talk")
    long = exotel.call(hangs_up_after=90).wait()
    assert call.stream["DisconnectedBy"] == "bot"
    assert long.stream["Duration"] in ("89", "90")
    assert time.monotonic() - began < 30


def test_time_stands_still_while_the_test_thinks(exotel):
    server = Server()
    exotel.flow(
        Flow(
            first="digits",
            applet={
                "digits": Gather(next="told", wait_s=60),
                "told": Passthru(url="https://passthru.example.com/p", a="end", b="end"),
                "end": Hangup(),
            },
        )
    )
    exotel.passthru(server)
    call = exotel.call()
    exotel.clock.advance(3)
    assert exotel.clock.now() == pytest.approx(3)
    call.press("42#")
    assert call.passthrus[0].parameters["digits"] == '"42"'
    assert exotel.clock.now() == pytest.approx(3, abs=0.2)


def test_faults_and_behaviours(exotel):
    server = Server(302)
    exotel.passthru(server)
    exotel.fault("bot-refused", count=2)  # it is dialled once more
    assert exotel.call().stream["Status"] == "failed"
    exotel.behave(dialect="json")
    call = exotel.call(from_="+919811100001")
    assert call.stream["Status"] == "completed"
    assert call.passthrus[0].parameters["Stream"].startswith('{"StreamSID":')
    assert call.passthrus[0].parameters["CallFrom"] == "09811100001"
    assert call.option == "B"


def test_a_caller_hangs_up_in_the_middle(exotel):
    exotel.passthru(Server())
    exotel.bot("wss://bot.example.com/bot/talk")
    call = exotel.call()
    exotel.clock.advance(5)
    assert exotel.account.active == 1
    call.hang_up()
    assert call.stream["DisconnectedBy"] == "user"
    assert exotel.account.active == 0


def test_a_scenario_that_fails_tells_its_story(exotel):
    exotel.passthru(Server(200))
    exotel.scenario("bot-done")
    with pytest.raises(AssertionError, match="302 was due"):
        exotel.scenario("bot-crash")


def test_a_call_without_an_aim_says_so(exotel):
    with pytest.raises(NotAimedError, match=r"exotel\.passthru"):
        exotel.call()


@pytest.mark.exotel(real_time=True)
def test_real_time_is_real(exotel):
    exotel.passthru(Server())
    began = time.monotonic()
    exotel.call(hangs_up_after=0.5).wait()
    assert time.monotonic() - began > 0.4


def test_the_plugin_costs_others_nothing():
    code = (
        "import sys, switchhook.pytest_plugin; print([m for m in sys.modules if 'emulator' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

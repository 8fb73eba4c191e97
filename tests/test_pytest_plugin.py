"""The `exotel` fixture, as tests use it; docs/testing.md's examples run as they stand."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import httpx2
import pytest
from flask import Flask
from websockets.sync.server import serve

from patience import PATIENCE_S
from switchhook.emulator.plan.flow import Flow, Gather, Hangup, Passthru, Voicebot
from switchhook.emulator.plan.plan import Account, Caller, Fault, Plan
from switchhook.emulator.testing import (
    ClosedError,
    Exotel,
    HangsError,
    NotAimedError,
    UnknownScenarioError,
)
from switchhook.errors import ConfigError

PAGE = Path(__file__).parents[1] / "docs/testing.md"


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
    slow_to_load = ("cacheprovider", "xdist", "schemathesis", "hypothesispytest")
    words = ["-q", *(word for name in slow_to_load for word in ("-p", f"no:{name}")), str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], capture_output=True, text=True, cwd=folder
    )
    return done.returncode, done.stdout


@pytest.mark.process
def test_the_examples_of_the_page_run_as_they_stand(tmp_path):
    fences = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code, said = run_pytest(tmp_path, "\n".join(fences))
    assert code == 0, said
    assert "7 passed" in said


BROKEN = {
    "asgi": """
async def app(scope, receive, send):
    raise ValueError("the handler is broken")
""",
    "starlette": """
from starlette.applications import Starlette
from starlette.routing import Route

async def answer(request):
    raise ValueError("the handler is broken")

app = Starlette(routes=[Route("/passthru", answer)])
""",
    "flask": """
from flask import Flask

app = Flask("broken")

@app.get("/passthru")
def answer():
    raise ValueError("the handler is broken")
""",
    "flask, testing": """
from flask import Flask

app = Flask("broken")
app.testing = True

@app.get("/passthru")
def answer():
    raise ValueError("the handler is broken")
""",
    "wsgi": """
def app(environ, start_response):
    environ["wsgi.errors"].write("ValueError: the handler is broken")
    start_response("500 Internal Server Error", [])
    return [b""]
""",
}


@pytest.mark.process
@pytest.mark.parametrize("kind", BROKEN)
def test_what_the_app_raises_is_in_the_failure(kind, tmp_path):
    text = """
def test_it(exotel):
    exotel.passthru(app)
    call = exotel.call()
    assert call.option == "A"
"""
    code, said = run_pytest(tmp_path, BROKEN[kind] + text)
    assert code == 1
    assert "ValueError: the handler is broken" in said
    assert "voicebot “bot”" in said


@pytest.mark.process
def test_the_story_is_told_whatever_asked_for_the_fixture(tmp_path):
    text = """
import pytest

@pytest.fixture
def line(exotel):
    exotel.passthru("http://169.254.169.254/latest")
    return exotel

def test_it(line):
    call = line.call()
    assert call.option == "A", call.passthrus[0].problem
"""
    code, said = run_pytest(tmp_path, text)
    assert code == 1
    assert said.count("169.254.169.254 is not dialled") >= 2


@pytest.mark.process
def test_a_fixture_of_that_name_of_somebody_elses_is_left_alone(tmp_path):
    text = """
import pytest

@pytest.fixture
def exotel():
    return "mine"

def test_it(exotel):
    assert exotel == "theirs"
"""
    code, said = run_pytest(tmp_path, text)
    assert code == 1
    assert "INTERNALERROR" not in said
    assert "calls of exotel" not in said


@pytest.mark.process
def test_real_time_by_setting(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\nexotel_real_time = true\n")
    text = """
import pytest

def test_it(exotel):
    assert not exotel.exchange.clock.virtual

@pytest.mark.exotel(real_time=False)
def test_other(exotel):
    assert exotel.exchange.clock.virtual

@pytest.mark.exotel(True)
def test_wrong(exotel):
    pass
"""
    code, said = run_pytest(tmp_path, text)
    assert code == 1
    assert "2 passed, 1 error" in said
    assert "the exotel marker takes keywords only" in said


@pytest.mark.process
def test_it_leaves_nothing_behind(exotel):
    server = Server()
    exotel.passthru(server)
    running = exotel.call()
    before = set(threading.enumerate())
    exotel.close()
    assert running.trace[-1]["what"] == "ended"
    assert "the call has ended" in exotel.stories()
    assert set(threading.enumerate()) < before
    with pytest.raises(ClosedError):
        exotel.clock.advance(1)


def test_one_that_cannot_be_made_leaves_nothing_behind():
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    with pytest.raises(ConfigError):
        Exotel(allow=["no host/"])
    assert set(threading.enumerate()) <= before


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


@pytest.mark.process
def test_the_plugin_costs_others_nothing():
    code = (
        "import sys, switchhook.pytest_plugin; print([m for m in sys.modules if 'emulator' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Apps and servers of all kinds.


def flask_app(answer):
    app = Flask("under test")
    app.get("/passthru")(answer)
    return app


def test_a_wsgi_app_may_use_an_event_loop_of_its_own(exotel):
    def answer():
        asyncio.run(asyncio.sleep(0))
        return ""

    exotel.passthru(flask_app(answer))
    assert exotel.call().option == "A"


def test_a_wsgi_app_that_blocks_is_too_late(exotel):
    let_go = threading.Event()

    def answer():
        let_go.wait(PATIENCE_S)
        return ""

    exotel.passthru(flask_app(answer))
    exotel.behave(passthru_limit_s=0.2)
    call = exotel.call()
    (told,) = call.passthrus
    assert (told.status, told.option, call.option) == (None, "B", "B")
    assert "timeout" in told.problem
    let_go.set()


def test_an_app_that_never_returns_is_reported():
    let_go = threading.Event()

    def answer():
        let_go.wait(PATIENCE_S)
        return ""

    exotel = Exotel(patience_s=0.3)
    exotel.passthru(flask_app(answer))
    call = exotel.call()
    with pytest.raises(HangsError, match=r"0\.3 real seconds"):
        call.wait()
    with pytest.raises(HangsError, match="does the code under test block"):
        exotel.close()
    let_go.set()


def test_an_app_may_ask_the_api_while_it_answers(exotel):
    url, account = exotel.url, exotel.account

    def answer():
        said = httpx2.get(
            f"{url}/v1/Accounts/{account.sid}/ActiveStreams.json",
            auth=(account.key, account.token),
        )
        return said.text

    exotel.passthru(flask_app(answer))
    exotel.account.streams = 7
    (told,) = exotel.call().passthrus
    assert told.status == 200
    assert json.dumps(json.loads(told.body)).count("7") == 1


def test_a_bot_may_act_for_the_caller(exotel):
    """An app in the emulator's own thread can't wait for it, but can act."""
    heard = []

    async def bot(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            event = json.loads(message["text"])["event"]
            heard.append(event)
            if event == "dtmf":
                with pytest.raises(RuntimeError, match="can't wait"):
                    exotel.clock.advance(1)
                exotel.calls[0].hang_up()

    exotel.passthru(Server())
    exotel.bot(bot)
    call = exotel.call()
    call.say("good morning")
    call.press("1")
    assert call.stream == {
        "StreamSID": call.stream["StreamSID"],
        "Status": "cancelled",
        "DisconnectedBy": "user",
    }
    assert heard == ["connected", "start", "dtmf", "stop"]


def say_one_thing(connection):
    for text in connection:
        message = json.loads(text)
        if message["event"] == "start":
            media = {"payload": "AAAA" * 1600}
            said = {"event": "media", "stream_sid": message["stream_sid"], "media": media}
            connection.send(json.dumps(said))
        if message["event"] == "dtmf":
            return


@pytest.fixture
def bot_url():
    with serve(say_one_thing, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def test_a_bot_on_a_socket(exotel, bot_url):
    exotel.passthru(Server())
    exotel.bot(bot_url)
    call = exotel.call(presses="1")
    assert call.stream["Status"] == "completed"
    assert call.stream["DisconnectedBy"] == "bot"


@pytest.mark.process
def test_sockets_in_use_are_closed_at_the_end(bot_url):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Exotel() as exotel:
            exotel.passthru(Server())
            exotel.bot(bot_url)
            running = exotel.call()
            while not any(entry["what"] == "first_audio" for entry in running.trace):
                exotel.clock.advance(0.02)
            assert httpx2.get(exotel.url).status_code == 404
        assert running.trace[-1]["what"] == "ended"
        gc.collect()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(exotel.url)


# Flows.

PLAN = """
[account.acme]
streams = 1

[number.08041112233]
account = "acme"
flow = "sales"

[flow.sales]
first = "bot"

[flow.sales.applet.bot]
applet = "voicebot"
url = "wss://bot.example.com/bot/talk"
next = "told"

[flow.sales.applet.told]
applet = "passthru"
url = "https://passthru.example.com/sales"
a = "end"
b = "end"

[flow.sales.applet.end]
applet = "hangup"

[caller.hurried]
number = "09811100001"
[[caller.hurried.does]]
at = "bot"
after_s = 2
hangs_up = true

[[fault]]
what = "behave"
behaviour = {dialect = "json"}
"""


def test_a_plan_as_text(exotel):
    server = Server()
    exotel.flow(PLAN)
    exotel.passthru(server)
    first, second = exotel.call(caller="hurried"), exotel.call()
    assert first.stream["DisconnectedBy"] == "user"
    assert second.stream["DetailedStatus"] == "Streaming_call_throttled"
    assert first.applets == ["bot", "told", "end"]
    told = first.passthrus[0].parameters
    assert (told["CallFrom"], told["CallTo"]) == ("09811100001", "08041112233")
    assert "Status" in json.loads(told["Stream"])
    assert (exotel.account.sid, exotel.account.streams) == ("acme", 1)
    with pytest.raises(ConfigError, match="there are: hurried"):
        exotel.call(caller="patient")


def test_a_plan_as_a_value_has_what_it_does_not_say(exotel):
    url = exotel.passthru(Server(302))
    exotel.flow(
        Plan(
            account={"acme": Account(token="secret")},
            flow={
                "f": Flow(
                    first="bot",
                    applet={
                        "bot": Voicebot(url="wss://bot.example.com/bot", next="told"),
                        "told": Passthru(url=url, a="end", b="end"),
                        "end": Hangup(),
                    },
                )
            },
            fault=(Fault(what="throttled"),),
        )
    )
    call = exotel.call(caller=Caller(number="+919811100002"), says="hello")
    assert call.option == "B"
    assert call.passthrus[0].parameters["CallFrom"] == "09811100002"
    assert (exotel.account.sid, exotel.account.token) == ("acme", "secret")
    with pytest.raises(ConfigError, match="there is no flow"):
        exotel.flow("seed = 1")


def test_a_number_that_is_none_says_so(exotel):
    exotel.passthru(Server())
    with pytest.raises(ConfigError, match="no phone number"):
        exotel.call(from_="nobody")


def test_faults_are_mended(exotel):
    exotel.passthru(Server())
    fault = exotel.fault("throttled")
    assert exotel.call().stream["Status"] == "failed"
    exotel.mend(fault)
    assert exotel.call().stream["Status"] == "completed"


def test_a_passthru_that_is_lost_was_never_asked(exotel):
    exotel.passthru(Server())
    exotel.fault("passthru-lost")
    call = exotel.call()
    assert call.passthrus == []
    assert call.option == "B"


@pytest.mark.parametrize(
    "name, more, problem",
    [
        ("bot-crash", {"expect": "A"}, None),
        ("switchcase", {"select": "agent"}, "does not select"),
    ],
)
def test_a_scenario_as_one_wants_it(exotel, name, more, problem):
    exotel.passthru(Server(200))
    if problem is None:
        exotel.scenario(name, **more)
        return
    with pytest.raises(AssertionError, match=problem):
        exotel.scenario(name, **more)


def test_a_pool_behind_a_dynamic_url_of_ours_is_tried_in_virtual_time(exotel):
    asked = []

    async def lazy(scope, receive, send):
        """Two vendors in turn, whatever becomes of their streams."""
        asked.append(scope["path"])
        vendor = "ab"[len(asked) % 2]
        body = json.dumps({"url": f"wss://{vendor}.vendor.example/media"}).encode()
        status = 200 if scope["path"] == "/voicebot" else 302
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    exotel.passthru(lazy)
    with pytest.raises(AssertionError, match=r"vendor\.example:443/media later than 2 s after"):
        exotel.scenario("vendor-dies", voicebot="/voicebot")
    with pytest.raises(ConfigError, match="vendor-dies needs more than a passthru"):
        exotel.scenario("vendor-dies")


def test_a_scenario_that_is_none_says_which_is(exotel):
    exotel.passthru(Server())
    with pytest.raises(UnknownScenarioError, match="did you mean bot-crash"):
        exotel.scenario("bot-crush")


# Time, threads and the API.


def test_the_api_places_calls_and_serves_recordings(exotel):
    exotel.passthru(Server())
    account = exotel.account
    client = httpx2.Client(base_url=exotel.url, auth=(account.key, account.token))
    with client:
        placed = client.post(
            f"/v1/Accounts/{account.sid}/Calls/connect.json",
            data={
                "From": "09811100001",
                "CallerId": exotel.number,
                "Url": f"http://my.exotel.com/{account.sid}/exoml/start_voice/flow",
            },
        )
        assert placed.status_code == 200, placed.text
        (call,) = exotel.calls
        assert placed.json()["Call"]["Sid"] == call.sid
        address = call.stream["RecordingUrl"]
        assert address.startswith(exotel.url)
        assert client.get(address).status_code == 404  # it takes Exotel a minute
        exotel.clock.advance(60)
        assert client.get(address).headers["content-type"] == "audio/mpeg"


@pytest.mark.process
def test_an_api_request_lets_no_more_time_pass_than_it_takes(exotel):
    exotel.passthru(Server())
    exotel.bot("wss://bot.example.com/bot/talk")
    running = exotel.call()
    began = exotel.clock.now()
    account = exotel.account
    said = httpx2.get(
        f"{exotel.url}/v1/Accounts/{account.sid}/ActiveStreams.json",
        auth=(account.key, account.token),
    )
    assert said.status_code == 200
    assert exotel.clock.now() - began < 1
    assert running.trace[-1]["what"] != "ended"


def test_many_threads_may_wait_at_once(exotel):
    exotel.passthru(Server())
    options = []

    def one(seconds):
        options.append(exotel.call(hangs_up_after=seconds).option)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert options == ["A"] * 8


def test_the_same_seed_gives_the_same_trace():
    def trace(seed):
        with Exotel(seed=seed) as exotel:
            exotel.passthru(Server())
            return exotel.call(says="hello").wait().trace

    assert trace(3) == trace(3)
    assert trace(3) != trace(4)


@pytest.mark.process
def test_what_few_tests_need_is_not_loaded_by_all():
    """It has to be there in under half a second; `make bench` measures that."""
    code = (
        "import sys\n"
        "from switchhook.emulator.testing import Exotel\n"
        "with Exotel(): print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    late = {
        "cryptography",
        "starlette.routing",
        "switchhook.emulator.runs.scenario",
        "rich",
        "cyclopts",
    }
    assert not late & set(done.stdout.split())

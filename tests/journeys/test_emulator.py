"""The emulator against the real server, over real sockets: every bad day by name."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread

import httpx2
import pytest
from websockets.sync.server import serve

from patience import PATIENCE_S
from program import running, until
from switchhook.cli import run
from switchhook.emulator.runs.scenarios import SCENARIOS

NOBODY = "http://127.0.0.1:9/"
"""The port discard, which nobody listens at."""
ARTICLE = {
    "caller-hangs-up-in-greeting": ("caller_left_early", "A"),
    "bot-refused": ("connect_failed", "B"),
    "cancelled-late": ("caller_left_early", "A"),
    "bot-done": ("bot_done", "A"),
    "throttled-minimal": ("throttled", "B"),
}
"""The tests of Exotel's article and its throttling (exotel-platform B.2, G.1)."""


def emulate(*words):
    return subprocess.run(
        [sys.executable, "-m", "switchhook", "emulate", *words],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """One server for all calls, which are told apart by their CallSid."""
    with running(tmp_path_factory.mktemp("emulator") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def url(program):
    """Its passthru."""
    return program.urls["answer"] + program.passthru


def test_every_bad_day_is_answered_as_it_should_be(url):
    done = emulate("run", "--all", "--passthru", url)
    assert done.returncode == 0, done.stdout + done.stderr
    decided = sum(scenario.mode == "decide" for scenario in SCENARIOS.values())
    assert f"{decided} passed, 0 failed" in done.stdout


@pytest.mark.parametrize("name", ARTICLE)
def test_the_seeds_tests_arrive_in_the_store_with_their_cause(program, url, tmp_path, name):
    cause, option = ARTICLE[name]
    trace = tmp_path / "trace.jsonl"
    done = emulate("run", name, "--passthru", url, "--trace", str(trace))
    assert done.returncode == 0, done.stdout + done.stderr
    call_sid = json.loads(trace.read_bytes().splitlines()[0])["call"]
    found = until(lambda: program.api("streams", call_sid=call_sid)["streams"], "folded")
    assert [stream["cause"] for stream in found] == [cause]
    (receipt,) = program.receipts(call_sid=call_sid)
    assert receipt["decision"]["option"] == option


def test_a_trace_is_played_back_and_compared(url, tmp_path):
    trace = tmp_path / "trace.jsonl"
    assert emulate("run", "throttled", "--passthru", url, "--trace", str(trace)).returncode == 0
    again = emulate("replay", str(trace), "--passthru", url)
    assert (again.returncode, again.stdout) == (0, "same  told: 302 then, 302 now\n")
    gone = emulate("replay", str(trace), "--passthru", NOBODY)
    assert gone.returncode == 1  # no answer is Option B too, but nothing was tried
    assert "refused" in gone.stdout
    assert f"1 of these were not answered at {NOBODY}: is your server running" in gone.stderr


@pytest.fixture(scope="module")
def exotel(tmp_path_factory):
    """Where an emulator serves, whose bot others talk to."""
    plan = tmp_path_factory.mktemp("exotel") / "plan.toml"
    plan.write_text(PLAN.format(url=NOBODY))
    with emulator(str(plan)) as (_, said):
        yield said["exotel"][0]


def test_a_caller_says_the_same_again_to_a_bot(exotel, tmp_path):
    trace = tmp_path / "trace.jsonl"
    url = f"{exotel}/no-passthru"
    emulate("run", "caller-hangs-up-mid-talk", "--passthru", url, "--trace", str(trace))
    bot = exotel.replace("http", "ws") + "/bot"
    # The passthru is not asked unless it is named.
    again = emulate("replay", str(trace), "--bot", f"{bot}/refuse")
    assert (again.returncode, again.stdout.count("\n")) == (1, 1)
    assert again.stdout.startswith("differs  ")
    assert "completed by user" in again.stdout
    assert "answered the handshake with HTTP 401 Unauthorized" in again.stdout
    nobody = emulate("replay", str(trace), "--bot", "ws://127.0.0.1:9/")
    assert nobody.returncode == 1
    assert "refused the connection: is it running, and is this the right port?" in nobody.stdout
    wrong = emulate("replay", str(trace), "--bot", "http://x")
    assert (wrong.returncode, "did you mean ws://x?" in wrong.stderr) == (2, True)


def test_list_prints_a_plain_name_a_line(capsys):
    assert run(["emulate", "run", "--list"]) == 0
    assert capsys.readouterr().out.split("\n") == [*SCENARIOS, "rush-hour", ""]


@pytest.mark.parametrize(
    "words, said",
    [
        (["run"], "which scenario?"),
        (["run", "no-such"], "there is no scenario 'no-such'"),
        (["--listen", "nowhere"], "'nowhere' is no address"),
        (["--stream-limit", "-1"], "--stream-limit: a limit is 0 or more"),
        (["--heartbeat", "beat"], "--heartbeat: 'beat' is no URL"),
        (["heartbeat", "beat"], "'beat' is no URL"),
        (["heartbeat", "CRITICAL"], "--status OK, WARNING, CRITICAL, PAYLOAD_TOO_LARGE"),
        (["run", "bot-done", "--allow", "a b"], "'a b' is no host"),
        (["run", "bot-done", "--all"], "'bot-done', or all?"),
        (["run", "oversize-chunk", "--bot", "ws://127.0.0.1:9/"], "what a bad bot says"),
        (["run", "vendor-dies", "--passthru", NOBODY], "--voicebot: which URL is asked?"),
        (["run", "lost-passthru", "--passthru", NOBODY], "--admit: which URL is asked?"),
        (
            ["run", "foreign-streams", "--passthru", NOBODY, "--admit", NOBODY],
            "--listen: nobody would ask for ActiveStreams here",
        ),
        (["run", "bot-done", "--passthru", NOBODY, "--account", "a:b"], "that is no account"),
        (["run", "bot-done", "--passthru", NOBODY, "--admit", "x"], "--admit: 'x' is no URL"),
        (["run", "bot-done", "--bot", "localhost:9000"], "'localhost:9000' is no WebSocket URL"),
        (["--bot", "https://bot.example/media"], "did you mean wss://bot.example/media?"),
        (["plan.toml", "--bot", "ws://127.0.0.1:9/"], "--bot: plan.toml says that already"),
        (["plan.toml", "--passthru", "http://127.0.0.1:9/"], "plan.toml says that already"),
        (["load", "plan.toml", "--bot", "ws://127.0.0.1:9/"], "plan.toml says that already"),
        (["--calls", "0"], "--calls: nothing to do"),
        (["--listen", "::1:80"], "'::1:80' is no address"),
        (["check", "no-such.toml"], "no-such.toml: no such file"),
    ],
)
def test_what_is_refused_says_why(capsys, words, said):
    assert run(["emulate", *words]) == 2
    assert said in capsys.readouterr().err


def test_people_are_selected_where_the_bot_refuses(url, tmp_path):
    """The server of this test selects nothing, and is told what was due."""
    done = emulate("run", "select-people", "--passthru", url, "--limit", "5")
    assert done.returncode == 1
    assert "FAIL select-people" in done.stdout
    assert "200 with a keyword was due" in done.stdout


def test_an_address_elsewhere_is_not_dialled(capsys):
    words = ["emulate", "run", "throttled", "--passthru", "http://192.0.2.1/passthru"]
    assert run(words) == 1
    told = capsys.readouterr().out
    assert "192.0.2.1 is not on this machine" in told
    assert "--allow 192.0.2.1" in told


@contextmanager
def own_bot(speak=True):
    """A bot as somebody writes it who knows Exotel's page only: it says a second, and closes."""

    def converse(socket):
        for message in map(json.loads, socket):
            if message["event"] == "start":
                sid = message["stream_sid"]
                for _ in range(5 * speak):
                    payload = base64.b64encode(b"\x00\x10" * 1600).decode()
                    media = {"event": "media", "stream_sid": sid, "media": {"payload": payload}}
                    socket.send(json.dumps(media))
                mark = {"event": "mark", "stream_sid": sid, "mark": {"name": "done"}}
                socket.send(json.dumps(mark))
            elif message["event"] == "mark":
                return

    with serve(converse, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/media"


def test_a_bot_is_all_that_is_needed(tmp_path, capsys):
    """It is called, its call is told, and told again from the trace that was kept."""
    with own_bot() as url:
        words = ["--listen", "127.0.0.1:0", "--calls", "1", "--traces", str(tmp_path)]
        assert run(["emulate", "--bot", url, *words]) == 0
    told = capsys.readouterr().out
    assert f"bot {url}\n" in told
    assert "passthru" not in told
    (trace,) = tmp_path.iterdir()
    assert f"CallSid {trace.stem}" in told
    assert f"set-up    {url} connected after" in told
    assert "the caller hears 1.0 s of the bot" in told
    assert "the bot hung up (close code 1000)" in told
    assert run(["emulate", "story", str(trace)]) == 0
    again = capsys.readouterr().out
    assert again.strip() in told
    assert run(["emulate", "story", str(trace), "--every"]) == 0
    assert "the bot is connected after" in capsys.readouterr().out


def test_a_bot_that_is_not_reached_or_not_heard_ends_it_with_1(capsys):
    with own_bot(speak=False) as url:
        assert run(["emulate", "--bot", url, "--listen", "127.0.0.1:0", "--calls", "1"]) == 1
    assert "the bot never spoke" in capsys.readouterr().out
    gone = ["emulate", "--bot", url, "--listen", "127.0.0.1:0", "--calls", "2", "--virtual"]
    assert run(gone) == 1
    told = capsys.readouterr().out
    assert "refused the connection: is it running, and is this the right port?" in told
    assert "2 calls by what became of their stream: connect_failed 2" in told


def test_a_bad_day_is_played_on_a_bot_alone(capsys):
    with own_bot() as url:
        assert run(["emulate", "run", "retry-then-success", "--bot", url]) == 0
    assert "pass retry-then-success" in capsys.readouterr().out


@contextmanager
def emulator(*words):
    """The program `switchhook emulate`, and what it printed of itself by the first word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "switchhook", "emulate", "--listen", "127.0.0.1:0", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = {}
        while "control" not in said:
            name, _, rest = process.stdout.readline().partition(" ")
            assert rest, "it ended"
            said[name] = rest.split()
        yield process, said
    finally:
        process.kill()
        process.wait()


PLAN = """
[account.acme]
[number.08047112233]
account = "acme"
flow = "f"
[flow.f]
first = "told"
[flow.f.applet.told]
applet = "passthru"
url = "{url}"
a = "end"
b = "end"
[flow.f.applet.end]
applet = "hangup"
"""


def test_the_program_serves_calls_and_ends_when_told(program, url, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(url=url))
    with emulator(str(plan), "--traces", str(tmp_path / "traces")) as (process, said):
        exotel, (account, _, key, _, token) = said["exotel"][0], said["account"]
        with httpx2.Client(trust_env=False) as client:
            streams = client.get(
                f"{exotel}/v1/Accounts/{account}/ActiveStreams", auth=(key, token)
            ).json()
            assert (streams["active_streams"], streams["max_allowed_streams"]) == (0, 100)
            bearer = {"Authorization": f"Bearer {said['control'][2]}"}
            placed = client.post(
                f"{exotel}/control/calls", headers=bearer, json={"number": "+918047112233"}
            ).json()
        line = process.stdout.readline()
        assert placed["call_sid"] in line
        trace = tmp_path / "traces" / f"{placed['call_sid']}.jsonl"
        until(trace.exists, "a trace")
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    (receipt,) = program.receipts(call_sid=placed["call_sid"])
    assert receipt["cause"] == "no_stream"


class HookServer(ThreadingHTTPServer):
    """Keeps what is posted: path, type, body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hooks)
        self.got: Queue[tuple[str, str, bytes]] = Queue()


class Hooks(BaseHTTPRequestHandler):
    """Takes what is posted, into the server's queue."""

    server: HookServer

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.put((self.path, self.headers["Content-Type"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def hooks():
    server = HookServer()
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.got
    finally:
        server.shutdown()
        server.server_close()


def test_a_script_can_wire_a_monitor_to_it(tmp_path):
    """Addresses and keys for programs; status callbacks and heartbeats go where they were told."""
    plan, ready = tmp_path / "plan.toml", tmp_path / "ready.json"
    with hooks() as (url, got):
        plan.write_text(PLAN.format(url=url + "/passthru"))
        words = [str(plan), "--json", "--ready", str(ready), "--stream-limit", "3"]
        words += ["--status-callback", url + "/status", "--heartbeat", url + "/beat"]
        process = subprocess.Popen(
            [sys.executable, "-m", "switchhook", "emulate", "--listen", "127.0.0.1:0", *words],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            wiring = json.loads(process.stdout.readline())
            until(ready.exists, "the file")
            assert json.loads(ready.read_text()) == wiring
            assert ready.stat().st_mode & 0o777 == 0o600
            account, control = wiring["accounts"]["acme"], wiring["control"]
            assert (account["streams"], account["numbers"]) == (3, ["+918047112233"])
            with httpx2.Client(trust_env=False) as client:
                bearer = {"Authorization": f"Bearer {control['key']}"}
                streams = client.get(
                    account["api"] + "/ActiveStreams", auth=(account["key"], account["token"])
                ).json()
                assert streams["max_allowed_streams"] == 3
                client.post(
                    control["url"] + "/calls", headers=bearer, json={"number": "+918047112233"}
                )
                ended = json.loads(process.stdout.readline())
                assert ended["passthrus"][0]["status"] == 501
                path, kind, body = got.get(timeout=PATIENCE_S)
                assert (path, kind.partition(";")[0]) == ("/status", "multipart/form-data")
                assert ended["call_sid"].encode() in body
                sent = client.post(
                    control["url"] + "/accounts/acme/heartbeat",
                    headers=bearer,
                    json={"status_type": "CRITICAL"},
                ).json()
                assert sent["taken"]
                assert json.loads(process.stdout.readline())["heartbeat"]["status"] == 200
                path, _, body = got.get(timeout=PATIENCE_S)
                assert (path, json.loads(body)["incoming_affected"]) == ("/beat", ["+918047112233"])
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
            assert not ready.exists()
        finally:
            process.kill()
            process.wait()


def test_a_heartbeat_is_sent_by_itself():
    with hooks() as (url, got):
        done = emulate(
            "heartbeat", url + "/beat", "--status", "WARNING", "--outgoing", "08047112233"
        )
        assert (done.returncode, done.stdout) == (0, "WARNING was taken (200)\n")
        said = json.loads(got.get(timeout=PATIENCE_S)[2])
        assert (said["incoming_affected"], said["outgoing_affected"]) == ([], ["08047112233"])
    refused = emulate("heartbeat", "http://192.0.2.1/")
    assert (refused.returncode, "--allow 192.0.2.1" in refused.stdout) == (1, True)


def test_load_is_measured_and_told(url, exotel, tmp_path):
    """With a bot that hangs up soon: load goes by real time."""
    page = tmp_path / "load.html"
    words = ["--calls", "5", "--rate", "5/s", "--for", "1s", "--html", str(page)]
    bot = exotel.replace("http", "ws") + "/bot?after=0.2"
    done = emulate("load", "--passthru", url, "--bot", bot, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 calls at once at most" in done.stderr
    assert "5 answers as expected, 0 not" in done.stdout
    assert "<svg" in page.read_text()
    nobody = emulate("load", "--passthru", url, "--bot", "ws://127.0.0.1:9/", "--for", "1s")
    assert nobody.returncode == 2
    assert "--bot: nobody listens at 127.0.0.1:9, where the bot is called" in nobody.stderr
    nobody = emulate("load", "--passthru", NOBODY, "--for", "1s")
    assert (nobody.returncode, "start your server" in nobody.stderr) == (2, True)
    refused = emulate("load", "--passthru", "http://192.0.2.1/", "--for", "1s")
    assert refused.returncode == 2
    assert "--allow 192.0.2.1" in refused.stderr

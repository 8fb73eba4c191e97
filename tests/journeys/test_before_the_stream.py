"""What docs/before-the-stream.md has a newcomer do, done on the real program and the emulator."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from program import PATIENCE_S, command, running, until
from switchhook.config import load_config
from switchhook.emulator.call.story import calls_in
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import endpoint_secret

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs/before-the-stream.md").read_text(encoding="utf-8")
TOML = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(PLAN,) = (each for each in TOML if "[flow." in each)
(SELECTING,) = (each for each in TOML if "\nselect = " in each)
ROWS = "\n".join(line for line in PAGE.splitlines() if line.startswith("| "))
ROUTE = re.findall(r"`switchhook (route [^`]+)`", ROWS)

CONFIG = """
[accounts.main]
sid = "acme1"
poll = false

[bots.sales.members.vendor-a]
url = "{a}"
allow_private = true

[bots.sales.members.vendor-b]
url = "{b}"
allow_private = true

[bots.vendor-a.members.one]
url = "ws://127.0.0.1:9/one"
allow_private = true

[bots.vendor-b.members.one]
url = "ws://127.0.0.1:9/other"
allow_private = true

[endpoints.sales-in]
kind = "voicebot"
pool = "sales"

[endpoints.sales-gate]
kind = "admit"
safe_option = "A"

[endpoints.sales]
rules = "sales.toml"

[endpoints.sales.selects]
people = "the people's queue"
sales = "the sales desk"
goodbye = "a good-bye and the end"
"""


@pytest.fixture
def world(tmp_path):
    """The program as the page configures it, with vendors on ports that are free."""
    with ExitStack() as held:
        socks = [held.enter_context(socket.socket()) for _ in range(2)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        a, b = (f"127.0.0.1:{sock.getsockname()[1]}" for sock in socks)
    plan = PLAN.replace("127.0.0.1:9101", a).replace("127.0.0.1:9102", b)
    config = tmp_path / "switchhook.toml"
    config.write_text(CONFIG.format(a=f"ws://{a}/stream", b=f"ws://{b}/stream"))
    (tmp_path / "sales.toml").write_text(SELECTING)
    with running(tmp_path / "data", "--config", str(config)) as program:
        key = read_identity(program.data).key
        plan = plan.replace("http://127.0.0.1:8080", program.urls["answer"])
        plan = re.sub(r"/([\w-]+)/SECRET", lambda x: f"/{x[1]}/{endpoint_secret(key, x[1])}", plan)
        file = tmp_path / "plan.toml"
        file.write_text(plan)
        yield program, file, tmp_path


def played(file, folder, *words):
    """The calls of a plan in virtual time: the entries of each one's trace."""
    traces = folder / "traces"
    said = ["emulate", str(file), "--listen", "127.0.0.1:0", "--virtual", "--traces", str(traces)]
    done = subprocess.run(
        [sys.executable, "-m", "switchhook", *said, *words],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(x) for file in traces.iterdir() for x in file.read_text().splitlines()]
    return [entries for _, entries in calls_in(lines)]


def test_the_plan_of_the_page_runs_against_its_configuration(world):
    program, file, folder = world
    calls = played(file, folder, "--calls", "40", "--seed", "4")
    told = [each["url"] for call in calls for each in call if each["what"] == "stream_url"]
    assert {url.partition(":")[0] for url in told} == {"ws"}
    assert len(set(told)) == 2, "both vendors get calls"
    switched = {each["select"] for call in calls for each in call if each["what"] == "switched"}
    assert switched == {"goodbye", "people"}, "a vendor died, and its callers went to people"
    died = [call for call in calls if any(each.get("fault") == "bot-dies" for each in call)]
    assert died
    for call in died:
        assert any(each["what"] == "connected" for each in call)
    kinds = {each["endpoint"] for each in program.receipts()}
    assert "sales" in kinds
    assert program.stop() == 0


def test_each_command_of_a_night_does_what_the_page_says(world):
    program, _, _ = world
    until(lambda: program.health("console").get("status"), "the console to look")
    assert len(ROUTE) >= 10
    for line in ROUTE:
        words = [each.strip('"') for each in re.findall(r'"[^"]*"|\S+', line)]
        done = command(*words, "--data", str(program.data), code=None)
        if words[1] in ("list", "show"):
            assert "sales" in done.out
        elif words == ["route", "undo", "7"]:
            assert done.code in (0, 1, 2)
        else:
            assert done.code == 0, done
    assert program.stop() == 0


def test_the_pool_of_the_page_is_what_it_says():
    text = next(each for each in TOML if "auth_file" in each)
    config = load_config(
        text,
        file="switchhook.toml",
        environ={},
        read_file=lambda name: b"u:p\n" if "vendor" in name else b"x\n",
    )
    (pool,) = config.pools
    assert {each.name: each.weight for each in pool.members} == {"vendor-a": 80, "vendor-b": 20}

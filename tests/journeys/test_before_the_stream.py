"""What docs/before-the-stream.md has a newcomer do, done on the real program and the emulator."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from patience import PATIENCE_S
from program import command, running, until
from switchhook.config import load_config
from switchhook.emulator.call.story import calls_in

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs/before-the-stream.md").read_text(encoding="utf-8")
TOML = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(PLAN,) = (each for each in TOML if "[flow." in each)
(SELECTING,) = (each for each in TOML if "\nselect = " in each)
(GATE,) = (each for each in TOML if '\nclass = "campaign"' in each)
(POOLS,) = (each for each in TOML if each.startswith("[[rule]]") and "\npool = " in each)
(TRIAL,) = (each for each in TOML if 'url = "http://127.0.0.1:8090"' in each)
POOLED, GATED = (each for each in TOML if 'region = "mumbai"' in each)
(HINDI,) = (each for each in TOML if each.startswith("[bots.sales-hindi."))
SELECTS = next(each for each in TOML if each.startswith("[endpoints.sales]"))
ROWS = "\n".join(line for line in PAGE.splitlines() if line.startswith("| "))
ROUTE = re.findall(r"`switchhook (route [^`]+)`", ROWS)


def in_folder(folder, config):
    """The files that the page has in a folder, beside a configuration of it."""
    rules = {"gate": GATE, "sales": SELECTING, "sales-in": POOLS}
    secrets = {"exotel-key": "trial-key", "exotel-token": "trial-token", "vendor-a.txt": "u:p"}
    (folder / "rules").mkdir()
    (folder / "secrets").mkdir(mode=0o700)
    for name, text in rules.items():
        (folder / f"rules/{name}.toml").write_text(text)
    for name, text in secrets.items():
        (folder / "secrets" / name).write_text(text + "\n")
        (folder / "secrets" / name).chmod(0o600)
    file = folder / "switchhook.toml"
    file.write_text(config)
    return file


def both_pools():
    """The first configuration of the page, with what it says of a second pool put into it."""
    hindi, _, entry = HINDI.partition("[endpoints.sales-in]\n")
    before, _, old = POOLED.partition("[endpoints.sales-in]\n")
    assert 'pool = "sales"' in old
    return f'{before}{hindi}[endpoints.sales-in]\naccount = "main"\n{entry}'


def free_ports(count):
    with ExitStack() as held:
        socks = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]


class World:
    """The program as the page's trial has it, on ports that are free, and the plan's file."""

    def __init__(self, folder, held, config):
        self.folder = folder
        self.api, *bots = free_ports(3)
        ports = dict(zip((8090, 9101, 9102), (self.api, *bots), strict=True))
        plan = PLAN
        for old, port in ports.items():
            config = config.replace(f"127.0.0.1:{old}", f"127.0.0.1:{port}")
            plan = plan.replace(f"127.0.0.1:{old}", f"127.0.0.1:{port}")
        file = in_folder(folder, config)
        self.program = held.enter_context(running(folder / "data", "--config", str(file)))
        for name in ("sales-gate", "sales-in", "sales"):
            url = urlsplit(
                command("endpoint", "url", name, "--data", str(self.program.data)).out.strip()
            )
            assert f"http://127.0.0.1:8080{url.path.rpartition('/')[0]}/SECRET" in plan
            plan = plan.replace(f"{url.path.rpartition('/')[0]}/SECRET", url.path)
        self.plan = folder / "plan.toml"
        self.plan.write_text(plan.replace("http://127.0.0.1:8080", self.program.urls["answer"]))


@pytest.fixture
def world(tmp_path):
    with ExitStack() as held:
        yield World(tmp_path, held, TRIAL)


@pytest.fixture
def blind(tmp_path):
    """The same for virtual time: the gate lets everybody in, and no breaker opens.

    Both go by the world's clock: before a trial that lasts a second no poll is answered, and a
    probe that reached one vendor first would have it get all calls.
    """
    config = TRIAL
    for old, new in (
        ('safe_option = "B"', 'safe_option = "A"'),
        ("enabled = true", "enabled = false"),
    ):
        assert old in config
        config = config.replace(old, new)
    assert "busy_s = 5" in config
    with ExitStack() as held:
        yield World(tmp_path, held, config.replace("busy_s = 5", "poll = false"))


def played(world, *words):
    """The calls of the plan: the entries of each one's trace."""
    traces = world.folder / "traces"
    said = ["emulate", str(world.plan), "--traces", str(traces)]
    said += ["--listen", f"127.0.0.1:{world.api}"]
    done = subprocess.run(
        [sys.executable, "-m", "switchhook", *said, *words],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(x) for file in traces.iterdir() for x in file.read_text().splitlines()]
    return [entries for _, entries in calls_in(lines)]


def test_the_plan_of_the_page_runs_against_its_configuration(blind):
    """In virtual time, in which no figure of the account would be in time."""
    world = blind
    calls = played(world, "--virtual", "--calls", "40", "--seed", "4")
    told = [each["url"] for call in calls for each in call if each["what"] == "stream_url"]
    assert {url.partition(":")[0] for url in told} == {"ws"}
    assert len(set(told)) == 2, "both vendors get calls"
    switched = {each["select"] for call in calls for each in call if each["what"] == "switched"}
    assert switched == {"goodbye", "people"}, "a vendor died, and its callers went to people"
    died = [call for call in calls if any(each.get("fault") == "bot-dies" for each in call)]
    assert died
    for call in died:
        assert any(each["what"] == "connected" for each in call)
    kinds = {each["endpoint"] for each in world.program.receipts()}
    assert "sales" in kinds
    assert world.program.stop() == 0


def test_the_emulator_of_the_page_is_the_exotel_of_its_account(world):
    """Key, token and address fit: the gate learns of the room, and lets calls in by it."""
    listen = ["--listen", f"127.0.0.1:{world.api}"]
    words = [sys.executable, "-m", "switchhook", "emulate", str(world.plan), *listen]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as emulator:
        try:
            until(lambda: _admitted(world.program), "a call to be let in by the room")
        finally:
            emulator.terminate()
    assert world.program.stop() == 0


def _admitted(program):
    """A call that was admitted because there was room, as its own receipt says."""
    done = command("tail", "--endpoint", "sales-gate", "--json", "--data", str(program.data))
    for line in done.out.splitlines():
        said = json.loads(line)
        if said["admitted"] and said["room"]:
            return program.api(f"receipts/{said['id']}")["room"] == said["room"]
    return False


def test_each_command_of_a_night_does_what_the_page_says(tmp_path):
    """On the configuration of its sections, all in one file, with nobody real to be asked."""
    gate = GATED.partition("[endpoints.sales-gate]")
    nowhere = 'url = "http://127.0.0.1:9"\npoll = false'
    config = both_pools().replace('region = "mumbai"', nowhere)
    file = in_folder(tmp_path, "\n".join((config, *gate[1:], SELECTS)))
    with running(tmp_path / "data", "--config", str(file)) as program:
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
    config = load_config(
        both_pools(),
        file="switchhook.toml",
        environ={},
        read_file=lambda name: (
            POOLS.encode() if "rules" in name else b"u:p\n" if "vendor" in name else b"x\n"
        ),
    )
    pool, hindi = config.pools
    assert {each.name: each.weight for each in pool.members} == {"vendor-a": 80, "vendor-b": 20}
    assert [each.name for each in hindi.members] == ["vendor-c"]

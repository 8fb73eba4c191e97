"""Room and a bot, decided before the stream by the real program, over its restart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from program import Program, command, http, running, until
from switchhook.capacity.facts_file import FactsFile
from switchhook.rules.routing import AdmissionBudget, HandAct, HandSetting
from switchhook.system.data_folder import boot_id, read_identity

SECRETS = {name: f"{name}-secret-of-this-test" for name in ("gate", "sales-in", "sorted")}
PASSWORD = "s3cr3t-of-vendor-a"
CONFIG = f"""
[accounts.main]
sid = "exampleaccount1"
region = "mumbai"
poll = false

[endpoints.gate]
kind = "admit"
account = "main"
secrets = ["{SECRETS["gate"]}"]

[endpoints.sales-in]
kind = "voicebot"
pool = "sales"
secrets = ["{SECRETS["sales-in"]}"]

[endpoints.sorted]
secrets = ["{SECRETS["sorted"]}"]
rules = "sorted.toml"

[bots.sales.members.vendor-a]
url = "wss://a.example/stream"
auth_file = "vendor-a.txt"
sample_rate = 16000
"""
SORTED = """
[[rule]]
name = "wants people"
when = 'call.digits == "9"'
option = "A"
select = "people"
[default]
option = "A"
select = "shop"
"""


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "switchhook.toml"
    file.write_text(CONFIG)
    (tmp_path / "sorted.toml").write_text(SORTED)
    secret = tmp_path / "vendor-a.txt"
    secret.write_text(f"vendor:{PASSWORD}\n")
    secret.chmod(0o600)
    return file


def ask(program: Program, name: str, query: str, root: str = "passthru"):
    target = f"/{root}/{name}/{SECRETS[name]}?{query}"
    return http(program.address("answer"), target.encode())


def tell(program: Program, room: int, *hands: HandSetting) -> None:
    """What a console would tell."""
    folder = program.data
    facts = FactsFile(folder, boot_id())
    now_ms, mono_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
    facts.tell_hands(hands, now_ms)
    node = read_identity(folder).node
    facts.tell_budgets(node, {"main": AdmissionBudget(room)}, now_ms, mono_ms)


def admitted(program: Program, numbers: Iterator[int]) -> bool:
    """Whether the next call is, with a budget of three that is told anew."""
    tell(program, 3)
    return bool(ask(program, "gate", f"CallSid=c{next(numbers)}").status == 200)


def switched_off(program: Program, call: str) -> bool:
    return bool(ask(program, "sales-in", f"CallSid={call}", "voicebot").status == 404)


def asked_as_test(program: Program, name: str) -> str:
    tell(program, 3)
    return command("endpoint", "test", name, "--data", str(program.data)).out


def started(tmp_path, config):
    return running(tmp_path / "data", "--config", str(config), command="answer")


def test_room_bot_and_keyword_are_answered_over_a_restart_with_no_secret_kept(tmp_path, config):
    with started(tmp_path, config) as program:
        assert ask(program, "gate", "CallSid=c0").status == 302  # nothing is known: B
        early = iter(range(1000, 2000))
        until(lambda: admitted(program, early), "the budget")
        given = ask(program, "sales-in", "CallSid=c1", "voicebot")
        url = json.loads(given.body)["url"]
        assert url == f"wss://vendor:{PASSWORD}@a.example/stream?sample-rate=16000"
        for query, keyword in (("digits=9", "people"), ("digits=1", "shop")):
            answer = ask(program, "sorted", f"CallSid=c2&{query}")
            assert (answer.status, json.loads(answer.body)) == (200, {"select": keyword})
        report = json.dumps({"call_sid": "c1", "event": "started"}).encode()
        target = f"/report/sales-in/{SECRETS['sales-in']}".encode()
        told = http(program.address("answer"), target, method="POST", body=report)
        assert told.status == 200
    with started(tmp_path, config) as program:
        late = iter(range(1000))
        until(lambda: admitted(program, late), "the budget, again")
        # One place was given before the restart, one now.
        assert [admitted(program, late) for _ in range(4)] == [True, False, False, False]
        data = ("--data", str(program.data))
        tried = command("endpoint", "test", "sales-in", "--json", *data)
        (found,) = map(json.loads, tried.out.splitlines())
        assert (found["status"], found["option"], found["problem"]) == (200, "A", None)
        said = command("endpoint", "test", "sales-in", *data).out
        assert "200, wss://a.example/stream?sample-rate=16000 by rule 'default'" in said
        assert "vendor-a of pool sales" in said
        until(lambda: "0 left" in asked_as_test(program, "gate"), "the gate, out of room")
        kept = [json.loads(each) for each in command("tail", "--json", *data).out.splitlines()]
        assert {each.get("kind") for each in kept} == {None, "admit", "voicebot"}
        files = [each for each in (program.data / "journal").rglob("*") if each.is_file()]
        journal = b"".join(each.read_bytes() for each in files)
        assert b"wss://a.example/stream" in journal
        for secret in (PASSWORD, *SECRETS.values()):
            assert secret.encode() not in journal
            assert secret not in "".join(program.log)


def test_a_press_holds_over_a_restart_from_the_first_answer_on(tmp_path, config):
    with started(tmp_path, config) as program:
        tell(program, 9, HandSetting(id=1, act=HandAct.OFF, pool="sales"))
        until(
            lambda: (
                ask(program, "sales-in", f"CallSid=c{time.time_ns()}", "voicebot").status == 404
            ),
            "the press",
        )
    with started(tmp_path, config) as program:
        assert switched_off(program, "first")

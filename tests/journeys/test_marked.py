"""Requests marked as tests, on the real program: whoever counts callers sees none of them."""

from __future__ import annotations

import json
import re
import time

from program import Program, command, http, running, until
from switchhook.system.data_folder import read_identity
from switchhook.system.request_mark import HEADER, make_mark

FAILED = "CallSid=t{n}&CallFrom=09812345678&Stream[StreamSID]=s{n}&Stream[Status]=failed"
TESTS = 20


def ask(program: Program, number: int, path: str | None = None) -> int:
    key = read_identity(program.data).key
    mark = make_mark(key, f"{number:016x}", int(time.time()))
    return program.ask(FAILED.format(n=number), path, headers={HEADER: mark}).status


def figures(program: Program) -> dict[str, str]:
    """All that `/metrics` says that counts, and does not only grow with time."""
    text = http(program.address("console"), b"/metrics", headers=program.by_link).body.decode()
    found = dict(re.findall(r"^(switchhook_\S+?) (\S+)$", text, re.M))
    return {
        name: value
        for name, value in found.items()
        if re.search("answer|stream|refus|receipt|passthru|fail|caller", name)
        and not re.search("_seconds|_bytes|_created|age|last|asked", name)
    }


def shown(data):
    """Streams, how many of them failed, and answers, as people are told."""
    now = json.loads(command("now", "--json", *data).out)
    return now["failed"]["streams"], now["failed"]["failed"], now["answers"]["answers"]


def test_nobody_who_counts_sees_a_test(tmp_path):
    with running(tmp_path / "data") as program:
        assert program.ask("CallSid=real&Stream[StreamSID]=r1&Stream[Status]=completed").status
        until(lambda: len(program.receipts()) == 1, "the caller's receipt")
        until(lambda: figures(program).get("switchhook_answers_total") == "1.0", "its count")
        before = figures(program)
        assert {ask(program, number) for number in range(TESTS)} == {302}
        assert ask(program, TESTS, "/passthru/default/wrong-secret-of-nobody") == 403
        # Another caller, and all that came before it is folded and counted.
        program.ask("CallSid=real2&Stream[StreamSID]=r2&Stream[Status]=completed")
        until(lambda: len(program.receipts()) == 2, "the next caller's receipt")
        until(lambda: figures(program).get("switchhook_answers_total") == "2.0", "its count")
        changed = {n: v for n, v in figures(program).items() if before.get(n) != v}
        assert set(changed.values()) <= {"1.0", "2.0"}, changed
        assert program.health("answer")["status"] == "ok"
        data = ("--data", str(program.data))
        streams = [
            json.loads(line) for line in command("streams", "--json", *data).out.split("\n")[:-1]
        ]
        assert {each["sid"] for each in streams} == {"r1", "r2"}
        until(lambda: program.api("verdict")["level"] != "unknown", "the first verdict")
        until(lambda: shown(data) == (2, 0, 2), "what came is counted")
        assert json.loads(command("now", "--json", *data).out)["issues"] == []
        against = command("check", "--against", "1h", *data)
        assert "2" in against.out + against.err
        assert "22" not in against.out + against.err
        assert len(command("tail", "--json", *data).out.splitlines()) == 2
        kept = [
            json.loads(each)
            for each in command("tail", "--tests", "--json", *data).out.splitlines()
        ]
        assert len(kept) == TESTS
        assert {each["cause"] for each in kept} == {"connect_failed"}

"""A single machine becomes a node, as somebody does it: its users, receipts and URLs stay."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from kept_receipts import query
from program import command, http, running, until

pytestmark = pytest.mark.process


def receipts(program, token):
    """The ids of the receipts that the console shows; none while it can't."""
    headers = {"Authorization": f"Bearer {token}"}
    with suppress(OSError):
        reply = http(program.address("console"), b"/api/v1/receipts?limit=100", headers=headers)
        if reply.status == 200:
            return sorted(each["id"] for each in json.loads(reply.body)["receipts"])
    return []


def test_what_a_machine_had_is_what_the_cluster_has(tmp_path, postgresql_schema):
    file, data = tmp_path / "switchhook.toml", tmp_path / "data"
    file.write_text('[log]\nlevel = "info"\n')
    options = ("--config", str(file))
    with running(data, *options) as program:
        path = program.passthru
        for call in range(5):
            program.ask(query(f"before{call}", "s1"))
        made = command("tokens", "make", "robot", "--data", str(data), *options)
        token = made.out.split()[-1]
        before = until(lambda: (found := receipts(program, token))[4:5] and found, "5 receipts")
        file.write_text(f'[cluster]\ndatabase = "{postgresql_schema}"\nname = "first"\n')
        words = ("cluster", "join", "--data", str(data), *options)
        refused = command(*words, code=2)
        assert "stop switchhook serve first" in refused.err
    assert "records of the journal" in command(*words, "--plan").out
    assert "copied and compared" in command(*words).out

    with running(data, *options) as program:
        assert program.passthru == path
        program.ask(query("after", "s1"))
        shown = until(lambda: (found := receipts(program, token))[5:6] and found, "all 6 receipts")
    assert set(shown) > set(before)
    status = command("cluster", "nodes", "--json", "--data", str(data), *options, code=None)
    (node,) = [json.loads(line) for line in status.out.splitlines()]
    assert (node["name"], node["behind"]) == ("first", 0)

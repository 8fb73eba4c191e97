"""Two nodes on one PostgreSQL, as two machines would run them: one leads, each answers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import postgresql as database
from kept_receipts import query
from patience import PATIENCE_S
from program import Program, command, http, until
from switchhook.errors import NotLeaderError
from switchhook.postgresql_server import Fence, connect
from switchhook.store.postgresql.statements import PREFIX
from switchhook.system.data_folder import DataFolder

pytestmark = pytest.mark.process


CONFIG = """
[flags.off]
kind = "boolean"
default = false
[endpoints.default]
auth = "open"
rules = "rules.toml"
"""
RULES = """
[[rule]]
name = "switched off"
when = 'flags.off'
option = "B"
[default]
option = "A"
"""


def free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Node:
    """One of them: `name`, its folder, and the program while it runs; its file has `more`, too."""

    def __init__(self, folder: Path, name: str, url: str, more: str = "") -> None:
        self.name, self.data, self.port = name, folder / name / "data", free_port()
        self.config = folder / name / "switchhook.toml"
        self.config.parent.mkdir()
        self.config.write_text(
            f'[cluster]\ndatabase = "{url}"\nname = "{name}"\n'
            f'address = "http://127.0.0.1:{self.port}"\n{CONFIG}{more}'
        )
        (folder / name / "rules.toml").write_text(RULES)
        self.program: Program | None = None
        self.token, self.asked = "", 0

    def start(self) -> None:
        options = ("--config", str(self.config))
        self.program = Program("serve", self.data, *options, console_port=self.port)
        self.program.wait_until_ready()

    def command(self, *words: str) -> str:
        """A command on its machine, on what runs there."""
        return command(*words, "--data", str(self.data)).out

    def get(self, path: str) -> Any:
        """What its console says of a path of the API; None while it can say nothing."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with suppress(OSError):
            reply = http(("127.0.0.1", self.port), f"/api/v1/{path}".encode(), headers=headers)
            if reply.status == 200:
                return json.loads(reply.body)
        return None

    def signal(self, number: int) -> None:
        """To all of its processes: the supervisor first, which would replace one that hangs."""
        for pid in (self.program.process.pid, *self.program.children().values()):
            os.kill(pid, number)

    def well(self) -> bool:
        return "All well" in command("now", "--data", str(self.data), code=None).out

    def now(self) -> Any:
        return self.get("now")

    def calls(self) -> dict[str, str]:
        """The calls that its console shows, with the option of each."""
        found = self.get("receipts?limit=1000") or {"receipts": []}
        return {each["call_sid"]: each["decision"]["option"] for each in found["receipts"]}

    def switched_off(self) -> bool:
        self.asked += 1
        return self.ask(f"{self.name}{100 + self.asked}") == 302

    def ask(self, call: str) -> int:
        """A caller comes to its answer side."""
        status: int = self.program.ask(query(call, "s1")).status
        return status

    def shows_both(self) -> Any:
        """Who leads, by a page of nodes that has both; None while it hasn't."""
        found = self.get("nodes")
        if found is None or {each["name"] for each in found["nodes"]} != {"one", "two"}:
            return None
        return found["cluster"]["leader"]["name"]


class Cluster:
    """Both, and the database beside them."""

    def __init__(self, nodes: list[Node], database: Any) -> None:
        self.nodes, self.database = nodes, database

    def stop(self) -> None:
        for node in self.nodes:
            if node.program is not None:
                node.program.stop(signal.SIGKILL)

    def leader(self) -> Node | None:
        row = self.database.execute(
            "SELECT name FROM cluster_lease JOIN cluster_node USING (node)"
            " WHERE expires_at > clock_timestamp()"
        ).fetchone()
        return None if row is None else next(each for each in self.nodes if each.name == row[0])

    def epoch(self) -> int:
        epoch: int = self.database.execute("SELECT epoch FROM cluster_lease").fetchone()[0]
        return epoch

    def shows(self, node: Node, calls: dict[str, str]) -> bool:
        return node.calls() == calls

    def other(self, node: Node) -> Node:
        return next(each for each in self.nodes if each is not node)

    def led_by_another(self, before: Node) -> Node | None:
        leader = self.leader()
        return leader if leader is not None and leader is not before else None


@contextmanager
def running(folder, postgresql, more=""):
    """A cluster of two, both running."""
    with ExitStack() as stack:
        schema = stack.enter_context(database.schema(postgresql))
        url = database.text_of(schema.set(drivername="postgresql"))
        beside = stack.enter_context(closing(connect(url)))
        cluster = Cluster([Node(folder, name, url, more) for name in ("one", "two")], beside)
        stack.callback(cluster.stop)
        for node in cluster.nodes:
            node.start()
        first = until(cluster.leader, "a leader")
        made = first.command("tokens", "make", "robot", "--scope", "release")
        for node in cluster.nodes:
            node.token = made.split()[-1]
        yield cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgresql):
    """One of which each test finds both nodes running, and leaves both running."""
    with running(tmp_path_factory.mktemp("nodes"), postgresql) as cluster:
        yield cluster


ITS_TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace"""
SAMPLED = """
SELECT tablename, attname, most_common_vals::text, histogram_bounds::text,
  most_common_elems::text FROM pg_stats WHERE schemaname = current_schema()"""
SPELLED = ("9876543210", b"9876543210".hex())
"""As text, and as bytes are written."""


def switch_off(node):
    """Set the flag on a node's console."""
    headers = {"Authorization": f"Bearer {node.token}", "Content-Type": "application/json"}
    body = json.dumps({"value": True, "reason": "it fails"}).encode()
    at = ("127.0.0.1", node.port)
    return http(at, b"/api/v1/flags/off", method="PUT", headers=headers, body=body).status


def test_both_answer_whoever_leads_and_nothing_is_lost(cluster):
    first = until(cluster.leader, "a leader")
    second = cluster.other(first)
    for node in cluster.nodes:
        assert [node.ask(f"{node.name}{number}") for number in range(3)] == [200] * 3
    before = {f"{node.name}{number}": "A" for node in cluster.nodes for number in range(3)}
    for node in cluster.nodes:
        shows_all = partial(cluster.shows, node, before)
        until(shows_all, f"all calls on {node.name}")
        assert node.command("tail", "--json").count('"call_sid"') == len(before)

    assert switch_off(second) == 200
    for node in cluster.nodes:
        until(node.switched_off, f"the flag to decide on {node.name}")
        assert node.ask(f"{node.name}9") == 302

    first.signal(signal.SIGKILL)
    first.program.stop()
    assert second.ask("alone") == 302
    assert until(lambda: cluster.led_by_another(first), "the other leads") is second
    until(lambda: "alone" in second.calls(), "what came meanwhile")
    assert before.items() <= second.calls().items()
    first.start()
    assert first.ask("back") == 302
    until(lambda: "back" in first.calls(), "what came to the one that is back")
    shown = first.calls()
    assert shown == second.calls()
    last = {"one9": "B", "two9": "B", "alone": "B", "back": "B"}
    assert {**before, **last}.items() <= shown.items()
    asked = [f"{node.name}{100 + at + 1}" for node in cluster.nodes for at in range(node.asked)]
    assert shown.keys() == {*before, *last, *asked}


def test_a_number_is_erased_from_the_journals_of_both(cluster):
    leader = until(cluster.leader, "a leader")
    for node in cluster.nodes:
        raw = query(f"erased-{node.name}", "s7") + b"&CallFrom=%2B919876543210"
        assert node.program.ask(raw).status in (200, 302)
    wanted = {f"erased-{node.name}" for node in cluster.nodes}
    until(lambda: wanted <= leader.calls().keys(), "both calls")
    cluster.database.execute(
        "INSERT INTO silences (matcher, since_ms, until_ms, reason, by)"
        " VALUES ('\\x90', 1, 2, 'asked by +919876543210', 'asha')"
    )
    for (table,) in cluster.database.execute(ITS_TABLES).fetchall():
        cluster.database.execute(f"ANALYZE {table}")  # as the server does at any time
    asked = ("forget", "+919876543210", "--yes", "--json")
    proof = json.loads(cluster.other(leader).command(*asked))
    assert proof["complete"]
    assert {each["name"]: each["found"] for each in proof["nodes"]} == {"one": 1, "two": 1}
    for node in cluster.nodes:
        files = sorted((node.data / "journal").glob("0*"))
        assert files
        assert not any(b"9876543210" in each.read_bytes() for each in files)
    rows = cluster.database.execute("SELECT body FROM cluster_receipt").fetchall()
    assert len(rows) > 2
    assert not any(b"9876543210" in body for (body,) in rows)
    sampled = cluster.database.execute(SAMPLED).fetchall()
    assert {"cluster_receipt", "silences", f"{PREFIX}caller"} <= {table for table, *_ in sampled}
    assert not [each for each in sampled if any(spelled in str(each) for spelled in SPELLED)]
    assert wanted <= leader.calls().keys()


@pytest.mark.parametrize(
    "words",
    [
        ("alerts",),
        ("call", "one0"),
        ("causes",),
        ("flag", "list"),
        ("keep",),
        ("promises", "list"),
        ("release", "list"),
        ("streams", "--json"),
        ("tokens", "list"),
    ],
)
def test_a_command_says_the_same_on_any_node(cluster, words):
    one, two = cluster.nodes
    one.ask("one0")
    for node in cluster.nodes:
        until(node.well, f"the verdict on {node.name}")

    def said(node):
        return command(*words, "--data", str(node.data), code=None)

    # An alert of what the tests before did may still fire, and end between the two.
    until(lambda: said(one) == said(two), "the same")


HELD = """
SELECT split_part(application_name, ' ', 2), array_agg(split_part(application_name, ' ', 3))
FROM pg_stat_activity WHERE datname = current_database()
AND application_name SIMILAR TO 'switchhook (one|two) %' GROUP BY 1"""
PAGE = Path(__file__).parents[2] / "docs/many-nodes.md"


def test_each_node_holds_as_few_connections_as_the_page_says(cluster):
    """At rest, that is: threads that ask at once may take one more for a while."""
    leader = until(cluster.leader, "a leader")
    found = re.search(r"a node holds (\d+), the one that leads (\d+)", PAGE.read_text())
    assert found is not None, "the page says no figures"
    most = {cluster.other(leader).name: int(found[1]), leader.name: int(found[2])}

    def rests():
        held = dict(cluster.database.execute(HELD).fetchall())
        few = all(len(held.get(name, ())) <= count for name, count in most.items())
        each = all({"heartbeat", "lease", "relay", "watch"} <= set(held[name]) for name in held)
        return few and each and {"fold", "ledger", "pages"} <= set(held.get(leader.name, ()))

    until(rests, "no more connections than that")


def health_of(node, **headers):
    return json.loads(http(("127.0.0.1", node.port), b"/healthz", headers=headers).body)


def test_the_console_of_each_node_says_its_own_health(cluster):
    """To those who may see it: version, own problems, and what is wrong with the lead."""
    leader = until(cluster.leader, "a leader")
    other = cluster.other(leader)
    asks = {"Authorization": f"Bearer {other.token}"}
    until(lambda: health_of(other)["status"] == "ok", "all is well")
    assert health_of(other).keys() == {"status"}
    health = health_of(other, **asks)
    assert (health["problems"], health["fold_lag"]) == ([], None)
    assert health["version"] == health_of(leader, **asks)["version"]

    rules = other.config.parent / "rules.toml"
    rules.write_text("broken")
    until(lambda: health_of(other)["status"] == "degraded", "its rules file is refused")
    (problem,) = health_of(other, **asks)["problems"]
    assert "rules of endpoint default" in problem
    assert health_of(leader, **asks)["problems"] == []
    rules.write_text(RULES)
    until(lambda: health_of(other)["status"] == "ok", "all is well again")

    leader.signal(signal.SIGSTOP)
    try:
        said = f"{leader.name} leads, and its console does not answer this node (ReadTimeout)"
        until(lambda: said in health_of(other, **asks)["problems"], "the leader is not reached")
    finally:
        leader.signal(signal.SIGCONT)
    until(lambda: health_of(other)["status"] == "ok", "all is well again")


def test_every_node_shows_what_the_leader_shows_and_the_other_takes_over(cluster):
    first = until(cluster.leader, "a leader")
    for node in cluster.nodes:
        assert until(node.now, f"{node.name} shows the figures")
        assert until(node.shows_both, f"{node.name} shows both nodes") == first.name
    second = cluster.other(first)

    first.signal(signal.SIGSTOP)
    frozen = Fence(cluster.epoch())
    assert until(lambda: cluster.led_by_another(first), "the other leads") is second
    assert until(second.now, "the other shows the figures")
    with pytest.raises(NotLeaderError), cluster.database.transaction():
        frozen.hold(cluster.database)
    first.signal(signal.SIGCONT)
    assert until(first.now, "who led passes on what is asked")
    assert cluster.leader() is second

    second.program.process.send_signal(signal.SIGTERM)
    assert until(lambda: cluster.led_by_another(second), "the first leads again") is first
    assert until(first.now, "it shows the figures")
    second.program.process.wait(PATIENCE_S)
    second.start()


def test_a_node_that_starts_refuses_who_comes_until_it_answers(cluster):
    """So a balancer asks another at once; in a queue its caller would wait for the start."""
    node = cluster.other(until(cluster.leader, "a leader"))
    before = node.ask("before")
    node.program.stop()
    port = free_port()
    with DataFolder.open(node.data, "answer"):  # its answer side waits for that
        options = ("--config", str(node.config))
        node.program = Program(
            "serve", node.data, *options, answer_port=port, console_port=node.port
        )
        until(lambda: "answer" in node.program.children(), "its answer side begins")
        with pytest.raises(ConnectionRefusedError):
            http(("127.0.0.1", port), b"/healthz")
    node.program.wait_until_ready()
    assert node.ask("begun") == before

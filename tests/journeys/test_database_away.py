"""Two nodes whose database goes away, comes back, and is lost: what people see and can do there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from functools import partial

import pytest

import postgresql as database
from cutting_proxy import proxy_to
from journeys.test_two_nodes import Cluster, Node
from kept_receipts import query
from patience import PATIENCE_S
from program import command, http, until
from switchhook.postgresql_server import connect

pytestmark = pytest.mark.process

TWO_COPIES = 'auth = "open"\nkeep = "two-copies"\n'


class Away(Cluster):
    """Both nodes, and the ways of theirs to the database, which a test cuts."""

    def __init__(self, nodes, beside, ways, schema):
        super().__init__(nodes, beside)
        self.ways, self.schema = ways, schema

    def cut(self):
        for way in self.ways:
            way.away = True
            way.cut_all()

    def mend(self):
        for way in self.ways:
            way.away = False

    def all_lead(self):
        """Whether both nodes show pages."""
        return all(node.now() for node in self.nodes)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgresql):
    """Of which each test but the last finds both nodes running and well."""
    folder = tmp_path_factory.mktemp("nodes")
    with ExitStack() as stack:
        schema = stack.enter_context(database.schema(postgresql))
        url = database.text_of(schema.set(drivername="postgresql"))
        ways = [stack.enter_context(proxy_to(url)) for _ in range(2)]
        beside = stack.enter_context(closing(connect(url)))
        named = zip(("one", "two"), ways, strict=True)
        nodes = [Node(folder, name, way.url(url)) for name, way in named]
        for node in nodes:
            text = node.config.read_text()
            node.config.write_text(text.replace('auth = "open"\n', TWO_COPIES))
        found = Away(nodes, beside, ways, url.rpartition("%3D")[2])
        stack.callback(found.stop)
        for node in nodes:
            node.start()
        first = until(found.leader, "a leader")
        made = first.command("tokens", "make", "robot", "--scope", "admin")
        for node in nodes:
            node.token = made.split()[-1]
        until(found.all_lead, "both show pages")
        yield found


def page(node, path="/nodes", **headers):
    """What the console of a node says to somebody's browser who is not signed in."""
    headers = {"Accept": "text/html", **headers}
    reply = http(("127.0.0.1", node.port), path.encode(), headers=headers)
    return reply.status, reply.body.decode()


def is_by_itself(node, seen):
    """Whether its page says that the database is away; what it says until then is in `seen`."""
    status, text = page(node, token=f"Bearer {node.token}")
    seen.append(text)
    return status == 503 and "The database that the nodes share" in text


def api(node, path):
    headers = {"Authorization": f"Bearer {node.token}"}
    reply = http(("127.0.0.1", node.port), f"/api/v1/{path}".encode(), headers=headers)
    return reply.status, json.loads(reply.body)


def health(node, **headers):
    return json.loads(http(("127.0.0.1", node.port), b"/healthz", headers=headers).body)


def run(node, *words):
    return command(*words, "--data", str(node.data), code=None)


def figures(node, behind):
    """The node's own figures, once so many records of it wait, and since when is noted."""
    found = health(node).get("node")
    if found is None or found["behind"] < behind or found["since"] is None:
        return None
    return found


def has_all(node, wanted):
    return wanted <= node.calls().keys()


def is_known(node):
    """Whether it is known how things are: all well, or still that answers left with one copy."""
    return run(node, "now").code == 0


def test_a_database_that_goes_away_keeps_nobody_from_work_and_comes_back(cluster):
    says_by_itself_what_is_wrong_and_shows_what_it_has(cluster)
    falls_back_to_its_own_by_command(cluster)
    has_all_of_it_once_it_is_back(cluster)


def says_by_itself_what_is_wrong_and_shows_what_it_has(cluster):
    one = cluster.nodes[0]
    for node in cluster.nodes:
        assert node.ask(f"before-{node.name}") == 200
    until(lambda: len(one.calls()) >= 2, "both calls")
    cluster.cut()
    seen = []
    for node in cluster.nodes:
        until(partial(is_by_itself, node, seen), f"{node.name} says that the database is away")
        assert node.ask(f"meanwhile-{node.name}") == 200
    assert not any("open its files" in text or "can't open" in text for text in seen)
    assert not any(str(way.port) in text for text in seen for way in cluster.ways)

    status, text = page(one)
    assert status == 503
    for said in ("is away", "Nothing: each node answers", "This node, ", "Answers callers"):
        assert said in text, text
    # The receipt, and the mark that its answer left with one copy.
    found = until(lambda: figures(one, 2), "what waits on its disk")
    assert (found["name"], found["answers"], found["one_copy"]) == ("one", True, 1)
    status, said = api(one, "streams")
    assert status == 503
    assert said["error"]["problem"].startswith("the cluster's database is away for")
    assert "check that the server runs" in said["error"]["hint"].lower()
    stranger = health(one, **{"X-Forwarded-For": "192.0.2.7"})
    assert stranger.keys() == {"status", "problems", "fold_lag"}
    assert len(stranger["problems"]) == 1


def falls_back_to_its_own_by_command(cluster):
    one, _ = cluster.nodes
    own = "this is node one's own journal, other nodes' receipts are not in it"
    for words in (("tail",), ("streams",), ("call", "meanwhile-one")):
        done = run(one, *words)
        assert "meanwhile-one" in done.out
        assert "meanwhile-two" not in done.out
        assert own in done.err
        assert done.code == 1
    for words in (("now",), ("cluster", "status"), ("cluster", "nodes")):
        done = run(one, *words)
        assert (done.code, "The database that the nodes share is away" in done.out) == (1, True)
        assert "answers callers" in done.out
    assert "the cluster's database is away" in run(one, "alerts").err
    doctor = run(one, "cluster", "doctor")
    assert (doctor.code, "check that the server runs" in doctor.out) == (1, True)


def has_all_of_it_once_it_is_back(cluster):
    cluster.mend()
    wanted = {f"{when}-{name}" for when in ("before", "meanwhile") for name in ("one", "two")}
    for node in cluster.nodes:
        until(partial(has_all, node, wanted), f"all calls on {node.name}")
        until(partial(is_known, node), f"the verdict on {node.name}")
        assert "status" in health(node)
    done = run(cluster.nodes[0], "tail")
    assert (done.code, done.err) == (0, "")
    assert "meanwhile-two" in done.out


def awaits(said):
    return "two: awaited, has not begun, away for" in "".join(said)


def erased(node, id):
    status, said = api(node, f"erasures/{id}")
    return said if status == 200 and said["state"] == "done" else None


def said_away(node, id):
    """The node that an erasure awaits, once it is said to be away."""
    _, shown = api(node, f"erasures/{id}")
    (each,) = shown["awaited"]
    return each if each["said"].startswith("has not begun, away for") else None


def test_an_erasure_says_for_whom_it_waits_and_goes_on_without_who_asked(cluster):
    one, two = cluster.nodes
    for node in cluster.nodes:
        raw = query(f"erased-{node.name}", "s7") + b"&CallFrom=%2B919876543210"
        assert node.program.ask(raw).status == 200
    wanted = {"erased-one", "erased-two"}
    until(partial(has_all, one, wanted), "both calls")
    two.program.stop(signal.SIGKILL)
    until(one.now, "the other leads, if it was another")

    words = ("forget", "+919876543210", "--yes", "--data", str(one.data))
    waiting = subprocess.Popen(
        (sys.executable, "-m", "switchhook", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = list[str]()
    following = threading.Thread(target=said.extend, args=(waiting.stderr,), daemon=True)
    following.start()
    until(lambda: awaits(said), "it says who is away")
    until(lambda: "one: done\n" in said, "one has done it")
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(PATIENCE_S) == 130
    following.join(PATIENCE_S)
    told = "".join(said)
    assert "leave by Ctrl-C, and it goes on" in told
    assert "a node that is away erases by itself once it returns" in told
    assert "is not done yet, and it goes on by itself" in told
    id = told.partition("the erasure ")[2].split()[0]

    # The command looks by itself; what leads looked up to a second before.
    each = until(partial(said_away, one, id), "the API says so too")
    assert each["name"] == "two"
    assert f"erasure {id}" in run(one, "keep").out
    two.start()
    proof = until(partial(erased, one, id), "both have erased it")
    assert (proof["complete"], "awaited" in proof) == (True, False)
    for node in cluster.nodes:
        files = sorted((node.data / "journal").glob("0*"))
        assert files
        assert not any(b"9876543210" in each.read_bytes() for each in files)


def test_a_database_that_was_emptied_is_told_in_words_and_is_left_alone(cluster):
    """The last: of the cluster nothing is left."""
    one, two = cluster.nodes
    cluster.database.execute(
        f"DROP SCHEMA {cluster.schema} CASCADE; CREATE SCHEMA {cluster.schema}".encode()
    )
    seen = []
    for node in cluster.nodes:
        until(partial(is_by_itself, node, seen), f"{node.name} says that it is lost")
        assert node.ask(f"lost-{node.name}") == 200
        text = page(node)[1]
        assert "can&#39;t be used" in text
        assert "table of the nodes is missing in it" in text, text
        assert "comes back from its backup" in text
        assert "relation" not in text
        done = run(node, "cluster", "status")
        assert done.code == 1
        assert "no cluster is in it, and this data folder belongs to cluster" in done.out
        assert f"lost-{node.name}" in run(node, "tail").out
        page(node, "/")
        page(node, "/api/v1/nodes", Accept="application/json")
    asked = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
    assert cluster.database.execute(asked, (cluster.schema,)).fetchall() == []
    assert (one.ask("last"), two.ask("last")) == (200, 200)

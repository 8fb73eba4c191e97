"""What a node costs beside a machine that is alone, and an answer where there are several."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest

from benchmarks.machine import cpu_s
from lab.callers import Callers, Order
from lab.hosts import descendants
from lab.nodes import ANSWER, PATHS, Node
from lab.patience import until
from lab.results import Cost, note_cost

pytestmark = pytest.mark.process

_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ (?P<offset>[0-9a-f]+) \S+ \d+ *(?P<path>.*)")
RATE, SECONDS, ROUNDS = 100.0, 8.0, 3
"""For each node."""


def asked(folder: Path, nodes: Sequence[Node], path: str) -> tuple[float, float, float]:
    """CPU of the answer programs, shippers and consoles for each answer, in microseconds."""
    sides = ("answer", "shipper", "console")
    before = [_cpu(nodes, side) for side in sides]
    with ExitStack() as stack:
        crowds = []
        for node in nodes:
            order = Order(node.host.address, ANSWER, [path], RATE, f"cost-{time.time_ns()}")
            crowds.append(stack.enter_context(Callers(order, folder / f"callers-{node.name}")))
        time.sleep(SECONDS)
    answers = [each for crowd in crowds for each in crowd.answers]
    assert all(each.status in {200, 302} for each in answers)
    spent = [_cpu(nodes, side) - was for side, was in zip(sides, before, strict=True)]
    answer, shipper, console = (each * 1e6 / len(answers) for each in spent)
    return answer, shipper, console


def _cpu(nodes: Sequence[Node], side: str) -> float:
    return sum(cpu_s(node.processes()[side]) for node in nodes if side in node.processes())


def _memory(node: Node) -> float:
    """What a machine with this node alone has of it in memory, in MB of 10^6 bytes.

    Clean pages of a file are there once, whoever has mapped them; all else is a process's own.
    """
    own, files = 0, Counter[tuple[str, str]]()
    (supervisor,) = node.host.processes
    for pid in [supervisor.pid, *descendants(supervisor.pid)]:
        clean = Counter[tuple[str, str]]()
        place = ("", "")
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
            name, _, text = line.partition(":")
            if found := _MAPPING.match(line):
                place = found["path"], found["offset"]
            elif place[0].startswith("/") and name in {"Private_Clean", "Shared_Clean"}:
                clean[place] += int(text.split()[0])
            elif name in {"Private_Clean", "Shared_Clean", "Private_Dirty", "Shared_Dirty"}:
                own += int(text.split()[0])
        files |= clean  # of each the most that one of them has
    return (own + files.total()) * 1.024e-3


@pytest.fixture
def fourth(folder, databases, world):
    node = Node("node4", 24, folder, databases.url)
    node.start()
    until(node.answers, "node4 answers")
    yield node
    number = node.number
    node.host.kill()
    world.take_out(number, world.nodes[0])


def test_an_answer_costs_as_much_with_four_nodes_as_with_one(folder, nodes, fourth):
    """Each node asked as often as the one is; rounds in turn, so that what drifts cancels out."""
    pairs = [
        (asked(folder, nodes[:1], PATHS["sales"]), asked(folder, [*nodes, fourth], PATHS["sales"]))
        for _ in range(ROUNDS)
    ]
    one, four = (median(sum(each[at][:2]) for each in pairs) for at in (0, 1))
    what = "CPU of an answer and its hand-over in µs, with one node and with four"
    note_cost(Cost(what, one, four, "1.1 times"))
    assert median(sum(b[:2]) / sum(a[:2]) for a, b in pairs) <= 1.1


def test_a_node_needs_little_more_memory_than_a_machine_that_is_alone(folder, nodes, exotel, told):
    # It has the same accounts, and tells the same of alerts.
    alone = Node("alone", 29, folder, "", exotel=exotel.port, told=told.port)
    try:
        alone.start()
        until(alone.answers, "the one that is alone answers")
        until(alone.shows_pages, "its pages are there")
        for node in (*[alone] * len(nodes), *nodes):  # who leads folds what all were asked
            asked(folder, [node], PATHS["plain"])
        single, many = _memory(alone), max(map(_memory, nodes))  # the leading one among them
    finally:
        alone.host.kill()
    note_cost(Cost("memory of a node's programs in MB", single, many, "60 more"))
    assert many <= single + 60

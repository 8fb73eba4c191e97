"""The way of docs/many-nodes.md, step by step: from one machine with its ledger to three nodes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from kept_receipts import query
from lab.nodes import ANSWER, PATHS, Node
from lab.patience import until

pytestmark = pytest.mark.process

PAGE = (Path(__file__).parents[2] / "docs/many-nodes.md").read_text()


def step(start: str, end: str) -> str:
    return PAGE.partition(start)[2].partition(end)[0]


@pytest.fixture
def machines(folder, databases):
    with databases.of_another_name("by_the_page") as url:
        made = [Node(f"page{n}", 40 + n, folder, "") for n in (1, 2, 3)]
        try:
            yield made, url
        finally:
            for each in made:
                each.host.kill()


def ask(node: Node, call: str) -> int:
    target = f"{PATHS['sales']}?{query(call, DisconnectedBy='bot').decode()}"
    return node.ask(ANSWER, target).status


def test_the_page_leads_from_one_machine_to_three_nodes(machines):
    (first, *others), url = machines
    first.start()
    until(first.shows_pages, "one machine")
    first.token = first.command("tokens", "make", "grafana", "--scope", "admin").split()[-1]
    assert [ask(first, f"before-{n}") for n in range(10)] == [200] * 10

    # 3. The configuration has what the page adds.
    (text,) = re.findall(r"```toml\n(.*?)```", step("3. **The same", "4. **"), re.DOTALL)
    added = tomllib.loads(re.sub(r"(?m)^   ", "", text))
    for node in (first, *others):
        node.configure(url)
        found = tomllib.loads(node.config.read_text())
        assert added["cluster"].keys() - {"database_file"} <= found["cluster"].keys()
        assert found["endpoints"]["sales"]["keep"] == added["endpoints"]["sales"]["keep"]

    # 4. The machine that runs joins first.
    said = step("4. **", "5. **")
    assert "switchhook cluster join --plan" in said
    assert "systemctl stop switchhook" in said
    config = ("--config", str(first.config))
    first.command("cluster", "join", "--plan", *config)
    first.stop()
    first.command("cluster", "join", *config)
    first.start()
    until(first.answers, "it answers as a node")

    # 5. The others, by an empty folder.
    for node in others:
        node.token = first.token
        node.start()
        until(node.answers, f"{node.name} answers")
    assert [ask(node, f"after-{node.name}") for node in others] == [200, 200]

    # 7. All of them show what the first one knew, and what the others were asked.
    wanted = {f"before-{n}" for n in range(10)} | {f"after-{node.name}" for node in others}
    for node in (first, *others):
        until(lambda: wanted <= calls_of(node), f"{node.name} shows all receipts")  # noqa: B023
    assert "3 of 3 nodes are there" in first.command("cluster", "status")


def calls_of(node: Node) -> set[str]:
    found = node.api("receipts?limit=100")
    return {each["call_sid"] for each in found["receipts"]} if found else set()

"""Whoever is told of alerts: a webhook outside the nodes, and an alert to tell of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab.nodes import Node
from lab.patience import until
from webhook import Got, Receiver


class Telling:
    """What is told of a node whose file is refused, from then on."""

    def __init__(self, told: Receiver, node: Node, since: int) -> None:
        self._told, self._node, self._since = told, node, since

    def came(self) -> list[Got]:
        """The messages about it."""
        new = self._told.got[self._since :]
        return [each for each in new if f"node {self._node.name}:" in str(each.body["title"])]

    def until_came(self, count: int) -> None:
        until(lambda: len(self.came()) >= count, f"{count} messages about {self._node.name}")


@contextmanager
def refused(told: Receiver, node: Node) -> Iterator[Telling]:
    """Have a node's file refused, and the first message about it not be answered; then mend it.

    It is over when that was said: each message came once, or again by the same id.
    """
    text, telling = node.config.read_text(), Telling(told, node, len(told.got))
    told.gate.clear()
    node.config.write_text("broken")
    try:
        telling.until_came(1)
        yield telling
        told.gate.set()
    finally:
        told.gate.set()
        node.config.write_text(text)
    until(lambda: _is_over(telling), f"that it is over is told of {node.name}")
    first, *_, last = telling.came()
    again = [each for each in telling.came() if each.id == first.id]
    assert first.id
    assert telling.came() == [*again, last], "each once, or again by its id; the end once"
    assert len(again) <= 2
    assert last.id not in {"", first.id}


def untold(told: Receiver, nodes: Sequence[Node]) -> Node:
    """One of which nothing was told yet: what comes back rests before it is told again."""
    return next(each for each in nodes if not Telling(told, each, since=0).came())


def _is_over(telling: Telling) -> bool:
    return str(telling.came()[-1].body["title"]).endswith("resolved")

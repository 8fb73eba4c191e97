"""The rooms of many owners, dealt out among nodes, and what each node's journal tells of them.

Fed with the journal's records; time is an argument, and nothing is asked. One thread at a time.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from switchhook.answer.place_taken import place_in
from switchhook.routes.dealing import Dealer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.answer.places import Owner
    from switchhook.capacity.facts_document import GoesBy
    from switchhook.journal.source import JournalRecord
    from switchhook.rules.routing import MemberFacts


class DealtRooms:
    """Accounts and members of pools, by what they are as owners of places.

    `node` is the one that records without an origin are of.
    """

    def __init__(self, node: int) -> None:
        self._node = node
        self._dealers: defaultdict[Owner, Dealer] = defaultdict(Dealer)
        self._through: dict[int, int] = {}

    def heard(self, record: JournalRecord) -> None:
        """Hear of a record, each node's in their order."""
        node, seq = record.origin or (self._node, record.seq)
        self._through[node] = seq
        taken = place_in(record) if self._dealers and not record.damage else None
        if taken is not None and not taken.held and taken.owner in self._dealers:
            self._dealers[taken.owner].took(node, seq)

    def through(self, node: int) -> int:
        """The last record of a node that was heard of, by its own number; 0 where none was."""
        return self._through.get(node, 0)

    def goes_by(self, nodes: Mapping[int, Sequence[GoesBy]]) -> dict[int, GoesBy | None]:
        """What each node goes by, as far as all is heard of that it did before; None where not."""
        return {
            node: next((e for e in reversed(found) if e.through <= self.through(node)), None)
            for node, found in nodes.items()
        }

    def of(self, *owner: str) -> Dealer:
        """What deals an owner's room out."""
        return self._dealers[owner]

    def members(
        self,
        known: Mapping[tuple[str, str], MemberFacts],
        nodes: Mapping[int, Sequence[GoesBy]],
        now_ms: int,
    ) -> dict[int, dict[str, dict[str, MemberFacts]]]:
        """What each node is told of pools' members, by pool and name: of room its part."""
        found = self.goes_by(nodes)
        goes_by = {node: None if each is None else each.members_ms for node, each in found.items()}
        told: dict[int, dict[str, dict[str, MemberFacts]]] = {node: {} for node in nodes}
        for (pool, name), facts in known.items():
            rooms: Mapping[int, int | None] = dict.fromkeys(nodes, facts.room)
            if facts.room is not None and (facts.room > 0 or len(nodes) > 1):
                rooms = self.of(pool, name).deal(max(0, facts.room), goes_by, now_ms)
            for node, room in rooms.items():
                part = facts
                if room is not None:
                    through = self.through(node)
                    part = msgspec.structs.replace(
                        facts, room=room, through_seq=through, nodes=len(nodes)
                    )
                told[node].setdefault(pool, {})[name] = part
        return told

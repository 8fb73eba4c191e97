"""Erasures that each node is to do in its own journal: wishes, and what came of them."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.phone_numbers import counted
from switchhook.exotel.spellings import Subject
from switchhook.postgresql_server import connect, explained
from switchhook.retention.erasure import Erasure, NodeErased, NodeState, Phase, proof_of
from switchhook.retention.fingerprints import Remembered

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from psycopg import Connection

    from switchhook.postgresql_server import Fence, Url

# One that left and runs all the same has its journal, and masks it as the others do.
_THERE = "(n.state <> 'left' OR n.seen_at > clock_timestamp() - interval '15 s')"
_WISH = f"""INSERT INTO cluster_erasure (erasure, node, wish)
SELECT %s, n.node, %s FROM cluster_node n WHERE {_THERE} ON CONFLICT (erasure, node)
DO UPDATE SET wish = excluded.wish
WHERE cluster_erasure.wish = '' AND cluster_erasure.state <> 'done'"""  # noqa: S608 - ours
_UNASKED = f"""SELECT 1 FROM cluster_node n WHERE {_THERE} AND NOT EXISTS
(SELECT 1 FROM cluster_erasure e WHERE e.node = n.node AND e.erasure = %s
AND (e.wish <> '' OR e.state = 'done')) LIMIT 1"""  # noqa: S608 - ours
_TOLD = f"""SELECT e.node, coalesce(n.name, ''), e.state, e.until_seq, e.proof,
coalesce(NOT {_THERE}, true) FROM cluster_erasure e LEFT JOIN cluster_node n USING (node)
WHERE e.erasure = %(id)s
UNION ALL SELECT n.node, n.name, 'left', 0, ''::bytea, true FROM cluster_node n
WHERE NOT {_THERE} AND NOT EXISTS
(SELECT 1 FROM cluster_erasure e WHERE e.node = n.node AND e.erasure = %(id)s) ORDER BY 1"""  # noqa: S608 - ours
_REACH = """SELECT coalesce(max(p.place), 0), bool_and(coalesce(d.seq, 0) >= e.until_seq)
FROM cluster_erasure e LEFT JOIN cluster_placed d USING (node)
LEFT JOIN LATERAL (SELECT place FROM cluster_place
WHERE node = e.node AND seq <= e.until_seq ORDER BY seq DESC LIMIT 1) p ON true
WHERE e.erasure = %s AND e.state = 'done' AND e.wish <> ''"""
# The ledger's own table, which whoever leads first makes.
_LEDGER = "SELECT to_regclass('erasures') IS NOT NULL"
_UNTOLD = """SELECT known.id FROM unnest(%s::text[]) AS known (id)
WHERE NOT EXISTS (SELECT FROM erasures e WHERE e.id = known.id)
AND NOT EXISTS (SELECT FROM cluster_erasure c
  WHERE c.erasure = known.id AND c.node = %s AND c.remembered <> '')"""
_TELL = """INSERT INTO cluster_erasure (erasure, node, wish, state, until_seq, proof, remembered)
VALUES (%s, %s, '', %s, %s, %s, %s) ON CONFLICT (erasure, node)
DO UPDATE SET state = excluded.state, until_seq = excluded.until_seq, proof = excluded.proof,
  remembered = excluded.remembered, at = clock_timestamp()"""
_HANDED = "SELECT node, seq FROM cluster_handed"
_PLACED = "SELECT node, seq FROM cluster_placed"
_UNDONE = "SELECT node, until_seq FROM cluster_erasure WHERE erasure = %s AND state <> 'done'"
_BEFORE = """SELECT coalesce(min(place) - 1, (SELECT place FROM cluster_last_place))
FROM cluster_place WHERE steady > %s"""
_LACKING = """SELECT c.remembered FROM cluster_erasure c WHERE c.remembered <> ''
AND NOT EXISTS (SELECT FROM erasures e WHERE e.id = c.erasure) ORDER BY c.erasure, c.node"""


class Wish(msgspec.Struct, frozen=True):
    """What a node is to erase; as of `Erasure`."""

    id: str
    number: str
    masked: str
    by: str
    asked_ms: int
    subject: Subject
    calls: tuple[str, ...]
    forms: int

    def begun(self, until_seq: int) -> Erasure:
        """The erasure of a node's own journal, up to its own number."""
        return Erasure(
            id=self.id,
            number=self.number,
            masked=self.masked,
            by=self.by,
            asked_ms=self.asked_ms,
            until_seq=until_seq,
            subject=self.subject,
            calls=self.calls,
            forms=self.forms,
            phase=Phase.FIND if self.subject is Subject.CUSTOM_FIELD else Phase.JOURNAL,
        )


encode = msgspec.msgpack.Encoder().encode
decode_wish = msgspec.msgpack.Decoder(Wish).decode
decode_progress = msgspec.msgpack.Decoder(Erasure).decode
"""What a node keeps of how far it is: its erasure, without what it is about."""
_decode_remembered = msgspec.msgpack.Decoder(Remembered).decode


def tell_lacking(connection: Connection[Any], node: int, own: Collection[Remembered]) -> None:
    """Tell which of a node's own erasures the database knows nothing of: it was restored.

    What is done comes with its proof, and need not be done in that node's journal again. Raises
    psycopg.Error.
    """
    if not own or connection.execute(_LEDGER).fetchone() != (True,):
        return
    asked = [each.id for each in own], node
    untold = {id for (id,) in connection.execute(_UNTOLD, asked).fetchall()}
    for each in own:
        if each.id in untold:
            state = NodeState.WISHED if each.proof is None else NodeState.DONE
            until_seq = each.until_seq if each.proof is None else each.proof.until_seq
            proof = None if each.proof is None else encode(each.proof)
            bare = encode(msgspec.structs.replace(each, proof=None))
            given = each.id, node, state.value, until_seq, proof, bare
            connection.execute(_TELL, given)


class WishesOfNodes:
    """`NodesErasing` by the database that all share, for the leader. Raises ClusterError."""

    def __init__(self, url: Url, fence: Fence) -> None:
        self._url, self._fence = url, fence

    def wish(self, erasure: Erasure) -> None:
        if self._row(_UNASKED, erasure.id) is None:
            return
        assert erasure.number is not None, "it is known until all is masked"
        wish = Wish(
            erasure.id,
            erasure.number,
            erasure.masked,
            erasure.by,
            erasure.asked_ms,
            erasure.subject,
            erasure.calls,
            erasure.forms,
        )
        with self._connected() as connection, connection.transaction():
            self._fence.hold(connection)
            connection.execute(_WISH.encode(), (erasure.id, encode(wish)))

    def told(self, id: str) -> tuple[NodeErased, ...]:
        with self._connected() as connection:
            return tuple(map(_node_of, connection.execute(_TOLD.encode(), {"id": id})))

    def reach(self, id: str) -> int | None:
        row = self._row(_REACH, id)
        assert row is not None, "an aggregate has a row"
        return int(row[0]) if row[1] in (True, None) else None

    def lacking(self) -> list[Remembered]:
        """The erasures that nodes did and the ledger knows nothing of, as it was restored.

        Of one that several tell, that of who began first.
        """
        with self._connected() as connection:
            rows = connection.execute(_LACKING).fetchall()
        found: dict[str, Remembered] = {}
        for each in (_decode_remembered(row[0]) for row in rows):
            known = found.get(each.id)
            if known is None or each.begun_ms < known.begun_ms:
                found[each.id] = each
        return list(found.values())

    def handed(self) -> dict[int, int]:
        """Up to where each node has handed its journal over."""
        return self._by_node(_HANDED)

    def placed(self) -> dict[int, int]:
        """Up to where each node's journal is in that of all."""
        return self._by_node(_PLACED)

    def undone(self, id: str) -> dict[int, int]:
        """Up to where each node had an erasure to do that it told, and had not done."""
        return self._by_node(_UNDONE, id)

    def last_before(self, at_ms: int) -> int:
        """Up to which number of the journal of all nothing is newer than a time."""
        with self._connected() as connection:
            row = connection.execute(_BEFORE, (at_ms,)).fetchone()
        assert row is not None, "an aggregate has a row"
        return int(row[0])

    def _by_node(self, sql: str, *values: str) -> dict[int, int]:
        with self._connected() as connection:
            return dict(connection.execute(sql.encode(), values).fetchall())

    def forget(self, id: str) -> None:
        with self._connected() as connection:
            with connection.transaction():
                self._fence.hold(connection)
                sql = "UPDATE cluster_erasure SET wish = '' WHERE erasure = %s"
                connection.execute(sql, (id,))
            connection.execute("VACUUM FULL cluster_erasure")  # else its old rows stay in its file

    def _row(self, sql: str, id: str) -> Any:
        with self._connected() as connection:
            return connection.execute(sql.encode(), (id,)).fetchone()

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        with explained(self._url), closing(connect(self._url, "erasing")) as connection:
            connection.execute("SET lock_timeout = '3s'; SET statement_timeout = '30s'")
            yield connection


def _node_of(row: tuple[Any, ...]) -> NodeErased:
    node, name, state, until_seq, kept, left = row
    name = name or counted(node)
    if state != NodeState.DONE:
        known = NodeState.LEFT if left else NodeState(state)
        return NodeErased(node, name, known, until_seq)
    done = decode_progress(kept)
    return NodeErased(
        node=node,
        name=name,
        state=NodeState.DONE,
        until_seq=until_seq,
        found=done.found,
        left=sum(place.left for place in done.places),
        complete=done.complete,
        proof=proof_of(done).proof,
    )

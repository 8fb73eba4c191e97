"""The tables that the nodes share, beside the ledger's and the store's.

Each is written by whom its remark names. Times without a unit in their names are the database's
own; a node's clock stands in its receipts alone, in Unix milliseconds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from switchhook.errors import ClusterError
from switchhook.postgresql_server import TOLD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

_FIRST = """
CREATE TABLE cluster_version (
  one integer PRIMARY KEY CHECK (one = 1),
  version integer NOT NULL,
  oldest integer NOT NULL
);
INSERT INTO cluster_version VALUES (1, 0, 0);
CREATE TABLE cluster (
  one integer PRIMARY KEY CHECK (one = 1),
  id text NOT NULL,
  key bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  base_node bigint,
  base_seq bigint NOT NULL DEFAULT 0
);
CREATE TABLE cluster_node (
  node bigint PRIMARY KEY,
  member text NOT NULL DEFAULT '',
  name text NOT NULL,
  address text NOT NULL DEFAULT '',
  release text NOT NULL,
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'draining', 'left')),
  joined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  left_at timestamptz,
  seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  process text NOT NULL DEFAULT '',
  clock_ms bigint NOT NULL DEFAULT 0,
  last_seq bigint NOT NULL DEFAULT 0,
  segments integer NOT NULL DEFAULT 0,
  waiting_bytes bigint NOT NULL DEFAULT 0,
  one_copy bigint NOT NULL DEFAULT 0,
  told_version bigint NOT NULL DEFAULT 0,
  acked bigint NOT NULL DEFAULT 0,
  runs bytea NOT NULL DEFAULT '',
  problems text[] NOT NULL DEFAULT '{}',
  machine bytea NOT NULL DEFAULT '{}'
);
CREATE TABLE cluster_lease (
  epoch bigint PRIMARY KEY,
  node bigint NOT NULL,
  since timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  wanted bigint
);
CREATE TABLE cluster_led (
  epoch bigint PRIMARY KEY,
  node bigint NOT NULL,
  since timestamptz NOT NULL
);
CREATE FUNCTION cluster_note_leader() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'INSERT' OR new.epoch <> old.epoch THEN
      INSERT INTO cluster_led (epoch, node, since) VALUES (new.epoch, new.node, new.since);
      DELETE FROM cluster_led WHERE since < new.since - interval '7 days';
    END IF;
    RETURN NULL;
  END $$;
CREATE TRIGGER cluster_note_leader AFTER INSERT OR UPDATE OF epoch ON cluster_lease
  FOR EACH ROW EXECUTE FUNCTION cluster_note_leader();
CREATE TABLE cluster_handed (
  node bigint PRIMARY KEY,
  seq bigint NOT NULL,
  segment text NOT NULL,
  hash bigint NOT NULL,
  numbers bigint NOT NULL DEFAULT 0,
  confirmed bigint NOT NULL DEFAULT 0,
  clock_ms bigint NOT NULL DEFAULT 0,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  one_copy bigint NOT NULL DEFAULT 0
);
CREATE TABLE cluster_segment (
  node bigint NOT NULL,
  segment text NOT NULL,
  last_seq bigint NOT NULL,
  confirmed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (node, segment)
);
CREATE TABLE cluster_receipt (
  node bigint NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  segment text NOT NULL,
  kind smallint NOT NULL,
  mono bigint,
  asked bigint,
  option bigint,
  body bytea NOT NULL,
  damage text NOT NULL DEFAULT '',
  hash bigint NOT NULL,
  PRIMARY KEY (node, seq, at)
) PARTITION BY RANGE (at);
CREATE TABLE cluster_receipt_undated (
  LIKE cluster_receipt INCLUDING DEFAULTS,
  PRIMARY KEY (node, seq)
);
-- Statistics are samples of the rows: those of requests would outlive their erasure.
ALTER TABLE cluster_receipt ALTER COLUMN body SET STATISTICS 0;
ALTER TABLE cluster_receipt_undated ALTER COLUMN body SET STATISTICS 0;
CREATE TABLE cluster_conflict (
  node bigint NOT NULL,
  seq bigint NOT NULL,
  hash bigint NOT NULL,
  segment text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (node, seq, hash)
);
CREATE TABLE cluster_place (
  place bigint PRIMARY KEY,
  node bigint NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  steady bigint NOT NULL,
  UNIQUE (node, seq)
);
CREATE INDEX cluster_place_steady ON cluster_place (steady);
CREATE INDEX cluster_place_at ON cluster_place (at, place);
CREATE TABLE cluster_last_place (
  one integer PRIMARY KEY CHECK (one = 1),
  place bigint NOT NULL
);
INSERT INTO cluster_last_place VALUES (1, 0);
CREATE TABLE cluster_placed (
  node bigint PRIMARY KEY,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  steady bigint NOT NULL,
  axis bytea
);
CREATE TABLE cluster_told (
  topic text PRIMARY KEY,
  version bigint NOT NULL,
  epoch bigint NOT NULL,
  body bytea NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE SEQUENCE cluster_told_version;
CREATE TABLE cluster_erasure (
  erasure text NOT NULL,
  node bigint NOT NULL,
  wish bytea NOT NULL,
  state text NOT NULL DEFAULT 'wished' CHECK (state IN ('wished', 'running', 'done')),
  until_seq bigint NOT NULL DEFAULT 0,
  proof bytea,
  remembered bytea NOT NULL DEFAULT '',
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (erasure, node)
);
CREATE INDEX cluster_erasure_remembered ON cluster_erasure (erasure) WHERE remembered <> '';
ALTER TABLE cluster_erasure ALTER COLUMN wish SET STATISTICS 0;
ALTER TABLE cluster_told ALTER COLUMN body SET STATISTICS 0
"""
"""
`cluster_version`: the `version` of these tables, and the `oldest` whose release can still use them.
`cluster`: made by the first node; `key` is that of all their data folders. `base_node` is the
machine whose ledger was taken along: its records up to `base_seq` keep their numbers as places, and
nobody else's comes before them, as that ledger has such numbers.
`cluster_node`: each node writes its own row, each second; `state` is a person's wish, `left_at`
when that was to leave, `member` what the data folder is known by that has this number
(`membership`). The row of one that left goes when nothing of it is kept any more (`leaving`).
`clock_ms` is how far its clock is ahead of the database's, `one_copy` how many answers with one
copy wait to be handed over, `process` a draw of each start of its console. By its relay:
`told_version` is the newest that it was told, `acked` the version of what it alone was told, `runs`
the hashes of its configuration, rules and pools. `machine` is `system.machine.Machine` as
JSON.
`cluster_lease`: one row at most; see `postgresql_server.Fence`. `wanted` is the node that a person
wants to lead. `cluster_led` has who led, of a week; a trigger writes it.
`cluster_handed`: how far each node's journal was handed over, by its shipper in the transaction of
the receipts; `hash`, `numbers` and `segment` are the last record's. Up to `confirmed` a standby is
known to have them, too; `clock_ms` is how far the node's clock was ahead of the database's,
`one_copy` how many of them mark an answer that left while the node alone had its receipt.
`cluster_segment`: the closed segments of each node's journal that were handed over and confirmed,
and since when, by its console: what may be deleted there.
`cluster_receipt`: records by the day of their own time, `cluster_receipt_undated` those of a clock
that is far off; `cluster_conflict` notes what came again with another content.
`cluster_place`: the journal of all nodes, in which the leader gives each record the next number:
gapless, and up to `cluster_placed` in the order of each node's own. `steady` is where in time it
belongs by the database's clock, in Unix ms; within one node it never goes back. `cluster_placed`
has the last record's `at` and `steady`, and how that node's clocks go (`steady_time.Axis`);
`cluster_last_place` the last number that was given, also where it is deleted by now.
`cluster_told`: what all nodes are to have: facts, rules, pools, candidates. A node takes every row
whose version is another than it has: of two that are written at once the later may be smaller.
`cluster_erasure`: what each node is to erase from its own journal, up to its own `until_seq`, and
how far it is, at last its proof. The leader writes `wish` and empties it when all is done, the node
the rest. `remembered` is there where the database had none of it, as it was restored to a moment
before: a `retention.fingerprints.Remembered`, by which the leader finds what was erased.
"""

MIGRATIONS: tuple[str, ...] = (_FIRST,)
"""Number n leads from version n to n + 1; all that are due run in one transaction.

A column that a step adds has a default or may be null: a release of before writes rows without it.
"""

OLDEST = 1
"""The oldest version whose release can use the tables that these steps lead to.

A step first adds what is new, so that the release of before goes on beside it (`OLDEST` stays); a
later release takes away what nobody uses any more (`OLDEST` becomes the version that stopped using
it). Nodes so are upgraded one by one, and a release can be gone back from.
"""

VERSION = len(MIGRATIONS)

_IS_THERE = "SELECT FROM pg_class WHERE relname = 'cluster_version' AND pg_table_is_visible(oid)"
"""Not to_regclass: within a transaction that goes on saying that there was none."""

_LOCK_WAIT = "2s"
"""Statements of the nodes that run would wait behind a step that waits."""


def bring_up(
    connection: Connection[Any],
    migrations: Sequence[str] = MIGRATIONS,
    oldest: int = OLDEST,
    *,
    begin: bool = True,
) -> None:
    """Make the tables, or bring them to this release's version; of several nodes at once one does.

    Without `begin` none are made where there are none: who has joined misses those that it joined.
    Raises ClusterError for that, and where a newer release left nothing that ours could use;
    psycopg.Error.
    """
    version = _check(connection, len(migrations))
    if version >= len(migrations):
        return
    if not version and not begin:
        raise ClusterError(connection.info.dbname, *TOLD["42P01"])
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'".encode())
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('switchhook cluster'))")
        version = _check(connection, len(migrations))
        if version >= len(migrations):
            return
        for step in migrations[version:]:
            connection.execute(step.encode())
        now = {"version": len(migrations), "oldest": oldest}
        connection.execute(
            "UPDATE cluster_version SET version = %(version)s, oldest = %(oldest)s", now
        )


def check_release(connection: Connection[Any]) -> None:
    """Whether this release can use what is there, if anything is. Raises ClusterError."""
    _check(connection, VERSION)


def names() -> list[str]:
    """What the tables are called."""
    return re.findall(r"CREATE TABLE (\w+)", "".join(MIGRATIONS))


def _check(connection: Connection[Any], known: int) -> int:
    """The version of the tables, 0 where there are none. Raises ClusterError."""
    if connection.execute(_IS_THERE).fetchone() is None:
        return 0
    row = connection.execute("SELECT version, oldest FROM cluster_version").fetchone()
    version, oldest = row or (0, 0)
    if oldest > known:
        raise too_new(connection, known)
    return int(version)


def too_new(connection: Connection[Any], known: int = VERSION) -> ClusterError:
    """What a node is told whose release can't use the tables any more."""
    problem = f"its tables are of no use to this release, which knows version {known} of them"
    hint = "upgrade this node to the release that the other nodes run"
    return ClusterError(connection.info.dbname, problem, hint)

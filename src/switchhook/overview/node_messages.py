"""What the sentences of `/healthz` mean that only nodes of a cluster say, and what to do."""

from __future__ import annotations

from switchhook.overview.health_checks import CLOCK, DISK, FOLD, KEEPING, NODES, Meaning

NODE_MESSAGES: tuple[tuple[str, Meaning], ...] = (
    (
        r"this node's receipts are on its disk alone",
        Meaning(
            DISK,
            "The database has other receipts under this node's number: of two machines one runs on"
            " a copy of the other's data folder. Callers are answered.",
            "Take this machine out of the balancer and stop it, and start it with an empty data"
            " folder. What came here alone stays in the old folder's journal.",
        ),
    ),
    (
        r"receipts are kept once, not twice: the database takes longer",
        Meaning(
            DISK,
            "The cluster's database or its standby is slow. Answers leave marked, with one copy.",
            "See what keeps the database: switchhook cluster doctor.",
        ),
    ),
    (
        r"receipts are kept once, not twice: the shipper tells of records",
        Meaning(
            DISK,
            "The database has more of this node's journal than there is here: an older copy of the"
            " data folder runs. Answers leave marked, with one copy.",
            "Bring the newer folder back, or start this machine with an empty one.",
        ),
    ),
    (
        r"receipts are kept once, not twice",
        Meaning(
            DISK,
            "The cluster's database or the shipper is away. Answers leave marked, with one copy.",
            "See why: the shipper's log, and switchhook cluster doctor. All is handed over later.",
        ),
    ),
    (
        r"this node answers callers, yet it left the cluster",
        Meaning(
            NODES,
            "A person had it leave, and it was not stopped, or was started again while the database"
            " was away. Its receipts are handed over.",
            "Take it out of the balancer and stop it; or take it back: switchhook cluster join.",
        ),
    ),
    (
        r"the cluster does not know ",
        Meaning(
            NODES,
            "The database was restored to a time before this node joined, or its row is long gone.",
            "Take it back, on this machine: switchhook cluster join.",
        ),
    ),
    (
        r"another machine runs as ",
        Meaning(
            NODES,
            "One data folder is a copy of the other. Receipts of only one reach the database.",
            "Stop the machine with the copy, and start it with an empty data folder.",
        ),
    ),
    (
        r"the journal is not handed over: its data folder is an? (older )?copy",
        Meaning(
            NODES,
            "The database has other records under this node's number than this machine.",
            "Stop this machine, and start it with an empty data folder; keep the old one aside.",
        ),
    ),
    (
        r"the journal is not handed over: ",
        Meaning(
            NODES,
            "What comes here is on this machine's disk, and on no page yet.",
            "As the reason says: switchhook cluster doctor on this node. All is handed over later.",
        ),
    ),
    (
        r"no node of the cluster leads|.* leads, and its console does not answer",
        Meaning(
            FOLD,
            "Pages, alerts and callbacks pause until a node leads that can be reached.",
            "If it lasts: `switchhook cluster status` on any node.",
        ),
    ),
    (
        r"the nodes can't be told what holds",
        Meaning(
            NODES,
            "Flags, what is set by hand, shares of canaries and figures don't reach the others.",
            "As the reason says; it is tried again by itself.",
        ),
    ),
    (
        r"what all nodes (are told|run)|this node's answer side can't be told",
        Meaning(
            NODES,
            "This node does not get what the leader told all: it goes by what it has.",
            "Run one release on all nodes; else as the reason says.",
        ),
    ),
    (
        r"what nodes handed over is not shown for now",
        Meaning(
            FOLD,
            "The node that leads can't write, or waits for the one whose ledger was taken along.",
            "As the reason says; it is tried again by itself, and nothing is passed over.",
        ),
    ),
    (
        r"the clock of .* the database's",
        Meaning(
            CLOCK,
            "A node's clock is off. Its receipts are ordered by the database's.",
            "Look at time synchronisation on that machine (timedatectl).",
        ),
    ),
    (
        r"what the restored database has again waits to be erased",
        Meaning(
            KEEPING,
            "The database was restored to before an erasure, which can't be done again just now.",
            "As the reason says; it is tried again by itself.",
        ),
    ),
    (
        r"what is to be erased of this node's journal waits",
        Meaning(
            KEEPING,
            "An erasure can't go on on this node, and waits for it.",
            "As the reason says; it is tried again by itself.",
        ),
    ),
)
"""Patterns of the sentences, with their meaning; the first that fits counts."""

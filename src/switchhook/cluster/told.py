"""What all nodes are told: rows of `cluster_told`, each read by every node within a second.

A topic is written whole, and read by those who see that its version is another than they have. No
version is compared by its size: of two transactions that overlap the later may have the smaller
one. Who does what a person wants says so by NOTIFY, a hint; each node looks four times a second.

Moments are told in the database's Unix milliseconds, as nodes' clocks know nothing of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.capacity.facts_document import AccountFigures, Document, Moment, Node
from switchhook.rules.flags import FlagSetting
from switchhook.rules.rollout import Rollout
from switchhook.rules.routing import AdmissionBudget, HandSetting, MemberFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

CHANNEL = "switchhook_told"
ACCOUNTS, HANDS = "facts/accounts", "facts/hands"
FLAGS, ROLLOUTS = "facts/flags", "facts/rollouts"
_NODE, _RUNS, _CANDIDATES, _SHOWN = "facts/node/", "runs/", "candidates/", "shown/"

TELL = """
INSERT INTO cluster_told (topic, version, epoch, body)
VALUES (%s, nextval('cluster_told_version'), %s, %s)
ON CONFLICT (topic) DO UPDATE SET version = excluded.version, epoch = excluded.epoch,
  body = excluded.body, at = clock_timestamp()
RETURNING version
"""
"""Tells a topic anew; takes the topic, the epoch, the body."""
TELL_FIRST = """
INSERT INTO cluster_told (topic, version, epoch, body)
VALUES (%s, nextval('cluster_told_version'), %s, %s) ON CONFLICT DO NOTHING
"""
"""The same where nobody has told it yet."""
TELL_AFTER = """
UPDATE cluster_told SET version = nextval('cluster_told_version'), body = %s,
  at = clock_timestamp() WHERE topic = %s AND version = %s
"""
"""Tells a topic where nobody has since a version; takes the body, the topic, the version."""
NOTIFY = f"SELECT pg_notify('{CHANNEL}', '')"
NOW_MS = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""The database's clock."""


def topic_of_node(node: int) -> str:
    """What one node alone is told."""
    return f"{_NODE}{node}"


def node_of(topic: str) -> int | None:
    """The node that alone is told a topic; None of what all are told."""
    number = topic.removeprefix(_NODE)
    return int(number) if number != topic and number.isdecimal() else None


def topic_of_text(subject: str) -> str:
    """What runs of a subject: an endpoint's rules, or the pools."""
    return f"{_RUNS}{subject}"


def topic_of_candidate(subject: str) -> str:
    """What decides for a share of a subject's callers beside what runs."""
    return f"{_CANDIDATES}{subject}"


def topic_of_shown(name: str) -> str:
    """What the leader's console says, for commands on other nodes."""
    return f"{_SHOWN}{name}"


def shown_of(topic: str) -> str | None:
    """The name of a topic that is for commands; None of another."""
    return topic.removeprefix(_SHOWN) if topic.startswith(_SHOWN) else None


def words_of(topic: str) -> str:
    """What a topic is about, in words."""
    known = {
        ACCOUNTS: "accounts",
        HANDS: "what is set by hand",
        FLAGS: "flags",
        ROLLOUTS: "canaries",
    }
    if topic.startswith(_NODE):
        return "members of pools and room for admission"
    return known.get(topic) or subject_words(topic.partition("/")[2])


def subject_words(subject: str) -> str:
    """A subject in words: `the rules of sales`, `pools`."""
    endpoint = subject.removeprefix("rules/")
    return f"the rules of {endpoint}" if endpoint != subject else subject


def is_text(topic: str) -> bool:
    """Whether a topic is a running text or a candidate, and no fact."""
    return topic.startswith((_RUNS, _CANDIDATES))


def subject_of_text(topic: str) -> str | None:
    """The subject of a topic that is a running text; None of another."""
    return topic.removeprefix(_RUNS) if topic.startswith(_RUNS) else None


def subject_of_candidate(topic: str) -> str | None:
    """The subject of a topic that is a candidate; None of another."""
    return topic.removeprefix(_CANDIDATES) if topic.startswith(_CANDIDATES) else None


class ToldRow(msgspec.Struct, frozen=True):
    """A topic as it was read; an empty body says that there is nothing any more."""

    version: int
    body: bytes


class ToldText(msgspec.Struct, frozen=True):
    """A text that runs on all nodes since `at` (ISO 8601, UTC), and who brought it.

    `release` is its number, 0 where a file brought it.
    """

    text: str
    hash: str
    by: str
    at: str
    release: int = 0


class ToldCandidate(msgspec.Struct, frozen=True):
    """A release beside what runs; `beside` is the hash of that, empty for the built-in."""

    number: int
    hash: str
    text: str
    beside: str = ""


class ToldShown(msgspec.Struct, frozen=True):
    """What the console of `node` said at `told_ms`, as the files of its data folder have it."""

    node: int
    told_ms: int
    body: msgspec.Raw


class ToldFigures(msgspec.Struct, frozen=True):
    """The accounts' figures; their moments are the database's."""

    accounts: dict[str, AccountFigures]


class ToldRollouts(msgspec.Struct, frozen=True):
    """Who decides for which share; `told_ms` is up to when the leader had followed the journal."""

    rollouts: tuple[Rollout, ...]
    told_ms: int


class Shares(msgspec.Struct, frozen=True):
    """Who decides for which share, and up to when the leader had followed the journal."""

    rollouts: tuple[Rollout, ...] = ()
    told: Moment = Moment()


class Figures(msgspec.Struct, frozen=True):
    """The accounts' figures."""

    accounts: dict[str, AccountFigures] = {}


class ToldNode(msgspec.Struct, frozen=True):
    """What one node is told alone: members by pool, budgets by account, and when; 0 is never."""

    members: dict[str, dict[str, MemberFacts]] = {}
    members_ms: int = 0
    budgets: dict[str, AdmissionBudget] = {}
    budgets_ms: int = 0


_HANDS_OF = msgspec.json.Decoder(tuple[HandSetting, ...])
_FLAGS_OF = msgspec.json.Decoder(tuple[FlagSetting, ...])
_FIGURES_OF = msgspec.json.Decoder(ToldFigures)
_ROLLOUTS_OF = msgspec.json.Decoder(ToldRollouts)
_SHOWN_OF = msgspec.json.Decoder(ToldShown)
_NODE_OF = msgspec.json.Decoder(ToldNode)
_TEXT_OF = msgspec.json.Decoder(ToldText)
_CANDIDATE_OF = msgspec.json.Decoder(ToldCandidate)

encode = msgspec.json.Encoder().encode


def read_text(body: bytes) -> ToldText:
    """Raises msgspec.DecodeError."""
    return _TEXT_OF.decode(body)


def read_candidate(body: bytes) -> ToldCandidate | None:
    """None where there is none any more. Raises msgspec.DecodeError."""
    return _CANDIDATE_OF.decode(body) if body else None


def read_shown(body: bytes) -> ToldShown:
    """Raises msgspec.DecodeError."""
    return _SHOWN_OF.decode(body)


def read_node(body: bytes) -> ToldNode:
    """Raises msgspec.DecodeError."""
    return _NODE_OF.decode(body)


class Clocks(msgspec.Struct, frozen=True):
    """One moment by three clocks: the database's, this node's, its monotonic one; all in ms.

    The node's are of no later than the database's: what is reckoned by them is rather too old.
    """

    database_ms: int
    now_ms: int
    mono_ms: int

    def there(self, moment: Moment) -> int:
        """A moment of this node's by the database's clock; 0 is never."""
        if moment.mono_ms is not None:
            return self.database_ms - (self.mono_ms - moment.mono_ms)
        return self.database_ms - (self.now_ms - moment.at_ms) if moment.at_ms else 0

    def here(self, database_ms: int) -> Moment:
        """A moment of the database's clock by those of this node."""
        age_ms = self.database_ms - database_ms
        return Moment(self.now_ms - age_ms, self.mono_ms - age_ms)


class Shown(msgspec.Struct, frozen=True):
    """What the console of a node says, as JSON."""

    node: int
    body: bytes
    told: Moment


Content = bytes | Figures | Shares | Node | Shown


def encoded(content: Content, clocks: Clocks) -> bytes:
    """What a topic's row holds; the moments in it become the database's."""
    match content:
        case Figures(accounts=accounts):
            figures = {
                name: msgspec.structs.replace(
                    each, at_ms=clocks.there(Moment(each.at_ms, each.mono_ms)), mono_ms=None
                )
                for name, each in accounts.items()
            }
            return encode(ToldFigures(figures))
        case Shares(rollouts=rollouts, told=moment):
            return encode(ToldRollouts(rollouts, clocks.there(moment)))
        case Shown(node=node, body=body, told=moment):
            return encode(ToldShown(node, clocks.there(moment), msgspec.Raw(body)))
        case Node():
            return encode(
                ToldNode(
                    content.members,
                    clocks.there(content.members_told),
                    content.budgets,
                    clocks.there(content.budgets_told),
                )
            )
    return content


def taken(document: Document, topic: str, body: bytes, clocks: Clocks, node: int) -> Document:
    """The facts of a node once it has read a topic of them. Raises msgspec.DecodeError."""
    replace = msgspec.structs.replace
    if topic == HANDS:
        return replace(document, hands=_HANDS_OF.decode(body))
    if topic == FLAGS:
        return replace(document, flags={each.flag: each for each in _FLAGS_OF.decode(body)})
    if topic == ACCOUNTS:
        figures = _FIGURES_OF.decode(body).accounts
        return replace(
            document, accounts={name: _here(each, clocks) for name, each in figures.items()}
        )
    if topic == ROLLOUTS:
        told = _ROLLOUTS_OF.decode(body)
        moment = clocks.here(told.told_ms)
        return replace(document, rollouts=told.rollouts, rollouts_told=moment)
    if topic == topic_of_node(node):
        return replace(document, nodes={node: _node_here(read_node(body), clocks)})
    return document


def _here(figures: AccountFigures, clocks: Clocks) -> AccountFigures:
    moment = clocks.here(figures.at_ms)
    return msgspec.structs.replace(figures, at_ms=moment.at_ms, mono_ms=moment.mono_ms)


def _node_here(told: ToldNode, clocks: Clocks) -> Node:
    return Node(
        members=told.members,
        members_told=clocks.here(told.members_ms) if told.members_ms else Moment(),
        budgets=told.budgets,
        budgets_told=clocks.here(told.budgets_ms) if told.budgets_ms else Moment(),
    )


def versions(connection: Connection[Any]) -> dict[str, int]:
    """The version of each topic. Raises psycopg.Error."""
    return dict(connection.execute("SELECT topic, version FROM cluster_told").fetchall())


def rows(connection: Connection[Any], topics: Iterable[str]) -> dict[str, ToldRow]:
    """Those topics as they are now. Raises psycopg.Error."""
    asked = "SELECT topic, version, body FROM cluster_told WHERE topic = ANY(%s)"
    return {
        topic: ToldRow(version, bytes(body))
        for topic, version, body in connection.execute(asked, (list(topics),))
    }


def tell(connection: Connection[Any], bodies: Mapping[str, bytes], epoch: int) -> None:
    """Tell topics anew, by name; the transaction is the caller's. Raises psycopg.Error."""
    for topic in sorted(bodies):  # in one order: two who tell several never wait for each other
        connection.execute(TELL, (topic, epoch, bodies[topic]))

"""What is kept of one passthru, and the journal that keeps it.

A receipt holds what decided: the raw request (secrets replaced by fingerprints), the facts and the
local time that the rules saw, and the decision. Everything else, the parsed passthru included, is
read from it again by whoever looks.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.exotel.passthru import Defect
from switchhook.exotel.wire import passthru, status_callback
from switchhook.exotel.wire.request import Request
from switchhook.journal.record_kind import RecordKind as RecordKind
from switchhook.rules.admission import AdmissionSeen
from switchhook.rules.decide import Decision
from switchhook.rules.flags import FlagValue
from switchhook.rules.rollout import RolloutSeen
from switchhook.rules.routing import Route
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.exotel.passthru import Passthru
    from switchhook.exotel.wire.status_callback import StatusCallback
    from switchhook.journal.source import JournalRecord


class Keep(StrEnum):
    """Where a receipt is to be kept before its answer leaves: here, or in the database too."""

    LOCAL = "local"
    TWO_COPIES = "two-copies"


class Auth(msgspec.Struct, frozen=True):
    """How a request proved itself: `state` ok, open, missing or wrong; `by` path, query, basic."""

    state: str
    by: str | None = None


class Receipt(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One passthru, as kept. Its id is made of the record's place in the journal.

    `received_us` is the system's clock in microseconds of Unix time when the request was whole;
    `zone` and `region` are the endpoint's at that time, so that it can be decided again.
    """

    received_us: int
    endpoint: str
    method: str
    raw: bytes
    decision: Decision
    http_status: int
    body: bytes = b""
    content_type: str | None = None
    head_problem: str | None = None
    body_problem: str | None = None
    auth: Auth = Auth("open")
    peer: str | None = None
    facts: AccountFacts = AccountFacts()
    zone: str = "Asia/Kolkata"
    region: str = "IN"
    mode: str = "sync"
    repeat_of: str | None = None
    decided_in_us: int = 0
    test: str | None = None
    """The number of a test that was marked as one; it is kept as a record of kind TEST."""
    rollout: RolloutSeen | None = None
    """Where a candidate of the endpoint's rules decides for a share of the callers: the side."""
    flags: dict[str, FlagValue] = {}
    """What the flags that the rules read were for this caller, by name."""
    engine: str = ""
    """The version of the rule engine that decided; empty in receipts from before it was kept."""
    keep: Keep = Keep.LOCAL
    """What the endpoint asked for. Of two copies there was one where a record ONE_COPY says so."""


class AdmissionGiven(Receipt, frozen=True, omit_defaults=True, kw_only=True):
    """A receipt of an endpoint of kind admit: what was known of room, and what became of it.

    `admission` is None where the rules refused the call or nothing could be decided. `admitted` is
    whether the call takes a place from now on: not where it is refused, asked by HEAD, a repeat or
    a test.
    """

    account: str = ""
    admission: AdmissionSeen | None = None
    admitted: bool = False


class AddressGiven(Receipt, frozen=True, omit_defaults=True, kw_only=True):
    """A receipt of a dynamic URL: which member of a pool takes the call, and why it.

    `route` is None where deciding failed or a person sent the callers to the fallback. `address` is
    what was given with nothing secret in it, empty where none was; `fallback` is whether it is the
    endpoint's. `http_status` is then what was answered in its place.
    """

    account: str = ""
    route: Route | None = None
    address: str = ""
    fallback: bool = False
    pools_rollout: RolloutSeen | None = None
    """Where a candidate of the pools is drawn among for a share of the callers: the side."""


class BotReportReceived(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a bot reports of one event of a stream; `journal.bot_report` reads `raw`.

    `raw` is one JSON object with secrets replaced by fingerprints; `account` the endpoint's.
    """

    received_us: int
    endpoint: str
    raw: bytes
    account: str = ""
    peer: str | None = None


class Late(msgspec.Struct, frozen=True):
    """The receipt `seq` became durable `late_ms` after its answer had to leave."""

    seq: int
    late_ms: int


class OneCopy(msgspec.Struct, frozen=True):
    """The answer to the receipt `seq` left, or was about to, before the receipt was kept twice."""

    seq: int


class ConfigApplied(msgspec.Struct, frozen=True):
    """A file that checked out and is used from now on. `name` is `config` or `rules/<endpoint>`."""

    name: str
    hash: str
    text: str
    by: str


class ClockStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """The system's clock moved by `step_ms` against the monotonic one.

    `boot` is whether the machine started since the record before: the monotonic one began anew.
    """

    step_ms: int = 0
    boot: bool = False


class Counters(msgspec.Struct, frozen=True):
    """What was counted since the last record of this kind, by reason.

    `peaks` are no sums: the greatest that something was in that time, such as `waiting`, the
    callers who waited for their answer at once.
    """

    counts: dict[str, int]
    peaks: dict[str, int] = {}


ANSWER_BOUNDS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""Where the buckets of answer times end, each bound included."""
ANSWER_BUCKETS = (
    *(f"answer_ms <= {bound}" for bound in ANSWER_BOUNDS_MS),
    f"answer_ms > {ANSWER_BOUNDS_MS[-1]}",
)
"""What each bucket is counted under; an answer is in one of them."""
ANSWER_US = "answer_us"
"""All answer times together are counted under this, in microseconds."""
ANSWERED_UNREAD = "answered, its head not readable"
"""Passthrus that proved their secret though their head could not be read whole."""
UNREADABLE = "unreadable: "
"""Begins what requests are counted under whose head could not be read, before the reason."""
ANSWERED_ALONE = "answered with one copy"
"""Answers that left before their receipt was kept twice, though their endpoint asked for that."""
WAITING = "waiting"
"""The peak of the callers who waited for their answer."""


class Sample(msgspec.Struct, frozen=True):
    """A refused request that looks like a passthru, with nothing secret in it.

    Of one that could not be read there is no endpoint, and `raw` is its first few bytes.
    """

    endpoint: str
    reason: str
    raw: bytes
    peer: str | None


class StatusReceived(msgspec.Struct, frozen=True, omit_defaults=True):
    """A StatusCallback, as an account's caller sent it; `exotel.wire.status_callback` reads `raw`.

    `account` is the operator's name for the account. `raw` has secrets replaced by fingerprints,
    and only its beginning where `problem` says so. `query` is what stood in the URL beside.
    """

    received_us: int
    account: str
    raw: bytes
    content_type: str | None = None
    peer: str | None = None
    problem: str | None = None
    query: bytes = b""


class HeartbeatReceived(msgspec.Struct, frozen=True, omit_defaults=True):
    """A Heartbeat, as it came: JSON with no fixed form; of a long one only the beginning.

    `account` is the operator's name for the account; secrets in `body` are fingerprints.
    """

    received_us: int
    account: str
    body: bytes
    peer: str | None = None
    problem: str | None = None


encode = msgspec.msgpack.Encoder().encode
decode_receipt = msgspec.msgpack.Decoder(Receipt).decode
decode_admission = msgspec.msgpack.Decoder(AdmissionGiven).decode
decode_address = msgspec.msgpack.Decoder(AddressGiven).decode
decode_bot_report = msgspec.msgpack.Decoder(BotReportReceived).decode
decode_one_copy = msgspec.msgpack.Decoder(OneCopy).decode
decode_status = msgspec.msgpack.Decoder(StatusReceived).decode

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as it counts
_ID_LENGTH = 26  # 130 bits hold 48 of time, 48 of sequence, 32 of node
_SEQ_BITS, _NODE_BITS = 48, 32
_BY_TIME = "~"
_PAIRS = [one + two for one in _ALPHABET for two in _ALPHABET]  # half as many steps
_SHIFTS = range(120, -1, -10)


def receipt_id(at_ms: int, node: int, seq: int) -> str:
    """An id, unique across nodes: milliseconds, sequence, node, in base 32; see `order_of`."""
    number = (at_ms << _SEQ_BITS | seq) << _NODE_BITS | node
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def id_of(record: JournalRecord, node: int) -> str:
    """The id of a receipt, by its own number in the journal of the node that kept it.

    `node` is that of a journal of one node.
    """
    if (origin := record.origin) is None:
        return receipt_id(record.at, node, record.seq)
    return receipt_id(record.at, origin.node, origin.seq)


def order_text(record: JournalRecord) -> str:
    """What a receipt of several nodes' journal is ordered by; empty where its id does.

    The numbers of two nodes say nothing of each other, but within a node steady time goes with
    them: so times order the receipts of all.
    """
    if record.origin is None or record.steady is None:
        return ""
    return _BY_TIME + receipt_id(record.steady, record.origin.node, record.origin.seq)


def parse_receipt_id(text: str) -> tuple[int, int, int] | None:
    """`(at_ms, node, seq)` of an id; None for a text that is none."""
    if len(text) != _ID_LENGTH:
        return None
    number = 0
    for letter in text:
        digit = _ALPHABET.find(letter)
        if digit < 0:
            return None
        number = number * 32 + digit
    node = number & (1 << _NODE_BITS) - 1
    seq = number >> _NODE_BITS & (1 << _SEQ_BITS) - 1
    return number >> (_NODE_BITS + _SEQ_BITS), node, seq


@lru_cache(65_536)
def order_of(id: str) -> tuple[int, int, int, str]:
    """What ids are ordered by: the journal's number, as the time in them is of a clock that steps.

    Those of several nodes (`order_text`) go by their time, then by node and number. A text that is
    none comes first.
    """
    if id.startswith(_BY_TIME) and (place := parse_receipt_id(id[len(_BY_TIME) :])):
        return *place, id
    place = parse_receipt_id(id)
    return (0, 0, 0, id) if place is None else (place[2], place[0], place[1], id)


def _parse(request: Request, region: str) -> Passthru:
    return passthru.parse(request, region=region)


class Journal(Protocol):
    """Where receipts are kept, as the answer side sees it. Called in the loop's thread only."""

    @property
    def next_seq(self) -> int: ...

    @property
    def healthy(self) -> bool:
        """Whether a caller may be made to wait for the disk."""

    def append(
        self,
        kind: int,
        at: int,
        body: bytes,
        *,
        mono: int | None = None,
        asked: int | None = None,
        option: int | None = None,
        done: Callable[[bool], None] | None = None,
    ) -> int | None:
        """Queue a record; its number, or None where the memory for waiting ones is full.

        `done` is called in the loop's thread: True once the record is durable, False if the
        database refused it and its bytes were set aside.
        """

    def mark_slow(self) -> None:
        """A deadline passed before a record was durable: make no caller wait until a trial."""


def read_passthru(receipt: Receipt, read: Callable[[Request, str], Passthru] = _parse) -> Passthru:
    """The passthru that a receipt keeps; what of the request did not come whole is a defect.

    `read` is what reads the request; by itself the one that all others must equal.
    """
    request = Request(receipt.raw, receipt.method, receipt.content_type, receipt.body)
    found = read(request, receipt.region)
    parts = (("head", receipt.head_problem), ("body", receipt.body_problem))
    unread = tuple(Defect(part, problem) for part, problem in parts if problem is not None)
    return msgspec.structs.replace(found, noted=unread + found.noted) if unread else found


def read_callback(received: StatusReceived) -> StatusCallback | None:
    """The StatusCallback that was received; None where it names neither a call nor a status."""
    request = Request(received.query, "POST", received.content_type, received.raw)
    return status_callback.parse(request)

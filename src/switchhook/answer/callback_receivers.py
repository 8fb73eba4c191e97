"""The webhooks that Exotel sends beside passthrus: StatusCallback and Heartbeat.

Nobody waits for their answers, so the rule is the other way round: 200 says that the webhook is
durable, and whatever can't be kept in time is answered 503. Exotel tries a webhook again after
5 and 15 minutes where the answer wasn't a 2xx or didn't come within 15 s (exotel-platform E.3), so
none is lost by a slow disk, and one that comes twice tells nothing new. What they hold in memory
has a ceiling of its own, far below the passthrus'.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

import msgspec

from switchhook.answer.authentication import Refusal, prove
from switchhook.answer.http.messages import BODY_TOO_LONG, Answer, LongBody
from switchhook.answer.redact import Redactor
from switchhook.journal.receipt import HeartbeatReceived, RecordKind, StatusReceived

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.answer.http.messages import Head, Reply

DEADLINE_MS = 10_000
"""How long a webhook waits for the disk; Exotel gives up after 15 s."""
READ_BYTES = 10 * 1024 * 1024
"""Exotel's own limit of a heartbeat; beyond it says PAYLOAD_TOO_LARGE instead."""
KEPT_BYTES = 64 * 1024
READ_TIME_S = 10.0
MOST_WAITING_BYTES = 4 * 1024 * 1024
"""What all webhooks that wait for the disk may take of the memory that receipts wait in."""

_ROOTS = ((b"/status/", RecordKind.STATUS), (b"/heartbeat/", RecordKind.HEARTBEAT))
_WORDS = {RecordKind.STATUS: "status", RecordKind.HEARTBEAT: "heartbeat"}
_LONGEST_TYPE = 200

_THANKS = Answer(200)
_TRY_AGAIN = Answer(503, b"not kept: send it again later\n")
_NOT_WHOLE = Answer(400, b"the body didn't arrive whole: send it again\n")
_CUT = f"longer than {KEPT_BYTES:,} bytes, of which the first are kept"

_UNKNOWN = Refusal(404, "unknown account", "no such account\n")
_METHOD = Refusal(405, "webhook method", "webhooks come by POST\n")


class ReceivingAccount(msgspec.Struct, frozen=True):
    """An account whose webhooks are received: the operator's name for it, and its secrets.

    Of a kind without a secret none are received.
    """

    name: str
    secrets: Mapping[RecordKind, tuple[bytes, ...]]
    redactor: Redactor


class Webhook(LongBody, frozen=True):
    """The token of one that proved its secret."""

    kind: RecordKind
    account: ReceivingAccount


class Keep(Protocol):
    """Puts a record into the journal; False where memory has no room for it."""

    def __call__(
        self, kind: RecordKind, record: msgspec.Struct, done: Callable[[bool], None]
    ) -> bool: ...


def admit(accounts: Mapping[str, ReceivingAccount], head: Head) -> Webhook | Refusal | None:
    """Judge a head by its path and its secret; None for a path that is no webhook's."""
    root, kind = next((each for each in _ROOTS if head.path.startswith(each[0])), (b"", None))
    if kind is None:
        return None
    name, _, secret = head.path[len(root) :].partition(b"/")
    account = accounts.get(normalize("NFC", unquote_to_bytes(name).decode("utf-8", "replace")))
    secrets = account and account.secrets.get(kind)
    if account is None or not secrets:
        return _UNKNOWN
    auth = prove(secrets, secret.rstrip(b"/"), head)
    if auth.by is None:
        return Refusal(403, f"webhook secret {auth.state}", f"the secret is {auth.state}\n")
    if head.method != "POST":
        return _METHOD
    return Webhook(READ_BYTES, KEPT_BYTES, READ_TIME_S, kind, account)


class _Pending:
    """A webhook that is not thanked for yet; `unkept` of its records are not durable."""

    __slots__ = ("due_ns", "reply", "unkept")

    def __init__(self, reply: Reply, due_ns: int, unkept: int) -> None:
        self.reply: Reply | None = reply
        self.due_ns, self.unkept = due_ns, unkept


class Receivers:
    """Keeps webhooks and answers them. Called in the loop's thread only; never blocks."""

    def __init__(self, keep: Keep, counts: Counter[str]) -> None:
        self._keep, self._counts = keep, counts
        self._pending: deque[_Pending] = deque()
        self._held = 0

    def take(
        self,
        head: Head,
        webhook: Webhook,
        body: bytes,
        problem: str | None,
        reply: Reply,
        peer: str,
        received_us: int,
        now_ns: int,
    ) -> None:
        """Keep one and reply: 200 once it is durable, 503 when it isn't in time, 400 if cut off."""
        if problem is not None and problem != BODY_TOO_LONG:
            self._counts[f"webhook: {problem}"] += 1
            reply(_NOT_WHOLE)
            return
        cut = _CUT if problem is not None or len(body) > KEPT_BYTES else None
        kept = webhook.account.redactor(body[:KEPT_BYTES])
        record = _record(webhook, head, kept, cut, received_us, peer)
        size = len(kept) + len(head.query)
        self.hold(webhook.kind, [record], _WORDS[webhook.kind], size, reply, now_ns)

    def hold(
        self,
        kind: RecordKind,
        records: Sequence[msgspec.Struct],
        word: str,
        size: int,
        reply: Reply,
        now_ns: int,
    ) -> None:
        """Keep what one webhook said, and reply: 200 once all of it is durable, else 503.

        `word` is what it is counted as, `size` what it takes of the memory, in bytes.
        """
        if self._held + size > MOST_WAITING_BYTES:
            self._counts["webhook refused: too many wait"] += 1
            reply(_TRY_AGAIN)
            return
        pending = _Pending(reply, now_ns + DEADLINE_MS * 1_000_000, len(records))
        self._held += size

        def done(durable: bool) -> None:
            pending.unkept -= 1
            if pending.unkept == 0:
                self._held -= size
            if pending.unkept == 0 or not durable:
                self._answer(pending, _THANKS if durable else _TRY_AGAIN)

        kept = [self._keep(kind, record, done) for record in records]
        if all(kept):
            self._counts[f"{word} received"] += 1
            self._pending.append(pending)
        for each in kept:
            if not each:
                done(False)

    def sweep(self, now_ns: int, *, everything: bool = False) -> None:
        """Answer 503 where the deadline has passed, or to all that wait, at the end."""
        pending = self._pending
        while pending and (everything or pending[0].reply is None or pending[0].due_ns <= now_ns):
            self._answer(pending.popleft(), _TRY_AGAIN)

    def _answer(self, pending: _Pending, answer: Answer) -> None:
        reply, pending.reply = pending.reply, None
        if reply is None:
            return
        if answer is _TRY_AGAIN:
            self._counts["webhook not kept in time"] += 1
        reply(answer)


def _record(
    webhook: Webhook, head: Head, kept: bytes, cut: str | None, received_us: int, peer: str
) -> HeartbeatReceived | StatusReceived:
    account = webhook.account
    if webhook.kind is RecordKind.HEARTBEAT:
        return HeartbeatReceived(received_us, account.name, kept, peer, cut)
    return StatusReceived(
        received_us,
        account.name,
        kept,
        head.content_type and head.content_type[:_LONGEST_TYPE],
        peer,
        cut,
        account.redactor(head.query[:KEPT_BYTES]),
    )

"""StatusCallbacks and Heartbeats: kept first and thanked then, and never in a passthru's way."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Unpack
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer.callback_receivers import (
    DEADLINE_MS,
    KEPT_BYTES,
    MOST_WAITING_BYTES,
    READ_BYTES,
    ReceivingAccount,
)
from switchhook.answer.http.messages import (
    BODY_BROKEN_OFF,
    BODY_CHUNKS_BROKEN,
    BODY_LATE,
    BODY_TOO_LONG,
    CLOSE,
    Answer,
    build_response,
)
from switchhook.answer.redact import Redactor
from switchhook.config import EndpointConfig
from switchhook.exotel.wire.request import Request
from switchhook.exotel.wire.status_callback import (
    Heartbeat,
    StatusCallback,
    build_full,
    build_heartbeat,
    build_minimal,
    parse,
    parse_heartbeat,
)
from switchhook.journal.receipt import HeartbeatReceived, RecordKind, StatusReceived, read_passthru

from .desk import KEY, START_US, TAKES_A, Desk, HeadFields, head_of

STATUS_SECRET, HEARTBEAT_SECRET = "dddd-secret-of-status-1", "eeee-secret-of-heartbeat"
NEXT_SECRET = "ffff-next-secret-of-status"
NAME = "दिल्ली 1"
CALLBACK = StatusCallback(call_sid="c1", status="completed", custom_field="a&b=ü")
PATH, BODY = f"/status/main/{STATUS_SECRET}", b"CallSid=c1&Status=completed"
HEARTBEAT = build_heartbeat(Heartbeat(timestamp="2026-11-25T10:00:00Z", status_type="OK"))


def account(name: str, **secrets: tuple[str, ...]) -> ReceivingAccount:
    kinds = {"status": RecordKind.STATUS, "heartbeat": RecordKind.HEARTBEAT}
    held = {kinds[kind]: tuple(map(str.encode, each)) for kind, each in secrets.items()}
    every = [each for some in secrets.values() for each in some]
    return ReceivingAccount(name, held, Redactor(KEY, every))


class Office(Desk):
    """A desk with accounts whose webhooks come in."""

    def __init__(self, **more: Any) -> None:
        secrets = {"status": (STATUS_SECRET, NEXT_SECRET), "heartbeat": (HEARTBEAT_SECRET,)}
        accounts = {
            name: account(name, **secrets if name in ("main", NAME) else {})
            for name in ("main", NAME, "quiet")
        }
        super().__init__(EndpointConfig("sales"), accounts=accounts, **more)

    def post(
        self,
        path: str = PATH,
        body: bytes = BODY,
        problem: str | None = None,
        *,
        query: bytes = b"",
        **more: Unpack[HeadFields],
    ) -> list[Answer]:
        """Send one and leave the disk alone."""
        kind = "application/x-www-form-urlencoded"
        said: HeadFields = {"method": "POST", "content_type": kind, **more}
        head = head_of(query, path, **said)
        token = self.answerer.admit(head)
        if isinstance(token, Answer):
            return [token]
        replies: list[Answer] = []
        self.answerer.answer(head, token, body, problem, replies.append)
        return replies

    def posted(
        self,
        path: str = PATH,
        body: bytes = BODY,
        problem: str | None = None,
        *,
        query: bytes = b"",
        **more: Unpack[HeadFields],
    ) -> int:
        """Send one, with a disk that works."""
        replies = self.post(path, body, problem, query=query, **more)
        self.journal.settle()
        assert len(replies) == 1
        return replies[0].status

    def kept(self, kind: RecordKind) -> list[StatusReceived | HeartbeatReceived]:
        types: dict[RecordKind, type[StatusReceived | HeartbeatReceived]] = {
            RecordKind.STATUS: StatusReceived,
            RecordKind.HEARTBEAT: HeartbeatReceived,
        }
        records = self.journal.records
        return [
            msgspec.msgpack.decode(each.body, type=types[kind])
            for each in records
            if each.kind == kind
        ]


def basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize("secret", [STATUS_SECRET, NEXT_SECRET])
@pytest.mark.parametrize(
    "path, query, credentials",
    [
        ("/status/main/{}", "", ""),
        ("/status/main/{}/", "ref=1", ""),
        ("/status/main", "secret={}", ""),
        ("/status/main/", "ref=1&secret={}", ""),
        ("/status/main", "", "exotel:{}"),
        (f"/status/{quote(NAME)}/{{}}", "", ""),
        (f"/status/{quote('दिल्ली 1')}", "secret={}", ""),
    ],
)
def test_each_secret_lets_in_from_each_place(path, query, credentials, secret):
    office = Office()
    authorization = basic(credentials.format(secret)) if credentials else None
    path, raw = path.format(secret), query.format(secret).encode()
    assert office.posted(path, query=raw, authorization=authorization) == 200
    assert [each.raw for each in office.kept(RecordKind.STATUS)] == [b"CallSid=c1&Status=completed"]
    assert secret.encode() not in office.journal.bytes()


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("build", [build_minimal, build_full])
def test_a_callback_is_kept_as_it_came_and_read_again(build, json):
    office = Office()
    content_type, body = build(CALLBACK, json=json)
    assert office.posted(body=body, content_type=content_type, peer="198.51.100.7") == 200
    (kept,) = office.kept(RecordKind.STATUS)
    assert (kept.account, kept.received_us, kept.peer) == ("main", START_US, "198.51.100.7")
    read = parse(Request(b"", "POST", kept.content_type, kept.raw))
    assert read is not None
    assert (read.call_sid, read.status) == ("c1", "completed")
    assert office.answerer.counts == {"status received": 1}


def test_a_heartbeat_is_kept_as_it_came_and_read_again():
    office = Office()
    assert office.posted(f"/heartbeat/main/{HEARTBEAT_SECRET}", HEARTBEAT) == 200
    (kept,) = office.kept(RecordKind.HEARTBEAT)
    assert (kept.account, kept.problem) == ("main", None)
    assert parse_heartbeat(kept.body) == parse_heartbeat(HEARTBEAT)
    assert office.answerer.counts == {"heartbeat received": 1}


@pytest.mark.parametrize(
    "path, status, reason",
    [
        ("/status/main", 403, "webhook secret missing"),
        ("/status/main/", 403, "webhook secret missing"),
        ("/status/main/wrong", 403, "webhook secret wrong"),
        (f"/status/main/{STATUS_SECRET[:-1]}", 403, "webhook secret wrong"),
        (f"/status/main/{HEARTBEAT_SECRET}", 403, "webhook secret wrong"),
        (f"/heartbeat/main/{STATUS_SECRET}", 403, "webhook secret wrong"),
        (f"/status/other/{STATUS_SECRET}", 404, "unknown account"),
        (f"/status/quiet/{STATUS_SECRET}", 404, "unknown account"),
        ("/status/quiet", 404, "unknown account"),
        ("/status/", 404, "unknown account"),
        ("/heartbeat/%FF", 404, "unknown account"),
        ("/status", 404, "unknown endpoint"),
        (f"/Status/main/{STATUS_SECRET}", 404, "unknown endpoint"),
        (f"/passthru/main/{STATUS_SECRET}", 404, "unknown endpoint"),
    ],
)
def test_what_proves_no_secret_is_refused_and_counted(path, status, reason):
    """Also from this machine: an account without a secret receives nothing at all."""
    office = Office()
    assert office.posted(path) == status
    assert office.journal.records == []
    assert office.answerer.counts == {reason: 1}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_webhooks_come_by_post_only(method):
    office = Office()
    assert office.post(method=method)[0].status == 405
    assert b"\r\nAllow: POST\r\n" in build_response(office.post(method=method)[0], CLOSE)
    assert office.post("/status/main/wrong", method=method)[0].status == 403
    assert office.journal.records == []


def test_thanks_are_said_when_it_is_durable():
    office = Office()
    replies = office.post()
    assert replies == []
    office.pass_time(5000, 100)
    assert replies == []
    office.journal.settle()
    assert [each.status for each in replies] == [200]


def test_one_that_is_not_durable_in_time_is_to_be_sent_again():
    """It is in the journal all the same once the disk works, and twice does no harm."""
    office = Office()
    replies = office.post()
    office.pass_time(DEADLINE_MS + 100, 100)
    office.journal.settle()
    assert [each.status for each in replies] == [503]
    assert office.posted() == 200
    assert len(office.kept(RecordKind.STATUS)) == 2
    assert office.answerer.counts["webhook not kept in time"] == 1


def test_one_that_the_database_refuses_is_to_be_sent_again():
    office = Office()
    replies = office.post()
    office.journal.settle(kept=False)
    assert [each.status for each in replies] == [503]


def test_at_the_end_those_that_wait_are_to_be_sent_again():
    office = Office()
    replies = office.post()
    office.answerer.sweep(everything=True)
    assert [each.status for each in replies] == [503]


def test_a_slow_disk_makes_no_caller_wait_for_webhooks():
    """What waits of them has a ceiling, and their lateness says nothing about the disk."""
    office = Office()
    body = b"x" * KEPT_BYTES
    statuses = [office.post(body=body) for _ in range(2 * MOST_WAITING_BYTES // KEPT_BYTES)]
    refused = [each for each in statuses if each]
    assert {each[0].status for each in refused} == {503}
    assert len(statuses) - len(refused) <= MOST_WAITING_BYTES // KEPT_BYTES
    assert office.answerer.counts["webhook refused: too many wait"] == len(refused)
    office.pass_time(DEADLINE_MS + 100, 100)
    assert office.journal.marked_slow == 0
    caller = office.say(TAKES_A)
    office.journal.settle()
    assert [each.status for each in caller] == [200]
    assert office.posted(body=body) == 200


def test_memory_that_is_full_refuses_them():
    office = Office()
    office.journal.most = 0
    assert [each.status for each in office.post()] == [503]
    assert office.answerer.counts == {"webhook not kept in time": 1}


@pytest.mark.parametrize(
    "path", [f"/status/main/{STATUS_SECRET}", f"/heartbeat/main/{HEARTBEAT_SECRET}"]
)
@pytest.mark.parametrize("size, problem", [(KEPT_BYTES + 1, None), (KEPT_BYTES, BODY_TOO_LONG)])
def test_of_a_long_one_the_beginning_is_kept(path, size, problem):
    office = Office()
    assert office.posted(path, b"y" * size, problem) == 200
    (record,) = office.journal.records
    kept = msgspec.msgpack.decode(record.body)
    assert "first are kept" in kept["problem"]
    assert len(kept.get("raw") or kept.get("body")) == KEPT_BYTES


@pytest.mark.parametrize("problem", [BODY_BROKEN_OFF, BODY_LATE, BODY_CHUNKS_BROKEN])
def test_one_that_is_not_whole_is_to_be_sent_again(problem):
    office = Office()
    assert office.posted(problem=problem) == 400
    assert office.journal.records == []
    assert office.answerer.counts == {f"webhook: {problem}": 1}


def test_secrets_in_them_are_kept_as_fingerprints():
    office = Office()
    body = f"CallSid=c1&x={STATUS_SECRET}&u=wss://a:hunter2hunter2@bot.example/".encode()
    assert office.posted(body=body, query=f"secret={STATUS_SECRET}".encode()) == 200
    kept = office.journal.bytes()
    assert STATUS_SECRET.encode() not in kept
    assert b"hunter2hunter2" not in kept
    assert b"fp_" in kept


@given(st.binary(max_size=300), st.binary(max_size=60), st.text(max_size=30))
def test_whatever_comes_is_kept(body, query, content_type):
    office = Office()
    said = content_type.encode("latin-1", "replace").decode("latin-1")
    assert office.posted(body=body, query=query, content_type=said) == 200
    assert len(office.kept(RecordKind.STATUS)) == 1


def test_tokens_say_how_long_a_body_may_be():
    office = Office()
    token = office.answerer.admit(head_of(path=f"/status/main/{STATUS_SECRET}", method="POST"))
    assert (token.read_bytes, token.kept_bytes) == (READ_BYTES, KEPT_BYTES)


def test_a_passthru_beside_them_is_decided_as_ever():
    office = Office()
    waiting = office.post()
    assert office.ask(TAKES_A).status == 200
    assert [each.status for each in waiting] == [200]
    assert read_passthru(office.journal.receipts()[0]).call_sid == "c1"

"""Reports of bots: kept before they are thanked for, with nothing secret in them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from switchhook.answer.bot_reports import READ_BYTES
from switchhook.answer.callback_receivers import DEADLINE_MS, MOST_WAITING_BYTES
from switchhook.answer.http.messages import BODY_LATE, Answer
from switchhook.config import AuthMode, EndpointConfig, Secret
from switchhook.journal.bot_report import BotEvent, read
from switchhook.journal.receipt import RecordKind, decode_bot_report

from .bots import PASSWORD, pool, pooled, voicebot
from .desk import SECRET, START_US, Desk, head_of

PATH = f"/report/sales/{SECRET}"
EVENT = {"call_sid": "c1", "stream_sid": "s1", "event": "started"}


def desk(**more: Any) -> Desk:
    point = EndpointConfig("sales", secrets=(Secret(SECRET),), account="main", **more)
    return Desk(point, voicebot(), config=pooled(pool()))


def post(
    asked: Desk,
    body: Any = EVENT,
    path: str = PATH,
    problem: str | None = None,
    method: str = "POST",
) -> list[Answer]:
    head = head_of("", path, method=method)
    token = asked.answerer.admit(head)
    if isinstance(token, Answer):
        return [token]
    replies: list[Answer] = []
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked.answerer.answer(head, token, raw, problem, replies.append)
    return replies


def test_200_says_that_every_event_is_durable():
    asked = desk()
    replies = post(asked, [EVENT, {**EVENT, "event": "ended", "by": "bot"}])
    assert replies == []
    asked.journal.settle()
    assert [each.status for each in replies] == [200]
    kept = [decode_bot_report(each.body) for each in asked.journal.records]
    assert [each.kind for each in asked.journal.records] == [RecordKind.BOT_REPORT] * 2
    assert {(each.endpoint, each.account, each.received_us) for each in kept} == {
        ("sales", "main", START_US)
    }
    reports = [read(each.raw) for each in kept]
    assert [each and each.event for each in reports] == [BotEvent.STARTED, BotEvent.ENDED]
    assert asked.answerer.counts == {"report received": 1}


def test_what_is_not_durable_in_time_is_to_be_sent_again():
    asked = desk()
    replies = post(asked, [EVENT, EVENT])
    asked.pass_time(DEADLINE_MS + 20)
    assert [each.status for each in replies] == [503]
    refused = post(asked, [EVENT, EVENT])
    asked.journal.settle(kept=False)
    assert [each.status for each in refused] == [503]
    again = post(asked)
    asked.journal.settle()
    assert [each.status for each in again] == [200]


def test_reports_wait_in_bounded_memory_and_leave_it_whole():
    asked = desk()
    long = [{**EVENT, "error": "x" * 1900}] * 100
    replies = [post(asked, long) for _ in range(MOST_WAITING_BYTES // 190_000 + 2)]
    assert [each.status for each in replies[-1]] == [503]
    asked.journal.settle()
    assert [each.status for each in replies[0]] == [200]
    assert asked.answerer._receivers._held == 0
    assert len(json.dumps(long)) < READ_BYTES


@pytest.mark.parametrize(
    ("body", "problem", "said"),
    [
        (b"{", None, b"the body is no JSON\n"),
        ([EVENT, {}], None, b"event 2: it has neither call_sid nor stream_sid\n"),
        (EVENT, BODY_LATE, b"body not whole in time\n"),
    ],
)
def test_what_is_not_understood_is_refused_whole(body, problem, said):
    asked = desk()
    assert post(asked, body, problem=problem) == [Answer(400, said)]
    assert asked.journal.records == []


def test_nobody_without_the_secret_reports_anything():
    """Not even where wrong secrets are only reported: no caller waits for it."""
    asked = desk(auth=AuthMode.REPORT_ONLY)
    assert [each.status for each in post(asked, path="/report/sales")] == [403]
    assert [each.status for each in post(asked, path="/report/sales/wrong")] == [403]
    assert [each.status for each in post(asked, path="/report/nobody/x")] == [404]
    assert [each.status for each in post(asked, method="GET")] == [405]
    assert asked.journal.records == []


def test_reports_are_of_any_kind_of_endpoint_and_open_to_this_machine_alone():
    asked = desk()
    open_one = post(asked, path="/report/sales-in")
    asked.journal.settle()
    assert [each.status for each in open_one] == [200]
    head = head_of("", "/report/sales-in", method="POST", host="bots.example")
    refused = asked.answerer.admit(head)
    assert isinstance(refused, Answer)
    assert refused.status == 403


def test_no_secret_of_ours_is_kept():
    asked = desk()
    said = f"connect wss://vendor:{PASSWORD}@vendor-a.example/stream?token=abcdefgh {SECRET}"
    post(asked, {**EVENT, "error": said})
    kept = asked.journal.bytes()
    for secret in (PASSWORD, SECRET, "abcdefgh"):
        assert secret.encode() not in kept

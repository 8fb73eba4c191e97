"""Answers before a stream and bots' reports in the API: what they were, and what they rest on."""

from __future__ import annotations

import json

import jsonschema_rs
import msgspec
import pytest

from kept_receipts import START_MS, query, receipt
from switchhook.journal import Record
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    BotReportReceived,
    RecordKind,
    encode,
)
from switchhook.rules.admission import AdmissionSeen
from switchhook.rules.bot_pool import Eligible
from switchhook.rules.routing import AdmissionBudget, Route
from switchhook.streams.openapi import SCHEMAS
from switchhook.streams.routed_json import beside_json

SEEN = AdmissionSeen(
    account="main", class_="vip", budget=AdmissionBudget(9, reserves={"vip": 2}), used=3
)
ROUTE = Route(
    pool="spare",
    asked="sales",
    key="c1",
    member="a",
    eligible=(Eligible("a", 80.0), Eligible("b", 20.0)),
    hands=(7,),
)


def made(kind, what, **more):
    given = {name: getattr(receipt(), name) for name in receipt().__struct_fields__}
    body = what(**given | {"raw": query("c1", None, None)} | more)
    return Record(5, kind, START_MS, 0, None, None, encode(body))


def shown(record):
    found = beside_json(record, 7, {})
    document = {"$ref": "#/components/schemas/AnyReceipt", "components": {"schemas": SCHEMAS}}
    jsonschema_rs.validator_for(document).validate(found)
    return found


def test_an_admission_says_class_and_room():
    asked = {"account": "main", "admission": SEEN, "admitted": True}
    found = shown(made(RecordKind.ADMISSION, AdmissionGiven, **asked))
    assert found["kind"] == "admit"
    assert found["call_sid"] == "c1"
    assert found["decision"]["option"] == "A"
    names = ("admitted", "class", "room", "budget", "given_since", "reserve")
    assert [found[name] for name in names] == [True, "vip", 4, 9, 3, 2]


def test_an_address_says_whom_it_was_drawn_among():
    found = shown(made(RecordKind.VOICEBOT, AddressGiven, route=ROUTE, address="wss://a/x"))
    assert found["kind"] == "voicebot"
    names = ("pool", "asked_pool", "member", "address", "fallback", "hands")
    assert [found[name] for name in names] == ["spare", "sales", "a", "wss://a/x", False, [7]]
    assert found["eligible"] == [{"member": "a", "weight": 80}, {"member": "b", "weight": 20}]


@pytest.mark.parametrize(
    "what, more, kind",
    [
        (AddressGiven, {"route": ROUTE, "address": "wss://a/x"}, "voicebot"),
        (AddressGiven, {"http_status": 404, "account": "main"}, "voicebot"),
        (AdmissionGiven, {"account": "main", "admission": SEEN}, "admit"),
        (AdmissionGiven, {"account": "main", "http_status": 302}, "admit"),
        (type(receipt()), {}, "passthru"),
    ],
)
def test_of_a_test_it_is_known_what_was_asked(what, more, kind):
    found = shown(made(RecordKind.TEST, what, test="t1", **more))
    assert (found["kind"], found["test"], found["admitted"] if kind == "admit" else None) == (
        kind,
        "t1",
        False if kind == "admit" else None,
    )


def test_a_report_is_what_the_bot_said():
    raw = json.dumps({"call_sid": "c1", "event": "ended", "by": "user", "at": 1_795_000_000})
    body = encode(BotReportReceived(START_MS * 1000, "sales-in", raw.encode(), "main"))
    found = shown(Record(5, RecordKind.BOT_REPORT, START_MS, 0, None, None, body))
    assert (found["kind"], found["event"], found["ended_by"]) == ("report", "ended", "user")
    assert found["at"].startswith("2026-11-18T")
    assert found["raw"] == raw


def test_what_another_release_wrote_is_named_and_not_read():
    record = Record(5, RecordKind.ADMISSION, START_MS, 0, None, None, b"\xc1")
    assert shown(record)["defects"][0]["field"] == "receipt"
    assert msgspec.json.encode(shown(record))

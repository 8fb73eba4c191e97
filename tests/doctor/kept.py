"""Replies and receipts of tests, as the judgement takes them."""

from __future__ import annotations

from typing import Any

from switchhook.doctor.passthru_client import Kept, Reply
from switchhook.journal.receipt import AddressGiven, Auth
from switchhook.rules.decide import Decision, Option

QUERY = "CallSid=t1&Stream[Status]=failed"
OURS = "192.0.2.10"


def reply(status: int | None = 302, **more: Any) -> Reply:
    said: dict[str, Any] = {
        "test": "0" * 16,
        "query": QUERY,
        "status": status,
        "headers": {"cache-control": "no-store"},
        "ms": 40.0,
        "address": "192.0.2.1",
        "from_address": OURS,
        **more,
    }
    return Reply(**said)


def kept(option: str = "B", **more: Any) -> Kept:
    said: dict[str, Any] = {
        "received_us": 1,
        "endpoint": "sales",
        "method": "GET",
        "raw": QUERY.encode(),
        "decision": Decision(Option(option), "bot trouble", "0" * 64, "it matched"),
        "http_status": 302 if option == "B" else 200,
        "auth": Auth("ok", "path"),
        "peer": OURS,
        "test": "0" * 16,
        **more,
    }
    return Kept("0" * 26, AddressGiven(**said))

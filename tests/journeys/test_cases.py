"""Every open case over real HTTP: answered on purpose, and understood as the API tells it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from program import running

FOLDER = Path(__file__).parent.parent / "exotel/wire/cases"
LONGEST_LINE = 60_000
"""Characters of a request line that are understood; a longer one is answered, and only counted."""
SECRETS = re.compile("(%40|@|passthru=)", re.IGNORECASE)
CASES = {
    name: [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    for name in ("passthru", "hostile")
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    with running(tmp_path_factory.mktemp("cases") / "data") as started:
        yield started


def ask(program, case):
    """Send a case as it stands."""
    headers = {"Content-Type": case["content_type"]} if case.get("content_type") else {}
    return program.ask(
        case["query"],
        method=case.get("method", "GET"),
        headers=headers,
        body=(case.get("body") or "").encode(),
    )


def understood(receipt):
    """A receipt in the words of the cases."""
    call, stream = receipt["call"], receipt["stream"] or {}
    return {
        "call_sid": receipt["call_sid"],
        "account_sid": call["account_sid"],
        "direction": receipt["direction_raw"],
        "from": receipt["from_raw"],
        "to": receipt["to_raw"],
        "digits": receipt["digits"],
        "call_type": call["type"],
        "call_status": call["status"],
        "dial_call_status": call["dial_status"],
        "dial_call_duration_s": call["dial_duration_s"],
        "legs": len(call["legs"]),
        "custom_field": receipt["custom_field"],
        "flow_id": call["flow_id"],
        "tenant_id": call["tenant_id"],
        "event_type": call["event_type"],
        "agent_status": call["agent_status"],
        "end_time": call["ended_at"],
        "forwarded_from": call["forwarded_from"],
        "stream_sid": stream.get("sid"),
        "status": stream.get("status_raw"),
        "duration_s": stream.get("duration_s"),
        "stream_url": stream.get("url"),
        "recording_url": stream.get("recording_url") or receipt["recording_url"],
        "disconnected_by": stream.get("disconnected_by_raw"),
        "detailed_status": stream.get("detailed_status"),
        "error": stream.get("error"),
    }


@pytest.mark.parametrize("case", CASES["passthru"], ids=lambda case: case["id"])
def test_a_real_request_is_understood(program, case):
    reply = ask(program, case)
    receipt = program.receipts()[0]
    assert reply.status == receipt["decision"]["http_status"]
    assert reply.status in (200, 302)
    assert "location" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"
    said = understood(receipt)
    for key, value in {**case["expect"], **case.get("expect_std", {})}.items():
        right = [value, *case.get("alt", {}).get(key, [])]
        if key == "stream_url" and "@" in str(value):
            # Credentials are kept as fingerprints only.
            assert said[key].partition("@")[2] == value.partition("@")[2]
        else:
            assert said[key] in right, key


@pytest.mark.parametrize("case", CASES["hostile"], ids=lambda case: case["id"])
def test_a_hostile_request_ends_in_a_named_decision(program, case):
    before = {receipt["id"] for receipt in program.receipts()}
    if len(case["query"]) > LONGEST_LINE:
        assert [ask(program, case).status] == [302]
        return
    replies = [ask(program, case) for _ in range(case.get("repeat", 1))]
    fresh = [receipt for receipt in program.receipts() if receipt["id"] not in before]
    assert len(fresh) == len(replies)
    assert len({reply.status for reply in replies}) == 1
    for reply, receipt in zip(replies, reversed(fresh), strict=True):
        decision = receipt["decision"]
        assert reply.status == decision["http_status"]
        assert reply.status in (200, 302)
        assert decision["rule"]
        assert decision["rule"] != "safe option"
        assert "failed" not in decision["reason"]
        assert isinstance(receipt["defects"], list)
        if not SECRETS.search(case["query"]):
            assert receipt["raw"] == case["query"]
    said = understood(fresh[0])
    for key, value in case.get("expect", {}).items():
        assert said[key] in [value, *case.get("alt", {}).get(key, [])], key


def test_a_repeat_gets_the_first_answer_and_names_it(program):
    case = next(case for case in CASES["hostile"] if case.get("repeat"))
    query = case["query"].replace("h0001deadbeef", "h0001twice")
    replies = [program.ask(query + f"&CurrentTime=2026-01-0{day}") for day in (1, 2)]
    second, first = program.receipts(call_sid="h0001twice")
    assert second["repeat_of"] == first["id"]
    assert first["repeat_of"] is None
    assert replies[0].status == replies[1].status
    assert second["decision"]["option"] == first["decision"]["option"]

"""A back-test in JSON: counts with their names, receipts by their ids, and no request."""

from __future__ import annotations

from switchhook.journal.receipt import receipt_id
from switchhook.releases.backtest import BackTest, Counting
from switchhook.releases.backtest_json import backtest_json
from switchhook.releases.spans import Span
from switchhook.releases.trial import Became, Given, Tried
from switchhook.web.json import encode_json

AT_MS = 1_795_000_000_000
A, B = Given("A", "default"), Given("B", "late", pool="sales", member="vendor-a")


def found(**more) -> BackTest:
    counting = Counting()
    one = Tried(
        Became.DIFFERENT, "", "sales", A, B, "throttled", "hindi", "UTC", 7, 'B by "late"', "room"
    )
    counting.count(one, AT_MS, 12)
    counting.count(Tried(Became.FAULT, "not as kept", "sales", A, A, zone="UTC"), AT_MS, 13)
    counting.count(Tried(Became.UNABLE, "erased"), AT_MS, 14)
    said = {"subject": "rules/sales", "release": "a" * 64, "number": 3, "whole": Span(1, 20)}
    return BackTest(**{**said, "done": [Span(1, 14)], "tally": counting.tally(), **more})


def test_all_of_it_is_said_by_name():
    said = backtest_json(found(since_ms=AT_MS, left_s=3.21), 7)
    assert encode_json(said)
    assert said["records"] == {"counted": 14, "of": 20}
    assert (said["decided"], said["different"], said["faults"]) == (2, 1, 1)
    assert (said["complete"], said["left_s"], said["since"][:10]) == (False, 3.2, "2026-11-18")
    (change,) = said["changes"]
    assert change["would_be"]["words"] == 'sales/vendor-a by "late"'
    assert change["was"]["pool"] is None
    (receipt,) = change["receipts"]
    assert receipt["receipt"] == receipt_id(AT_MS, 7, 12)
    assert said["causes"] == [{"name": "throttled", "decided": 1, "different": 1}]
    assert said["hours"] == [{"name": "2026-11-18 11:00 UTC", "decided": 2, "different": 1}]
    assert said["unable"] == [{"why": "erased", "count": 1}]
    assert said["unsure"] == [{"why": "room", "count": 1}]
    assert said["mix"] == [{"given": 'B by "late"', "callers": 1}]
    assert (said["callers"], said["callers_different"]) == (1, 1)
    (fault,) = said["faulty"]
    assert fault["why"] == "not as kept"


def test_of_a_log_it_is_the_line():
    said = backtest_json(found(log="mock.log", ended_ms=AT_MS), None)
    assert said["changes"][0]["receipts"][0]["line"] == 12
    assert said["complete"]

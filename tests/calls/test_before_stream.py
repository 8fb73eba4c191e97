"""What a call's page shows of the time before its stream: was there room, which bot, and why."""

from __future__ import annotations

import json

import pytest

from answer.bots import gate, member, pool, pooled, voicebot
from answer.desk import START_US, Desk, head_of
from kept_receipts import Kept, fold, query, receipt
from patience import PATIENCE_S
from switchhook.calls.other_sources import SourceGatherer
from switchhook.calls.story import ADDRESS, ADMISSION, BOT
from switchhook.config import EndpointConfig
from switchhook.journal.receipt import BotReportReceived, RecordKind, StatusReceived, encode
from switchhook.rules.routing import AdmissionBudget, HandAct, HandSetting, RoutingFacts
from switchhook.store import SqliteStore
from switchhook.streams.names import Names
from switchhook.streams.queries import StreamQueries

CALLER = "09812345678"


class Told:
    """Answers and reports of a real answerer, in a real journal and store."""

    def __init__(self, tmp_path):
        pools = pool("sales", member("vendor-a", weight=100), member("vendor-b", weight=0))
        self.desk = Desk(
            gate(), voicebot(), EndpointConfig("sales"), config=pooled(pools, pool("spare"))
        )
        self.journal = Kept(tmp_path / "journal")
        self.store = SqliteStore(tmp_path / "store", self.journal.reader)
        self.store.open()
        self.learn(1)

    def learn(self, room, *hands):
        budgets = {"main": AdmissionBudget(room)}
        self.desk.answerer.learn({}, RoutingFacts(hands=hands, budgets=budgets))

    def ask(self, call, path):
        asked = f"CallSid={call}&CallFrom={CALLER}&CallTo=08040000000&Direction=incoming"
        return self.desk.ask(asked, path=path)

    def report(self, call, event, **more):
        head = head_of("", "/report/sales", method="POST")
        token = self.desk.answerer.admit(head)
        body = json.dumps({"call_sid": call, "event": event, **more}).encode()
        self.desk.answerer.answer(head, token, body, None, lambda _answer: None)
        self.desk.journal.settle()

    def fold(self):
        for each in self.desk.journal.records:
            self.journal.record(each.kind, each.body, at=each.at)
        self.desk.journal.records.clear()
        assert self.journal.writer.flush(PATIENCE_S)
        fold(self.store, self.journal.reader)

    def of(self, call):
        gatherer = SourceGatherer(self.journal.reader, self.store, None)
        kept = StreamQueries(self.journal.reader, self.store).kept_call(call)
        found = gatherer.of(call, kept, Names())
        return kept, None if found is None else found.entries, found and found.notes

    def close(self):
        self.store.close()
        self.journal.close()


@pytest.fixture
def told(tmp_path):
    found = Told(tmp_path)
    yield found
    found.close()


def test_one_call_shows_room_bot_and_what_the_bot_said(told):
    told.ask("c1", "/passthru/gate")
    told.ask("c1", "/voicebot/sales-in")
    told.report("c1", "started", at=START_US / 1e6 + 1)
    told.report("c1", "ended", by="bot", at=START_US / 1e6 + 9)
    told.report("c1", "error", error="no model", at=5_000_000_000)
    told.fold()
    # An event that a later release took.
    raw = b'{"call_sid": "c1", "event": "barged_in"}'
    body = encode(BotReportReceived(START_US + 20_000_000, "sales", raw))
    told.journal.record(RecordKind.BOT_REPORT, body, at=START_US // 1000 + 20_000)
    told.fold()
    kept, entries, notes = told.of("c1")
    assert [(each.lane, each.title, each.level) for each in entries] == [
        (ADMISSION, "Admitted at gate: Option A", "good"),
        (ADDRESS, "Sent to vendor-a of pool sales at sales-in", "good"),
        (BOT, "The bot has the stream", "live"),
        (BOT, "The bot's stream ended", "muted"),
        (BOT, "The bot had an error", "bad"),
        (BOT, "The bot reports more", "muted"),
    ]
    room, drawn, started, ended, error, more = entries
    assert more.detail == "barged_in; sales"
    assert room.detail == (
        "rule “default”: no rule matched, so the default was taken; room for 1 of class default;"
        " class default; budget 1, of which 0 were given since"
    )
    assert drawn.detail == (
        "rule “default”: no rule matched, so the default was taken; vendor-a of pool sales alone"
        " can take it; drawn among vendor-a (weight 100); wss://vendor-a.example/stream?lang=hi"
    )
    assert (started.at_us - START_US, ended.detail) == (1_000_000, "by bot; sales")
    assert (error.at_us, error.detail) == (START_US, "no model; sales")
    assert kept.story.text("from_") == "+919812345678"
    assert len(notes) == 6
    assert CALLER in notes[0].raw


def test_who_was_refused_has_a_page_though_there_was_no_stream(told):
    told.learn(0)
    told.ask("c2", "/passthru/gate")
    told.fold()
    kept, entries, _ = told.of("c2")
    assert [each.title for each in entries] == ["Refused at gate: Option B"]
    assert "no room for class default: 0 left" in entries[0].detail
    assert (kept.receipts, kept.story.text("to")) == ((), "+918040000000")
    assert told.of("c9") == (None, None, None)


def test_what_a_person_set_and_what_was_given_in_place_of_a_bot_is_said(told):
    off = HandSetting(id=7, act=HandAct.OFF, pool="sales")
    move = HandSetting(id=8, act=HandAct.MOVE, pool="sales", to="nowhere")
    for call, hand in (("c3", off), ("c4", move)):
        told.learn(1, hand)
        told.ask(call, "/voicebot/sales-in")
    told.fold()
    (by_nobody,), (by_fallback,) = told.of("c3")[1], told.of("c4")[1]
    assert (by_nobody.title, by_nobody.level) == ("Given no address (404) at sales-in", "bad")
    assert by_nobody.detail.endswith("pool sales is switched off; no address, 404; set by hand: 7")
    assert (by_fallback.title, by_fallback.level) == ("Sent to the fallback at sales-in", "warn")
    assert "there is no pool nowhere; the endpoint's fallback; set by hand: 8" in by_fallback.detail


def test_with_a_stream_and_a_callback_all_stand_on_one_axis(told):
    told.ask("c1", "/voicebot/sales-in")
    told.fold()
    told.journal.keep(receipt(query("c1", "s1", "completed")))
    body = b"CallSid=c1&Status=completed"
    kind = "application/x-www-form-urlencoded"
    told.journal.record(RecordKind.STATUS, encode(StatusReceived(START_US, "main", body, kind)))
    told.fold()
    kept, entries, _ = told.of("c1")
    assert [each.lane for each in entries[:2]] == [ADDRESS, "Status callback"]
    assert len(kept.receipts) == 1


def test_records_of_another_release_are_left_out(told):
    told.ask("c1", "/passthru/gate")
    for kind in (RecordKind.ADMISSION, RecordKind.VOICEBOT, RecordKind.BOT_REPORT):
        told.journal.record(kind, b"\xc1")
    told.fold()
    assert len(told.of("c1")[1]) == 1
    assert told.store.quarantined(9)[0] == 0


def told_of(told, call):
    told.fold()
    return StreamQueries(told.journal.reader, told.store).call(call)


def test_the_api_shows_what_was_asked_before_the_stream_and_what_the_bot_said(told):
    told.ask("c1", "/passthru/gate")
    told.ask("c1", "/voicebot/sales-in")
    told.report("c1", "started")
    found = told_of(told, "c1")
    assert [each["kind"] for each in found["before"]] == ["admit", "voicebot"]
    assert found["before"][1]["member"] == "vendor-a"
    assert [each["event"] for each in found["reports"]] == ["started"]
    assert found["passthrus"] == []
    queries = StreamQueries(told.journal.reader, told.store)
    for each in (*found["before"], *found["reports"]):
        assert queries.receipt(each["id"]) == each
        assert queries.call_named(each["id"]) == "c1"


def test_a_call_that_only_its_bot_told_of_is_found(told):
    told.report("c1", "error", error="no model")
    found = told_of(told, "c1")
    assert [each["error"] for each in found["reports"]] == ["no model"]
    assert found["streams"] == []

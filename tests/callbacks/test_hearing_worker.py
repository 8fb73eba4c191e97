"""Promises are made of what the journal tells, each once, and end by what it tells."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from patience import PATIENCE_S
from program import until
from switchhook.callbacks import hearing_worker
from switchhook.callbacks.claims import Claimed
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.hearing_worker import AT_ONCE, FIRST_MS, PROGRESS, HearingWorker, unheard
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.callbacks.promise import (
    AttemptState,
    PromiseEvent,
    PromiseState,
    custom_field_of,
)
from switchhook.callbacks.refusals import RefusalCode
from switchhook.callbacks.settings import CallbackSettings
from switchhook.errors import LedgerError
from switchhook.exotel.wire.status_callback import StatusCallback, build_full
from switchhook.journal import JournalReader, JournalWriter
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.server.tables import open_ledger
from switchhook.streams.fold import Folded
from switchhook.streams.parsed_record import parse_record

from .promised import NOON, NUMBER
from .records import CALLER, PROMISED, THROTTLED, raw, receipt, talked
from .some_promises import deed
from .test_call_told import record

OTHER = "+919811100002"
OWN = "+918045678900"
S, E = PromiseState, PromiseEvent


class Terms:
    """What the configuration says."""

    def __init__(self) -> None:
        self.settings: dict[str, CallbackSettings] = {"main": CallbackSettings(exophone=OWN)}

    def account_of(self, endpoint: str) -> str:
        return "main" if endpoint in ("sales", "support") else ""

    def settings_of(self, account: str) -> CallbackSettings | None:
        return self.settings.get(account)

    def country_of(self, account: str) -> str:
        return "IN"

    def own(self) -> set[str]:
        return {OWN}


class Desk:
    """A journal, a ledger, and who hears of the one for the other."""

    def __init__(self, folder: Any, ledger: Any) -> None:
        self.writer = JournalWriter(
            folder / "journal",
            node=7,
            notify=lambda call: call(),
            observe=lambda event: None,
            synchronous="OFF",
        )
        self.reader = JournalReader(folder / "journal")
        self.ledger, self.terms = ledger, Terms()
        self.promises, self.lists = LedgerPromises(ledger), PromiseLists(ledger)
        self.now_ms = self.mono_ms = NOON
        self.moved: list[Any] = []
        self.tokens = ("".join(each) for each in itertools.product("abcdefgh", repeat=6))
        self.hearing = self.another()

    def another(self, promises: LedgerPromises | None = None) -> HearingWorker:
        return HearingWorker(
            promises or self.promises,
            self.reader,
            self.terms,
            now_ms=lambda: self.now_ms,
            chance=lambda: 0.5,
            token=lambda: next(self.tokens),
            followed=lambda attempt, event: self.moved.append((attempt.number, event)),
            mono_ms=lambda: self.mono_ms,
        )

    def close(self) -> None:
        self.writer.close(5)
        self.reader.close()

    # What comes.

    def keep(self, kind: int, body: Any) -> None:
        self.now_ms += 1000
        assert self.writer.append(kind, self.now_ms, encode(body)) is not None

    def passes(self, query: bytes, **changes: Any) -> None:
        self.keep(RecordKind.PASSTHRU, receipt(query, self.now_ms + 1000, **changes))

    def throttled(self, call: str = "c1", number: str = CALLER, **more: Any) -> None:
        changes = {"decision": PROMISED, **more}
        self.passes(raw(call, THROTTLED, CallFrom=number), **changes)

    def calls_back(self, call: str, word: str, **more: Any) -> None:
        legs = tuple(more.pop("legs", ()))
        form, body = build_full(
            StatusCallback(call_sid=call, status=word, legs=legs, **more), json=True
        )
        self.keep(RecordKind.STATUS, StatusReceived(self.now_ms * 1000, "main", body, form))

    def fold(self) -> None:
        """The fold tells of all that is new."""
        assert self.writer.flush(PATIENCE_S)
        records = list(self.reader.read(self.hearing._feed.through, 100_000))
        if records:
            parsed = tuple(map(parse_record, records))
            self.hearing.folded(Folded(parsed, records[-1].seq))

    def hear(self) -> None:
        self.fold()
        while self.hearing.hear():
            pass

    # What there is.

    def all(self) -> list[Any]:
        return self.lists.find(PromiseFilter(), 10_000)[::-1]

    @property
    def only(self) -> Any:
        (found,) = self.all()
        return found

    def refused(self) -> list[Any]:
        return [(each.code, each.why) for each in self.lists.refusals(100)[::-1]]

    def proven(self) -> Any:
        found = self.promises.settle(self.only.id, E.PROVEN, self.now_ms)
        assert found is not None
        return found

    def dialled(self) -> Any:
        """The promise dialled, and its attempt."""
        promise = self.proven()
        LedgerDialling(self.ledger).allow("main", deed(), self.now_ms)
        found = self.promises.claim(
            promise.id, 1, OWN, max(self.now_ms, promise.due_ms), lambda _: None, price=1.0
        )
        assert isinstance(found, Claimed)
        return found.attempt


@pytest.fixture
def fresh(ledger, tmp_path):
    """One that never heard of anything."""
    found = Desk(tmp_path, ledger)
    yield found
    found.close()


@pytest.fixture
def desk(fresh):
    fresh.hearing.begin()
    return fresh


# Promises.


def test_who_was_throttled_is_promised_a_callback(desk):
    desk.throttled()
    desk.hear()
    promise = desk.only
    assert (promise.number, promise.state, promise.class_) == (NUMBER, S.UNPROVEN, "sales")
    assert (promise.reason, promise.call_sid, promise.account) == ("no free stream", "c1", "main")
    assert promise.made_ms == NOON + 1000
    assert desk.promises.progress(PROGRESS) == desk.reader.last_seq()


def test_who_is_owed_none_is_listed_with_why(desk):
    desk.throttled("c1", "anonymous")
    desk.throttled("c2", endpoint="stray")
    desk.throttled("c3", "1909")
    desk.terms.settings.clear()
    desk.throttled("c4")
    desk.hear()
    assert desk.all() == []
    assert [code for code, _ in desk.refused()] == [
        RefusalCode.NOT_CONFIGURED,
        RefusalCode.NOT_CONFIGURED,
        RefusalCode.NOT_CONFIGURED,
        RefusalCode.NOT_CONFIGURED,
    ]
    desk.terms.settings["main"] = CallbackSettings()
    desk.throttled("c5", "anonymous")
    desk.hear()
    assert desk.refused()[-1][0] is RefusalCode.UNREADABLE


def test_one_call_keeps_all_that_is_owed_to_a_number(desk):
    desk.throttled("c1")
    desk.throttled("c2")
    desk.throttled("c3", "09811100002")
    desk.hear()
    assert [each.number for each in desk.all()] == [NUMBER, OTHER]
    assert desk.refused() == [
        (RefusalCode.OPEN_ALREADY, f"promise {desk.all()[0].id} to this number is open")
    ]


def test_a_call_is_promised_one_callback_however_often_it_passes(desk):
    desk.throttled("c1")
    desk.hear()
    desk.promises.settle(desk.only.id, E.CANCELLED, desk.now_ms)
    desk.throttled("c1")
    desk.hear()
    promise = desk.only
    assert promise.state is S.DROPPED
    why = f"promise {promise.id} was made for the same call"
    assert desk.refused() == [(RefusalCode.OPEN_ALREADY, why)]


@pytest.mark.parametrize("campaigns", [False, True])
def test_a_callback_is_promised_no_callback_whatever_is_said_of_it(desk, campaigns):
    """Its CallSid is in logs; with an endpoint's secret it would have one called again and again.

    Without our CustomField nothing else tells that this call is one of ours.
    """
    desk.terms.settings["main"] = CallbackSettings(exophone=OWN, campaigns=campaigns)
    desk.throttled("c1")
    desk.hear()
    first = desk.only
    attempt = desk.dialled()
    desk.passes(raw("c2", talked(40), Direction="outbound-dial", CustomField=attempt.custom_field))
    desk.hear()
    assert desk.promises.settle(first.id, E.TALKED, desk.now_ms, attempt=1).state is S.KEPT
    desk.throttled("c2")
    desk.hear()
    assert desk.only.state is S.KEPT
    why = f"its call is the callback of promise {first.id}, whatever the request says"
    assert desk.refused() == [(RefusalCode.UNCONFIRMED, why)]


def test_what_came_before_the_first_start_is_not_promised(fresh):
    """Nobody wants to be called back for what failed weeks ago.

    The answer side begins some seconds before the console, and the console may have to try again.
    """
    fresh.throttled("c1")
    fresh.now_ms += FIRST_MS
    fresh.throttled("c2")
    assert fresh.writer.flush(PATIENCE_S)
    fresh.hearing.begin()
    assert fresh.promises.progress(PROGRESS) == 1
    fresh.hear()
    assert fresh.only.call_sid == "c2"


# Each once.


def test_after_a_restart_it_goes_on_where_it_was(desk):
    desk.throttled("c1")
    desk.hear()
    desk.throttled("c2", "09811100002")
    assert desk.writer.flush(PATIENCE_S)
    desk.hearing = desk.another()
    desk.hearing.begin()
    while desk.hearing.hear():
        pass
    assert [each.call_sid for each in desk.all()] == ["c1", "c2"]
    assert desk.refused() == []


def test_it_says_while_what_was_received_is_not_heard(desk):
    late = 20_000
    assert unheard(desk.another(), desk.now_ms) == "what was received is not heard yet"
    desk.throttled("c1")
    desk.hear()
    assert unheard(desk.hearing, desk.now_ms + late) == ""
    desk.throttled("c2", "09811100002")
    assert desk.writer.flush(PATIENCE_S)
    assert unheard(desk.hearing, desk.now_ms) == ""
    why = "what was received meanwhile is still being heard"
    assert unheard(desk.hearing, desk.now_ms + late) == why
    desk.hear()
    assert unheard(desk.hearing, desk.now_ms + late) == ""


class Failing(LedgerPromises):
    """A ledger whose disk is full."""

    full = False

    def writing(self):
        if self.full:
            raise LedgerError("ledger", "the disk is full", "make room")
        return super().writing()


def test_what_can_not_be_kept_is_kept_later_and_once(desk):
    promises = Failing(desk.ledger)
    desk.hearing = desk.another(promises)
    desk.hearing.begin()
    promises.full = True
    for at in range(AT_ONCE + 5):
        desk.throttled(f"c{at}", f"098111{at:05}")
    desk.hear()
    (complaint,) = desk.hearing.complaints()
    assert complaint.startswith("promises are not heard of: ")
    assert "the disk is full" in complaint
    assert desk.all() == []
    desk.hear()
    promises.full = False
    desk.hear()
    assert desk.hearing.complaints() == []
    assert [each.call_sid for each in desk.all()] == [f"c{at}" for at in range(AT_ONCE + 5)]
    assert desk.refused() == []
    assert desk.promises.progress(PROGRESS) == desk.reader.last_seq()


def test_a_death_between_two_parts_loses_nothing_and_doubles_nothing(desk):
    """Each part is kept with how far it goes."""

    class Dies(LedgerPromises):
        parts = 0

        def writing(self):
            self.parts += 1
            if self.parts > 1:
                raise KeyboardInterrupt
            return super().writing()

    for at in range(AT_ONCE + 5):
        desk.throttled(f"c{at}", f"098111{at:05}")
    desk.hearing = desk.another(Dies(desk.ledger))
    desk.hearing.begin()
    with pytest.raises(KeyboardInterrupt):
        desk.hear()
    assert len(desk.all()) == AT_ONCE
    desk.hearing = desk.another()
    desk.hearing.begin()
    while desk.hearing.hear():
        pass
    assert [each.call_sid for each in desk.all()] == [f"c{at}" for at in range(AT_ONCE + 5)]
    assert desk.refused() == []


def test_a_journal_that_ends_before_is_heard_from_its_end(desk):
    desk.promises.set_progress(PROGRESS, 10_000)
    desk.hearing = desk.another()
    desk.hearing.begin()
    desk.throttled()
    desk.hear()
    assert desk.only.call_sid == "c1"


def test_a_record_that_can_not_be_understood_silences_none_after_it(desk, monkeypatch, caplog):
    whole = hearing_worker.heard_of

    def heard_of(parsed, *more):
        if b"c1" in parsed.record.body:
            raise ValueError("09811100001 is no number")
        return whole(parsed, *more)

    monkeypatch.setattr(hearing_worker, "heard_of", heard_of)
    for at in range(3):
        desk.throttled(f"c{at}", f"098111{at:05}")
    desk.hear()
    assert [each.call_sid for each in desk.all()] == ["c0", "c2"]
    assert desk.hearing.complaints() == [
        "records that could not be heard for promises: 1; the log says why"
    ]
    assert "ValueError" in caplog.text
    assert "09811100001" not in caplog.text


def test_calls_of_nobodys_concern_write_nothing(desk):
    desk.throttled()
    desk.hear()
    before = desk.promises.progress(PROGRESS)
    for at in range(5):
        desk.passes(raw(f"t{at}", talked(50), CallFrom="09811100003"))
    desk.hear()
    assert desk.promises.progress(PROGRESS) == before
    desk.mono_ms += 10_000
    desk.hear()
    assert desk.promises.progress(PROGRESS) == desk.reader.last_seq()


def test_the_end_keeps_how_far_it_is(desk):
    desk.passes(raw("t1", talked(50)))
    desk.hear()
    desk.hearing.stop()
    assert desk.promises.progress(PROGRESS) == desk.reader.last_seq()


# Served.


@pytest.mark.parametrize(
    ("stream", "more", "state"),
    [
        (talked(20), {}, S.DROPPED),
        (talked(19), {}, S.UNPROVEN),
        (talked(400, by="bot"), {}, S.DROPPED),
        (None, {"DialCallStatus": "completed", "Legs[0][OnCallDuration]": "5"}, S.DROPPED),
        (None, {"DialCallStatus": "no-answer"}, S.UNPROVEN),
        (THROTTLED, {}, S.UNPROVEN),
    ],
)
@pytest.mark.parametrize("call", ["c1", "c2"])
def test_a_caller_who_got_through_is_not_called_back(desk, call, stream, more, state):
    desk.throttled()
    desk.passes(raw(call, stream, **more))
    desk.hear()
    assert desk.only.state is state
    if state is S.DROPPED:
        assert desk.only.event is E.SERVED
        assert "talked to them for" in desk.only.why


def test_a_talk_before_the_promise_served_nobody(desk):
    desk.passes(raw("c0", talked(90)))
    desk.throttled()
    desk.hear()
    assert desk.only.state is S.UNPROVEN


def test_who_talked_to_a_person_in_the_same_passthru_is_served(desk):
    desk.passes(raw("c1", THROTTLED, DialCallStatus="completed"), decision=PROMISED)
    desk.hear()
    assert (desk.only.state, desk.only.event) == (S.DROPPED, E.SERVED)


def test_another_number_that_got_through_served_nobody(desk):
    desk.throttled()
    desk.passes(raw("c2", talked(90), CallFrom="09811100002"))
    desk.hear()
    assert desk.only.state is S.UNPROVEN


@pytest.mark.parametrize(
    ("started", "state"), [("2026-01-05 12:05:00", S.DROPPED), ("2026-01-05 11:40:00", S.UNPROVEN)]
)
def test_a_status_callback_may_be_of_a_call_before(desk, started, state):
    """Exotel sends one again after 15 minutes (exotel-platform E.3)."""
    desk.throttled()
    legs = ({"Status": "completed"}, {"Status": "completed", "OnCallDuration": "30"})
    desk.calls_back("c5", "completed", from_=CALLER, to="x", legs=legs, start_time=started)
    desk.hear()
    assert desk.only.state is state


@pytest.mark.parametrize(
    ("sid", "minutes", "state"),
    [("c1", -5, S.DROPPED), ("c4", 5, S.DROPPED), ("c4", -5, S.UNPROVEN)],
)
def test_details_of_a_call_tell_who_was_served(desk, sid, minutes, state):
    desk.throttled()
    desk.hear()
    created = datetime(2026, 1, 5, 12, 0) + timedelta(minutes=minutes)
    desk.now_ms += 600_000
    found = record(sid=sid, created=created, leg2_status="completed", talk_s=40)
    desk.hearing.told_details("main", found)
    desk.hear()
    assert desk.only.state is state


# Callbacks.


def test_a_callback_is_followed_by_its_custom_field(desk):
    desk.throttled()
    desk.hear()
    attempt = desk.dialled()
    query = raw("k1", talked(42), Direction="outbound-dial", CustomField=attempt.custom_field)
    desk.passes(query)
    desk.hear()
    assert (desk.only.state, desk.moved) == (S.RINGING, [(1, E.PLACED)])
    legs = ({"Status": "completed", "AnsweredBy": "Human", "OnCallDuration": "50"},)
    desk.calls_back("k1", "completed", custom_field=attempt.custom_field, legs=legs)
    desk.hear()
    assert (desk.only.state, desk.moved[-1]) == (S.KEPT, (1, E.TALKED))
    (kept,) = desk.lists.attempts(desk.only.id)
    assert (kept.state, kept.call_sid, kept.talk_s) == (AttemptState.TALKED, "k1", 42)


def test_a_callback_whose_status_names_its_call_only_is_found_by_it(desk):
    desk.throttled()
    desk.hear()
    attempt = desk.dialled()
    desk.passes(raw("k1", Direction="outbound-dial", CustomField=attempt.custom_field))
    desk.calls_back("k1", "busy")
    desk.hear()
    assert (desk.only.state, desk.only.event) == (S.OPEN, E.MISSED)


def test_a_callback_that_was_throttled_promises_nothing_more(desk):
    desk.throttled()
    desk.hear()
    attempt = desk.dialled()
    query = raw("k1", THROTTLED, Direction="outbound-dial", CustomField=attempt.custom_field)
    desk.passes(query, decision=PROMISED)
    desk.hear()
    assert desk.only.state is S.RINGING
    assert desk.refused() == []


def test_a_callback_of_a_ledger_that_was_put_back_ends_what_was_promised_again(desk):
    """Its token is not known any more; who talked in it was served all the same."""
    desk.throttled()
    field = custom_field_of("zzzzzz", 1)
    desk.passes(raw("k1", talked(60), Direction="outbound-dial", CustomField=field))
    desk.hear()
    assert (desk.only.state, desk.only.event) == (S.DROPPED, E.SERVED)


# Its thread.


def test_its_thread_wakes_by_itself_and_ends(tmp_path):
    ledger = open_ledger(tmp_path / "ledger")
    desk = Desk(tmp_path, ledger)
    desk.hearing.begin()
    desk.hearing.start()
    desk.throttled()
    desk.fold()
    until(lambda: desk.all() != [], "the promise was made")
    desk.hearing.stop()
    assert "promises" not in {each.name for each in threading.enumerate()}
    desk.close()
    ledger.close()

"""How many callers a subject has a day, by what was kept of late."""

from __future__ import annotations

import msgspec
import pytest

from kept_receipts import START_MS, Kept, fold, receipt
from patience import PATIENCE_S
from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.journal.receipt import AddressGiven, RecordKind, encode
from switchhook.releases.volume_reader import volume_of
from switchhook.rules.outcome import EndpointKind
from switchhook.store import SqliteStore

ENDPOINTS = {
    "default": EndpointKind.PASSTHRU,
    "bots": EndpointKind.VOICEBOT,
    "front": EndpointKind.VOICEBOT,
    "gate": EndpointKind.ADMIT,
}


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path / "journal")
    yield kept
    kept.close()


@pytest.fixture
def told(tmp_path, kept):
    """How many came at some hours after the first record, of whatever was kept."""
    store = SqliteStore(tmp_path / "store.db", kept.reader)
    store.open()

    def of(subject, hours):
        assert kept.writer.flush(PATIENCE_S)
        fold(store, kept.reader)
        now_ms = START_MS + hours * HOUR_MS
        return volume_of(subject, ENDPOINTS, store, kept.reader, now_ms)

    yield of
    store.close()


def given(kept, endpoint, number, at):
    base = receipt(f"CallSid=c{number}&CallFrom=098{number:08}".encode(), endpoint=endpoint)
    body = AddressGiven(**{**msgspec.structs.asdict(base), "received_us": at * 1000})
    kept.record(RecordKind.VOICEBOT, encode(body), at=at)


def test_where_nobody_called_nothing_is_known(told):
    for subject in ("rules/default", "rules/bots", "rules/gate", "pools"):
        assert told(subject, 5).a_day is None
        assert told(subject, 5).count == 0
    assert told("rules/gone", 5) is None


def test_passthrus_are_counted_by_the_time_since_the_first_of_them(told, kept):
    kept.keep(*(receipt() for _ in range(30)))
    assert told("rules/default", 12).requests
    assert told("rules/default", 12).a_day == pytest.approx(60, rel=0.01)
    assert told("rules/default", 24 * 6).a_day == pytest.approx(5, rel=0.01)
    assert told("rules/bots", 12).count == 0


def test_callers_of_an_address_are_counted_once_for_their_endpoint_and_all_for_the_pools(
    told, kept
):
    for number in range(40):
        given(kept, "bots" if number % 4 else "front", number % 20, START_MS + number)
    assert told("rules/front", 24).a_day == pytest.approx(5)
    assert told("rules/bots", 24).a_day == pytest.approx(15)
    assert told("pools", 24).a_day == pytest.approx(20)
    assert told("pools", 49).a_day is None


def test_of_a_busy_day_the_newest_say_how_many_a_day_there_are(told, kept):
    for number in range(2_100):
        given(kept, "bots", number, START_MS + number * 2_000)
    at_hours = 2_100 * 2_000 / HOUR_MS
    assert told("rules/bots", at_hours).a_day == pytest.approx(DAY_MS / 2_000, rel=0.01)


@pytest.mark.parametrize("subject", ["rules/default", "rules/bots", "pools"])
def test_the_first_minutes_do_not_say_how_a_day_is(told, kept, subject):
    """Five callers within seconds of the start were told as five callers a day."""
    kept.keep(*(receipt() for _ in range(5)))
    for number in range(5):
        given(kept, "bots", number, START_MS + number)
    early = told(subject, 0.5)
    assert (early.a_day, early.count) == (None, 5)
    assert early.span_ms == pytest.approx(HOUR_MS / 2, rel=0.01)
    assert told(subject, 2).a_day == pytest.approx(60, rel=0.01)


def test_thousands_within_minutes_do(told, kept):
    for number in range(2_100):
        given(kept, "bots", number, START_MS + number * 300)
    at_hours = 2_100 * 300 / HOUR_MS
    assert told("rules/bots", at_hours).a_day == pytest.approx(DAY_MS / 300, rel=0.01)


def test_without_any_passthru_the_first_answer_says_how_long_that_took(told, kept):
    """Whose calls had no passthru yet was told of as if a whole day had gone."""
    for number in range(30):
        given(kept, "bots", number, START_MS + number)
    assert told("rules/bots", 0.25).a_day is None
    assert told("rules/bots", 3).a_day == pytest.approx(240, rel=0.01)


def test_calls_without_any_stream_say_how_long_that_took(told, kept):
    """They were never told of as any volume, however many came."""
    first = receipt(b"CallSid=c1&CallFrom=09800000001&Direction=incoming")
    kept.keep(*(first for _ in range(30)))
    assert told("rules/default", 0.5).a_day is None
    assert told("rules/default", 12).a_day == pytest.approx(60, rel=0.01)

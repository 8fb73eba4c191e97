"""The figures of alerts and the verdict, from a real store and from what else they come from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from kept_receipts import Kept, query, receipt
from patience import PATIENCE_S
from switchhook.capacity.metrics import watch_figures
from switchhook.capacity.status import CapacityNow
from switchhook.journal.receipt import (
    ANSWERED_ALONE,
    ANSWERED_UNREAD,
    ConfigApplied,
    Counters,
    RecordKind,
    Sample,
    encode,
)
from switchhook.metrics import KNOWN, unknown_until
from switchhook.overview.health_metrics import clock_figures, retention_figures
from switchhook.overview.known_troubles import Known, known_troubles
from switchhook.rules.decide import Option
from switchhook.store import SqliteStore
from switchhook.streams.fold import Folder
from switchhook.streams.fold_metrics import fold_figures
from switchhook.streams.metrics import StoreFigures
from switchhook.streams.names import Bot, NamedAccount, Names
from switchhook.streams.recent import Recently

NOW = 1_795_000_000_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NAMES = Names(
    accounts=(NamedAccount("Main", "sid"),),
    bots=(Bot("Sales", hosts=("a.example",)),),
)
WELL = {"status": "completed", "DisconnectedBy": "bot", "StreamUrl": "wss://a.example/x"}
REFUSED = {
    "status": "failed",
    "Error": "3009 dial tcp 10.0.0.1:443: connect: connection refused",
    "StreamUrl": "wss://a.example/x",
}
THROTTLED = {"status": "failed", "DetailedStatus": "Streaming_call_throttled"}


class World:
    def __init__(self, folder):
        self.kept = Kept(folder / "journal")
        self.store = SqliteStore(folder / "store", self.kept.reader)
        self.store.open()
        self.fold = Folder(self.kept.reader, self.store)
        self.source = StoreFigures(self.store, self.kept.reader, self.fold, lambda: NAMES)
        self.number = 0

    def stream(self, at_ms, said, option="A", endpoint="sales", count=1):
        for _ in range(count):
            self.number += 1
            words = dict(said)
            status = words.pop("status")
            raw = query(f"c{self.number}", f"s{self.number}", status, **words)
            one = receipt(raw, endpoint=endpoint, received_us=at_ms * 1000)
            decision = msgspec.structs.replace(one.decision, option=Option(option))
            self.kept.record(
                RecordKind.PASSTHRU,
                encode(msgspec.structs.replace(one, decision=decision)),
                at=at_ms,
            )

    def folded(self):
        assert self.kept.writer.flush(PATIENCE_S)
        if not self.fold.running:
            self.fold.start()
        assert self.fold.reach(self.kept.reader.last_seq(), 30)

    def read(self, now_ms=NOW):
        self.folded()
        return figures_of(self.source, now_ms)

    def close(self):
        self.fold.stop()
        self.store.close()
        self.kept.close()


def figures_of(source, now_ms=NOW):
    return {
        (figure.name, *(text for _, text in figure.labels)): figure for figure in source(now_ms)
    }


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def test_streams_are_counted_by_bot_and_account(world):
    world.stream(NOW - 20 * MINUTE, REFUSED, "B", count=50)
    world.stream(NOW - 5 * MINUTE, WELL, count=6)
    world.stream(NOW - 4 * MINUTE, REFUSED, "B", count=4)
    world.stream(NOW - MINUTE, THROTTLED, "B", count=2)
    found = world.read()
    assert found["streams.count", "sales"].value == 12
    assert (found["streams.failed", "Sales"].value, found["streams.failed", "Sales"].cases) == (
        4,
        10,
    )
    share = found["streams.failed_share", "Sales"]
    assert (share.value, share.cases) == (0.4, 10)
    throttled = found["streams.throttled", "Main"]
    assert (throttled.value, throttled.cases) == (2, 12)
    assert found["streams.throttled_share", "Main"].value == pytest.approx(2 / 12)
    assert all(figure.at_ms == NOW for figure in found.values())
    assert {name for name, *_ in found} <= KNOWN.keys()
    for (name, *_), figure in found.items():
        assert {key for key, _ in figure.labels} <= set(KNOWN[name].labels)


def test_of_few_streams_the_last_ten_count(world):
    world.stream(NOW - 170 * MINUTE, WELL, count=100)
    for ago in (150, 120, 90, 60):
        world.stream(NOW - ago * MINUTE, REFUSED, "B", count=2)
    share = world.read()["streams.failed_share", "Sales"]
    # Minutes are looked at whole: the ones with the last ten, and no more.
    assert (share.value, share.cases) == (pytest.approx(8 / 108), 108)
    world.stream(NOW, REFUSED, "B", count=2)
    share = world.read()["streams.failed_share", "Sales"]
    assert (share.value, share.cases) == (1.0, 10)


def test_nothing_yet_is_known_as_nothing(world):
    found = world.read()
    assert found["streams.count",].value == 0
    assert found["streams.new_failures",].value == 0
    assert found["answer.p99_ms",].value is None
    assert (world.source.last_ms, world.source.recently) == (None, Recently())


def test_the_verdict_gets_what_it_needs(world):
    world.stream(NOW - 2 * DAY, WELL)
    world.read()
    assert world.source.last_ms == NOW - 2 * DAY
    world.stream(NOW - 30 * MINUTE, WELL)
    world.stream(NOW - MINUTE, WELL)
    world.read(NOW + 1)
    world.read(NOW + 60_000)
    (sales,) = world.source.recently.bots
    assert (sales.cases, sales.late, len(world.source.recently.late)) == (2, 1, 1)
    assert world.source.last_ms is not None
    assert world.source.last_ms >= NOW - 2 * MINUTE


def test_the_share_of_a_is_compared_with_the_day_before(world):
    world.stream(NOW - 2 * DAY, WELL)
    world.stream(NOW - DAY - 30 * MINUTE, WELL, "A", count=90)
    world.stream(NOW - DAY - 20 * MINUTE, WELL, "B", count=10)
    world.stream(NOW - 30 * MINUTE, WELL, "A", count=20)
    world.stream(NOW - 20 * MINUTE, WELL, "B", count=80)
    found = world.read()
    shift = found["endpoint.a_share_shift", "sales"]
    assert found["endpoint.a_share", "sales"].value == 0.2
    assert shift.cases == 100
    assert 0.5 < shift.value < 0.7


def test_what_chance_explains_is_no_shift(world):
    world.stream(NOW - 5 * HOUR, WELL, "A", count=15)
    world.stream(NOW - 5 * HOUR, WELL, "B", count=10)
    world.stream(NOW - 30 * MINUTE, WELL, "A", count=10)
    world.stream(NOW - 20 * MINUTE, WELL, "B", count=12)
    shift = world.read()["endpoint.a_share_shift", "sales"]
    assert (shift.value, shift.cases) == (0.0, 22)


def test_a_failure_never_seen_before_is_new_for_an_hour(world):
    world.stream(NOW - 5 * HOUR, REFUSED, "B")
    world.stream(NOW - 10 * MINUTE, REFUSED, "B")
    eof = {**REFUSED, "Error": "3009 unexpected EOF"}
    world.stream(NOW - 5 * MINUTE, eof, "B", count=3)
    found = world.read()
    new = {key: each.value for key, each in found.items() if key[0] == "streams.new_failures"}
    assert new == {("streams.new_failures", "Sales", "connect_failed", "eof"): 3}
    later = world.read(NOW + HOUR)
    assert later["streams.new_failures", "Sales", "connect_failed", "eof"].value == 0


def test_what_the_answer_process_counted(world):
    counts = {"answered": 100, "deadline before disk": 3, "failed to decide": 1}
    times = {"answer_ms <= 1": 90, "answer_ms <= 5": 8, "answer_ms <= 250": 2}
    world.kept.record(RecordKind.COUNTERS, encode(Counters(counts | times)), at=NOW - MINUTE)
    found = world.read()
    assert found["answer.missed_deadlines",].value == 3
    assert found["answer.undecided",].value == 1
    assert (found["answer.p99_ms",].value, found["answer.p99_ms",].cases) == (250, 100)


@pytest.mark.parametrize(
    ("counted", "figure"),
    [
        ("deadline before disk", "answer.missed_deadlines"),
        (ANSWERED_ALONE, "answer.one_copy"),
        ("failed to decide", "answer.undecided"),
        ("unreadable: not HTTP", "answer.unreadable_share"),
        (ANSWERED_UNREAD, "answer.unread"),
    ],
)
def test_what_ended_two_minutes_ago_is_over(world, counted, figure):
    for ago, counts in ((9, {counted: 5}), (4, {counted: 3}), (0, {"answered": 10})):
        body = encode(Counters({"answered": 10} | counts))
        world.kept.record(RecordKind.COUNTERS, body, at=NOW - ago * MINUTE)
    going_on = world.read(NOW - 2 * MINUTE)[figure,].value
    assert going_on == pytest.approx(8 if figure != "answer.unreadable_share" else 8 / 28)
    assert world.read(NOW)[figure,].value == 0


@pytest.mark.parametrize(
    "counts, share, cases, unread",
    [
        (
            {"answered": 90, "unreadable: TLS on a plain port": 8, "unreadable: not HTTP": 2},
            0.1,
            100,
            0,
        ),
        ({"answered": 5, "unreadable: x": 5, ANSWERED_UNREAD: 5}, 1.0, 5, 5),
        ({"answered": 10, "secret wrong": 90}, 0.0, 10, 0),
        ({"secret wrong": 90}, None, 0, 0),
    ],
)
def test_requests_that_are_no_http(world, counts, share, cases, unread):
    """One that was answered all the same is one request, not two."""
    world.kept.record(RecordKind.COUNTERS, encode(Counters(counts)), at=NOW - MINUTE)
    sample = Sample("", "not HTTP", b"\xff", None)
    world.kept.record(RecordKind.SAMPLE, encode(sample), at=NOW - MINUTE)
    found = world.read()
    figure = found["answer.unreadable_share",]
    assert (figure.value, figure.cases, found["answer.unread",].value) == (share, cases, unread)
    assert ("endpoint.wrong_secrets", "") not in found


def change(world, hash, ago_ms, name="rules/sales"):
    body = encode(ConfigApplied(name, hash, "text", "changed file"))
    world.kept.record(RecordKind.TAKEOVER, body, at=NOW - ago_ms)


def test_a_share_that_moved_with_the_rules_is_seen_within_minutes(world):
    change(world, "one", 5 * HOUR)
    world.stream(NOW - 40 * MINUTE, WELL, "A", count=60)
    change(world, "two", 10 * MINUTE)
    world.stream(NOW - 8 * MINUTE, WELL, "B", count=4)
    world.folded()
    found = world.read()
    assert found["endpoint.a_share_shift", "sales"].cases == 0, "too few to say"
    world.stream(NOW - 7 * MINUTE, WELL, "B", count=1)
    world.folded()
    shift = world.read()["endpoint.a_share_shift", "sales"]
    assert shift.cases == 5
    assert shift.value > 0.5
    moved = world.source.shares.moved["sales"]
    assert (moved.before.share, moved.since.share) == (1, 0)
    assert (moved.change.hash, moved.change.by) == ("two", "changed file")
    (known,) = known_troubles(Known(moved=world.source.shares.moved))
    assert "Option A is 0 % of 5 streams, where it was 100 %." in known.what
    # Back to what ran before is no news, though the hour before has both.
    change(world, "one", 5 * MINUTE)
    world.stream(NOW - 3 * MINUTE, WELL, "A", count=30)
    world.folded()
    assert world.read(NOW + 10_000)["endpoint.a_share_shift", "sales"].value == 0


def test_a_start_changes_no_rules(world):
    world.stream(NOW - 40 * MINUTE, WELL, "A", count=60)
    for ago in (5 * HOUR, 10 * MINUTE):
        change(world, "one", ago)
    change(world, "another", 10 * MINUTE, name="config")
    world.stream(NOW - 5 * MINUTE, WELL, "B", count=30)
    world.folded()
    world.read()
    assert world.source.shares.moved == {}


def test_wrong_secrets_and_losses(world):
    for ago in (2 * HOUR, 30 * MINUTE, MINUTE):
        sample = Sample("sales", "secret wrong", b"CallSid=c", None)
        world.kept.record(RecordKind.SAMPLE, encode(sample), at=NOW - ago)
    world.kept.record(RecordKind.COUNTERS, encode(Counters({"secret wrong": 2})), at=NOW - MINUTE)
    found = world.read()
    assert found["endpoint.wrong_secrets", "sales"].value == 2
    assert found["endpoint.wrong_secret_share", "sales"].value == 1
    assert found["receipts.lost",].value == 0
    # The figure comes down again, and does not just vanish.
    assert world.read(NOW + 2 * HOUR)["endpoint.wrong_secrets", "sales"].value == 0


def test_wrong_secrets_end_a_few_minutes_after_the_last(world):
    sample = Sample("sales", "secret wrong", b"CallSid=c", None)
    for ago in (9, 8, 7):
        world.kept.record(RecordKind.SAMPLE, encode(sample), at=NOW - ago * MINUTE)
    refused = encode(Counters({"secret wrong": 3}))
    world.kept.record(RecordKind.COUNTERS, refused, at=NOW - 7 * MINUTE)
    found = world.read(NOW - 6 * MINUTE)
    assert found["endpoint.wrong_secrets", "sales"].value == 3
    found = world.read()
    assert found["endpoint.wrong_secrets", "sales"].value == 0
    share = found["endpoint.wrong_secret_share", "sales"]
    assert (share.value, share.cases) == (0, None)


def test_most_callers_with_a_wrong_secret_are_told_from_a_few(world):
    sample = Sample("sales", "secret wrong", b"CallSid=c", None)
    for _ in range(5):
        world.kept.record(RecordKind.SAMPLE, encode(sample), at=NOW - 3 * MINUTE)
    world.kept.record(RecordKind.COUNTERS, encode(Counters({"secret wrong": 5})), at=NOW - MINUTE)
    share = world.read()["endpoint.wrong_secret_share", "sales"]
    assert (share.value, share.cases) == (1, 5)
    world.stream(NOW - MINUTE, WELL, count=15)
    world.folded()
    share = world.read()["endpoint.wrong_secret_share", "sales"]
    assert (share.value, share.cases) == (0.25, 20)


def test_a_clock_ahead_keeps_no_count_in_its_hour(world):
    """Wrong secrets and losses count at their place in the journal, whatever the clock said."""
    sample = Sample("sales", "secret wrong", b"CallSid=c", None)
    for at in (NOW - 2 * DAY, NOW - 2 * DAY + MINUTE):
        mono = at - NOW + 9 * DAY
        glitch = 0 if at == NOW - 2 * DAY else 3 * DAY
        world.kept.writer.append(RecordKind.SAMPLE, at + glitch, encode(sample), mono=mono)
        world.kept.writer.append(RecordKind.LOST, at + glitch, b'{"count":3}', mono=mono)
    found = world.read()
    assert ("endpoint.wrong_secrets", "sales") not in found
    assert found["receipts.lost",].value == 0


def test_figures_are_as_old_as_the_fold_is_behind(world):
    world.stream(NOW - MINUTE, WELL)
    world.read(NOW)
    world.fold.stop()
    world.stream(NOW, WELL)
    assert world.kept.writer.flush(PATIENCE_S)
    figures = figures_of(world.source, NOW + 5_000)
    assert {figure.at_ms for figure in figures.values()} == {NOW}


def test_hosts_from_outside_have_a_ceiling(world):
    for number in range(230):
        world.stream(NOW - MINUTE, {**REFUSED, "StreamUrl": f"wss://h{number}.example/"}, "B")
    found = world.read()
    shares = [key for key in found if key[0] == "streams.failed_share"]
    assert len(shares) == 201
    assert found["streams.failed_share", "other"].cases == 30
    assert sum(key[0] == "streams.new_failures" for key in found) <= 51


# What else figures come from.


class Watch:
    def __init__(self, *accounts):
        self.accounts = accounts

    def now(self, now_ms):
        return self.accounts


def test_accounts_are_known_or_not():
    good = CapacityNow("Main", 80, 100, 20, 4.0)
    bad = CapacityNow("Two", None, None, None, None, "the key is refused", unread=7)
    full = CapacityNow("None", 0, 0, 0, 1.0)
    found = figures_of(watch_figures(Watch(good, bad, full)))
    assert found["account.headroom_share", "Main"].value == 0.2
    assert found["account.active", "Main"].at_ms == NOW - 4000
    assert found["account.unreadable_polls", "Main"].value is None, "it was read before the start"
    again = figures_of(watch_figures(Watch(msgspec.structs.replace(good, at_ms=NOW))))
    assert again["account.unreadable_polls", "Main"].value == 0
    assert found["account.headroom_share", "Two"].value is None
    assert found["account.unreadable_polls", "Two"].value == 7
    assert found["account.headroom_share", "None"].value == 0


class Fold:
    def __init__(self):
        self.position, self.problem, self.running, self.end = 5, None, True, 5

    def last_seq(self):
        return self.end


def test_how_long_the_fold_stands_still():
    fold: Any = Fold()
    source = fold_figures(fold, fold)

    def stalled(at_s):
        return figures_of(source, NOW + at_s * 1000)["fold.stalled_s",].value

    assert stalled(0) == stalled(100) == 0
    fold.end = 9
    assert (stalled(130), stalled(190)) == (30, 90)
    fold.position = 7
    assert (stalled(200), stalled(210)) == (0, 10)
    fold.position, fold.problem = 9, "it is full"
    assert (stalled(300), stalled(310)) == (0, 10)
    fold.problem, fold.running = None, False
    assert stalled(320) == 20
    fold.running = True
    assert stalled(321) == 0


def test_a_fold_that_has_not_moved_since_the_start_may_have_stood_still_before():
    fold: Any = Fold()
    fold.end = 9
    source = fold_figures(fold, fold)

    def stalled(at_s):
        return figures_of(source, NOW + at_s * 1000)["fold.stalled_s",].value

    assert (stalled(0), stalled(60), stalled(61)) == (None, None, 61)
    fold.position = 7
    assert stalled(70) == 0


def test_what_retention_has_not_looked_at_yet_is_unknown():
    retention = SimpleNamespace(held=None, looked=False)
    source = retention_figures(lambda: retention)
    assert figures_of(source)["retention.held_days",].value is None
    retention.looked = True
    assert figures_of(source)["retention.held_days",].value == 0
    retention.held = SimpleNamespace(ahead_ms=3 * DAY)
    assert figures_of(source)["retention.held_days",].value == 3


def test_what_is_folded_is_unknown_until_the_fold_has_caught_up_once(world):
    world.stream(NOW - 1000, REFUSED, count=3)
    assert world.kept.writer.flush(PATIENCE_S)
    source = unknown_until(lambda: world.source.caught_up, world.source)
    assert {each.value for each in source(NOW)} == {None}
    world.folded()
    assert figures_of(source)["streams.failed", "Sales"].value == 3
    world.stream(NOW - 500, REFUSED)  # it trails, and is known
    assert figures_of(source)["streams.failed", "Sales"].value == 3


def test_a_clock_that_is_not_known_yet_may_have_stepped_before():
    steps: list[Any] = [None]
    known = [False]
    source = clock_figures(lambda: steps[0], lambda: known[0])
    assert figures_of(source)["clock.step_s",].value is None
    known[0] = True
    assert figures_of(source)["clock.step_s",].value == 0
    steps[0] = SimpleNamespace(by_ms=-3_000)
    assert figures_of(source)["clock.step_s",].value == 3

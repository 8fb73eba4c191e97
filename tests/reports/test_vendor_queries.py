"""A vendor's report against the store that it is made of: every sum is the store's own."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from zoneinfo import ZoneInfo

import msgspec
import pytest

from kept_receipts import START_MS, Kept, fold, query, receipt
from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.alert_rule import Severity
from switchhook.exotel.times import DAY_MS
from switchhook.reports import vendor
from switchhook.reports.forms import CSV_COLUMNS, report_csv, report_json, report_markdown
from switchhook.reports.vendor import LENGTHS_S
from switchhook.reports.vendor_queries import (
    ReportSources,
    known_bots,
    troubles_of,
    vendor_report,
)
from switchhook.reports.week import Stretch
from switchhook.store import SqliteStore
from switchhook.streams.names import Bot, Names
from switchhook.streams.recent import BOT_FAILED, attributed
from switchhook.web.parameters import RefusedParameter

IST = ZoneInfo("Asia/Kolkata")
NAMES = Names(
    bots=(
        Bot(
            "Asha", ("asha.*",), endpoints=("desk",), owner="Asha Ltd", contact="help@asha.example"
        ),
        Bot("Idle", ("idle.example",)),
    ),
    destinations={("default", "B"): "a human"},
)
SID = "0123456789abcdef0123456789abcd"
REFUSED = "3009 failed to establish ws conn dial tcp 10.4.0.1:8443: connect: connection refused"
WEEK = Stretch(START_MS - DAY_MS, START_MS + DAY_MS, "2026-W47")


def told(number, host="asha.bots.example", endpoint="default", **stream):
    url = {"StreamUrl": f"wss://{host}/x"} if host else {}
    raw = query(f"{SID}{number:02}", f"s{number}", **url, **stream)
    raw += f"&CallFrom=0987650{number:04d}&CallTo=08047112233&Direction=incoming".encode()
    return receipt(raw, endpoint=endpoint)


TOLD = (
    told(1, DisconnectedBy="bot", Duration="12"),
    told(2, DisconnectedBy="user", Duration="40"),
    told(3, DisconnectedBy="user", Duration="700"),
    told(4, DisconnectedBy="bot"),
    told(5, status="failed", Error=REFUSED, Duration="0"),
    told(6, status="failed", Error=REFUSED + " | `rm` <b>\n# x", Duration="0"),
    told(7, status="failed", Error="websocket: close 1011 (internal error)", Duration="9"),
    told(8, status="failed", DetailedStatus="Streaming_call_throttled"),
    told(9, host="", endpoint="desk", status="cancelled", DisconnectedBy="user"),
    told(10, DisconnectedBy="NA", Duration="3600"),
    told(11, status="in-progress"),
    told(12, host="other.example", status="failed", Error=REFUSED),
    told(13, host="", status="completed", DisconnectedBy="bot"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    kept = Kept(folder / "journal")
    kept.keep(*TOLD)
    store = SqliteStore(folder / "store", kept.reader)
    store.open()
    fold(store, kept.reader)
    yield store
    store.close()
    kept.close()


def report_of(store, bot="Asha", stretch=WEEK, alerts=(), **more):
    sources = ReportSources(store, NAMES, lambda _since, _until: alerts)
    return vendor_report(sources, bot, stretch, IST, START_MS + 3 * DAY_MS, **more)


def test_the_sums_are_those_of_the_store(store):
    report = report_of(store)
    theirs = [
        each
        for each in attributed(store.tallies(WEEK.since_ms, WEEK.until_ms), NAMES)
        if each.bot == "Asha"
    ]
    counted: Counter[str] = Counter()
    for each in theirs:
        counted[each.facet.cause] += each.streams
    assert {str(cause): count for cause, count in report.causes} == counted
    assert report.streams == counted.total() == 11
    assert report.calls == 11
    assert report.failed == sum(counted[cause] for cause in BOT_FAILED) == 3
    assert report.judged == 8
    assert sum(count for _, _, count in report.blames) == report.streams
    assert sum(each.streams for each in report.answered) == report.streams
    for shares in (report.days, report.hours, report.each_hour):
        assert sum(each.streams for each in shares) == report.streams
        assert sum(each.failed for each in shares) == report.failed
        assert sum(each.judged for each in shares) == report.judged
    assert len(report.days) == 2
    assert len(report.hours) == 24


def test_each_failure_is_listed_with_what_exotel_said(store):
    groups = {(each.cause, each.kind): each for each in report_of(store).groups}
    refused = groups["connect_failed", "refused"]
    assert [each.call_sid[-2:] for each in refused.failures] == ["05", "06"]
    first = refused.failures[0]
    assert REFUSED in first.said
    assert (first.seconds, first.option, first.rule) == (0, "B", "the stream went wrong")
    assert first.number.endswith("05")
    assert "98765" not in first.number
    assert set(groups) == {
        ("connect_failed", "refused"),
        ("bot_dropped", "closed"),
        ("throttled", ""),
        ("caller_left_early", ""),
        ("ended_by_system", ""),
    }
    assert next(iter(groups)) == ("connect_failed", "refused")


def test_numbers_are_whole_only_where_that_is_asked(store):
    (early,) = [g for g in report_of(store, whole=True).groups if g.cause == "caller_left_early"]
    assert early.failures[0].number == "+919876500009"


def test_talks_and_what_is_not_known(store):
    report = report_of(store)
    talks = report.talks
    assert (talks.known, talks.unknown) == (4, 1)
    assert (talks.shortest_s, talks.half_s, talks.nine_in_ten_s, talks.longest_s) == (
        *(12, 40, 3600, 3600),
    )
    assert dict(zip((*LENGTHS_S, None), talks.lengths, strict=True)) == {
        **{5: 0, 15: 1, 30: 0, 60: 1, 180: 0, 600: 0},
        None: 2,
    }
    assert report.early.unknown == 1
    assert report.without_host == 1
    assert "Not measured" in report.first_sound


def test_a_bot_without_a_stream_has_an_empty_report(store):
    report = report_of(store, "Idle")
    assert (report.streams, report.share, report.groups) == (0, None, ())
    assert "no stream tells" in report_markdown(report, IST).decode()


def test_streams_of_another_time_are_not_in_it(store):
    later = Stretch(START_MS + DAY_MS, START_MS + 2 * DAY_MS)
    assert report_of(store, stretch=later).streams == 0
    first_three = Stretch(START_MS, START_MS + 4_000)
    assert report_of(store, stretch=first_three).streams == 3


def test_what_is_no_longer_kept_is_said(store):
    assert report_of(store).kept_since_ms == START_MS + 1_000
    later = Stretch(START_MS + 5_000, START_MS + DAY_MS)
    assert report_of(store, stretch=later).kept_since_ms is None


def test_a_host_without_a_name_is_a_bot(store):
    assert known_bots(store, NAMES) == ["Asha", "Idle", "other.example"]
    assert report_of(store, "other.example").failed == 1
    for unknown in ("asha", "A*", "", "nobody"):
        with pytest.raises(RefusedParameter, match="no bot"):
            report_of(store, unknown)


def test_what_is_not_listed_is_counted(store, monkeypatch):
    monkeypatch.setattr(vendor, "MOST_LISTED", 2)
    report = report_of(store)
    assert report.unlisted == 4
    assert sum(each.streams for each in report.groups) == 6
    assert "4 more are counted" in report_markdown(report, IST).decode()


ALERT = Alert(
    rule="bot-down",
    title="A bot fails its callers",
    figure="bot.failing",
    falling=False,
    severity=Severity.CRITICAL,
    labels=(("bot", "Asha"),),
    topic="bot",
    advice="",
    state=AlertState.RESOLVED,
    since_ms=START_MS,
    value=2,
    cases=None,
    members=(),
    known_ms=START_MS,
    fired_ms=START_MS,
    resolved_ms=START_MS + 60_000,
)


def test_troubles_are_the_bots_own_and_those_of_several():
    others = (
        msgspec.structs.replace(ALERT, labels=(("bot", "Idle"),)),
        msgspec.structs.replace(ALERT, labels=(), figure="bots.failing_together", resolved_ms=None),
    )
    own, together = troubles_of((ALERT, *others), "Asha")
    assert (own.since_ms, own.ended_ms, own.together) == (START_MS, START_MS + 60_000, False)
    assert (together.ended_ms, together.together) == (None, True)


def test_the_files_say_the_same(store):
    report = report_of(store, alerts=(ALERT,))
    said = report_json(report)
    listed = [each for group in said["groups"] for each in group["failures"]]
    rows = list(csv.reader(io.StringIO(report_csv(report, IST).decode("utf-8-sig"))))
    assert rows[0] == ["time (IST)", *CSV_COLUMNS[1:]]
    assert sorted(row[5] for row in rows[1:]) == sorted(each["call_sid"] for each in listed)
    assert json.loads(json.dumps(said)) == said
    text = report_markdown(report, IST).decode()
    assert all(each["call_sid"] in text for each in listed)
    assert "The bot failed 3 of the 8" in text
    assert "### Connect failed (refused): 2\n\nThe bot's. The bot's address refused" in text
    assert "### Throttled: 1\n\nNot the bot's: the account's limit. " in text
    assert "2026-11-18 16:36:45" in text
    assert "A bot fails its callers | critical | 2026-11-18 16:36:40 | 2026-11-18 16:37:40" in text
    assert "+9198765" not in text
    assert "09876" not in text


def test_what_came_from_outside_acts_nowhere(store):
    text = report_markdown(report_of(store), IST).decode()
    (line,) = [each for each in text.splitlines() if "rm" in each and "refused" in each]
    assert line.count("`") == 4
    assert "\\| 'rm' <b>\\n# x" in line

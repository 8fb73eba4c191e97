"""`/metrics`: what Prometheus reads, and what it must never be told."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from starlette.applications import Starlette

from asgi_client import Client
from kept_receipts import START_MS, Kept, fold, query, receipt
from patience import PATIENCE_S
from switchhook.alerts.alert import Alert, AlertState
from switchhook.alerts.alert_rule import Severity
from switchhook.answer.counter_names import not_let_in, place_of
from switchhook.capacity.status import CapacityNow
from switchhook.errors import DataFolderError
from switchhook.journal.receipt import ANSWER_BUCKETS, ANSWER_US, Counters, RecordKind, encode
from switchhook.metrics import KNOWN, Figure
from switchhook.store import SqliteStore
from switchhook.streams.facet import Count, Facet, Use
from switchhook.streams.names import Bot, Names
from switchhook.telemetry.prometheus import FoldState, MetricSources, MetricsPage, Traces
from switchhook.telemetry.stream_counters import MOST_ENDPOINTS, MOST_HOSTS

NOW_MS = 1_795_000_000_000
NUMBER = "+919876543210"


class Shelf:
    """The store's and the journal's part in it."""

    def __init__(self) -> None:
        self.all_time: dict[str, int] = {}
        self.facets: list[Use] = []
        self.peaks: list[Count] = []
        self.fails = False

    def counters(self) -> dict[str, int]:
        if self.fails:
            raise DataFolderError("data", "the store is damaged", "rebuild it")
        return self.all_time

    def uses(self) -> list[Use]:
        return self.facets

    def counts(self, since_ms: int, until_ms: int) -> list[Count]:
        return [each for each in self.peaks if since_ms <= each.at_ms < until_ms]

    def quarantined(self, limit: int) -> tuple[int, list[object]]:
        return 3, []

    def size_bytes(self) -> int:
        return 12345

    def saw(self, streams: int, first_ms: int = 1, **facet: str) -> None:
        words = {"endpoint": "default", "status": "completed", "cause": "bot_done", "option": "A"}
        self.facets.append(Use(Facet(**{**words, **facet}), first_ms, NOW_MS, streams))


def alert(rule: str, state: AlertState, **labels: str) -> Alert:
    return Alert(
        rule=rule, title="", figure="streams.throttled", falling=False, severity=Severity.CRITICAL,
        labels=tuple(labels.items()), topic="", advice="", state=state, since_ms=1, value=1.0,
        cases=None, members=(), known_ms=1,
    )  # fmt: skip


@pytest.fixture
def shelf():
    return Shelf()


def full(shelf: Shelf) -> Shelf:
    """Something of everything that there is."""
    shelf.all_time = dict.fromkeys(
        (
            "answered", "deadline before disk", "answered with one copy", "failed to decide",
            "secret wrong",
            "receipt refused by the database", "secret missing", "not loopback",
            "unknown endpoint", "unknown account", "webhook secret wrong", "webhook method",
            "webhook not kept in time", "webhook: body not whole in time", "status received",
            "heartbeat received", "too many connections", "silent",
            "unreadable: head too large", "something new",
        ),
        7,
    )  # fmt: skip
    shelf.all_time |= {ANSWER_BUCKETS[1]: 5, ANSWER_BUCKETS[5]: 2, ANSWER_US: 90_000}
    shelf.peaks = [Count(NOW_MS - 60_000, "waiting", 4), Count(NOW_MS - 600_000, "waiting", 9)]
    shelf.saw(10, host="a.bot.example")
    shelf.saw(2, host="a.bot.example", cause="throttled", status="failed", option="B")
    shelf.saw(1, cause="running", status="in-progress")
    return shelf


def sources(shelf: Shelf, tmp_path, **more: object) -> MetricSources:
    said = {
        "store": shelf,
        "journal": shelf,
        "fold": lambda: FoldState(5, running=True),
        "names": lambda: Names(bots=(Bot("Sales", ("*.bot.example",)),)),
        "data": tmp_path,
        "version": "1.2.3",
        "capacity": lambda _now: (
            CapacityNow("main", 71, 100, 29, 1.5),
            CapacityNow("mute", None, None, None, None, "it answered nothing", unread=3),
        ),
        "alerts": lambda: (
            alert("bot-failing", AlertState.FIRING, bot="Sales"),
            alert("bot-failing", AlertState.FIRING, bot="Support"),
            alert("headroom", AlertState.PENDING),
        ),
        "figures": lambda now: (
            Figure("answer.unreachable", 0, now),
            Figure("receipts.waiting", 1, now),
            Figure("rules.refused", None, now),
            Figure("files.damaged", 0, now),
            Figure("pool.degraded", 1, now, (("pool", "sales"),)),
            *(
                Figure(f"member.{name}", value, now, (("pool", "sales"), ("member", "a")))
                for name, value in (("out", 1), ("certificate_days", 9), ("silent_calls", 3))
            ),
            *(
                Figure(name, 3, now, (("account", "main"),))
                for name in KNOWN
                if name.startswith(("admission.", "promises.", "callbacks.", "dialling."))
            ),
            *(
                Figure(name, 1, now, (("release", "12"), ("subject", "pools")))
                for name in KNOWN
                if name.startswith("release.")
            ),
            *(
                Figure(name, 2, now, tuple((label, "node-a") for label in KNOWN[name].labels))
                for name in KNOWN
                if name.startswith(("cluster.", "node."))
            ),
            Figure("streams.count", 12, now, (("endpoint", "default"),)),
        ),
        "promises": lambda: (
            ("main", "made", "rule", 9),
            ("main", "refused", "do not call", 2),
            ("main", "event", "not placed", 1),
            ("main", "outcome", "talked", 7),
            ("main", "something new", "x", 1),
        ),
        "traces": lambda: Traces(8, 1),
        "details_dropped": lambda: 4,
        "now_ms": lambda: NOW_MS,
    }
    said["failing"] = lambda: {"store": False, "ledger": True}
    return MetricSources(**{**said, **more})


def client_of(given: MetricSources) -> Client:
    return Client(Starlette(routes=MetricsPage(given).routes()))


def scrape(client: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels."""
    reply = client.get("/metrics")
    assert reply.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in prometheus(reply.text)
        for sample in family.samples
    }


def values(samples, name: str, *labels: str, zeros: bool = False) -> dict[object, float]:
    """The samples of a name by the values of some labels; of one by its value alone."""
    found = {}
    for (each, pairs), value in samples.items():
        if each == name and (value or zeros or not name.startswith("switchhook_streams_total")):
            key = tuple(dict(pairs)[label] for label in labels)
            found[key[0] if len(key) == 1 else key] = value
    return found


def test_everything_is_said_as_prometheus_wants_it(shelf, tmp_path):
    client = client_of(sources(full(shelf), tmp_path))
    text = client.get("/metrics").text
    seen = set()
    for family in prometheus(text):
        ours = family.name.startswith("switchhook_")
        assert ours or family.name.startswith("process_"), family.name
        assert family.name not in seen
        seen.add(family.name)
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total") or family.name in (
                "switchhook_build_info"
            ), sample
            assert not re.search(r"_(ms|us|millis|kb|mb|percent)(_|$)", sample.name)
            assert all(re.fullmatch("[a-z][a-z_]*", label) for label in sample.labels)
    assert len(seen) > 25


def test_open_metrics_is_spoken_where_it_is_asked_for(shelf, tmp_path):
    client = client_of(sources(full(shelf), tmp_path))
    accept = "application/openmetrics-text;version=1.0.0"
    reply = client.get("/metrics", headers={"Accept": accept})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.headers["cache-control"] == "no-store"
    assert len(list(open_metrics(reply.text))) > 25


def test_answers_are_counted_and_timed(shelf, tmp_path):
    samples = scrape(client_of(sources(full(shelf), tmp_path)))
    name = "switchhook_answer_duration_seconds"
    buckets = values(samples, f"{name}_bucket", "le")
    assert (buckets["0.001"], buckets["0.002"], buckets["0.05"], buckets["+Inf"]) == (0, 5, 7, 7)
    assert [*buckets.values()] == sorted(buckets.values())
    assert samples[f"{name}_count", ()] == 7
    assert samples[f"{name}_sum", ()] == 0.09
    assert samples["switchhook_answers_total", ()] == 7
    assert samples["switchhook_answer_deadlines_missed_total", ()] == 7
    assert samples["switchhook_answers_one_copy_total", ()] == 7
    assert samples["switchhook_answer_waiting_peak", ()] == 4
    refused = values(samples, "switchhook_requests_refused_total", "reason")
    assert refused["secret_wrong"] == refused["unknown_account"] == 7
    assert values(samples, "switchhook_webhooks_received_total", "kind") == {
        "status": 7,
        "heartbeat": 7,
        "report": 0,
    }
    assert values(samples, "switchhook_answer_events_total", "event") == {"something_new": 7}


def test_promises_are_counted_by_what_became_of_them(shelf, tmp_path):
    samples = scrape(client_of(sources(full(shelf), tmp_path)))
    assert values(samples, "switchhook_promises_made_total", "account", "origin") == {
        ("main", "rule"): 9
    }
    assert values(samples, "switchhook_promises_refused_total", "reason") == {"do_not_call": 2}
    assert values(samples, "switchhook_promise_events_total", "event") == {"not_placed": 1}
    assert values(samples, "switchhook_callbacks_total", "outcome") == {"talked": 7}
    assert values(samples, "switchhook_promises_late", "account") == {"main": 3}


def test_streams_are_told_by_cause_bot_and_endpoint(shelf, tmp_path):
    samples = scrape(client_of(sources(full(shelf), tmp_path)))
    assert values(samples, "switchhook_streams_total", "cause", "bot", "endpoint") == {
        ("bot_done", "Sales", "default"): 10,
        ("throttled", "Sales", "default"): 2,
    }
    assert values(samples, "switchhook_streams_answered_total", "option") == {"A": 10, "B": 2}
    assert values(samples, "switchhook_streams_unsettled", "cause") == {"running": 1, "unknown": 0}


def test_what_is_unknown_is_left_out_and_not_zero(shelf, tmp_path):
    samples = scrape(client_of(sources(full(shelf), tmp_path)))
    assert values(samples, "switchhook_account_streams_active", "account") == {"main": 71}
    assert values(samples, "switchhook_account_streams_headroom", "account") == {"main": 29}
    assert values(samples, "switchhook_account_figures_age_seconds", "account") == {"main": 1.5}
    unread = values(samples, "switchhook_account_polls_unread", "account")
    assert unread == {"main": 0, "mute": 3}
    assert samples["switchhook_answer_up", ()] == 1
    assert samples["switchhook_receipts_waiting", ()] == 1
    assert ("switchhook_files_refused", ()) not in samples


def test_what_is_of_a_machine_has_its_node_where_there_are_several(shelf, tmp_path):
    def figures(now):
        for node, free in (("a", 0.5), ("b", 0.25), ("c", None)):
            labels = (("node", node),)
            yield Figure("disk.free_share", free, now, labels)
            yield Figure("disk.free_bytes", free and 4e9, now, labels)
            yield Figure("answer.unreachable", free and float(node == "b"), now, labels)

    samples = scrape(client_of(sources(full(shelf), tmp_path, figures=figures)))
    assert values(samples, "switchhook_answer_up", "node") == {"a": 1, "b": 0}
    assert values(samples, "switchhook_data_disk_free_bytes", "node") == {"a": 4e9, "b": 4e9}
    assert values(samples, "switchhook_data_disk_size_bytes", "node") == {"a": 8e9, "b": 16e9}


def test_the_console_tells_of_itself(shelf, tmp_path):
    samples = scrape(client_of(sources(full(shelf), tmp_path)))
    assert samples["switchhook_fold_lag_records", ()] == 5
    assert samples["switchhook_fold_running", ()] == 1
    assert samples["switchhook_journal_size_bytes", ()] == 12345
    assert samples["switchhook_store_quarantined_records", ()] == 3
    free = samples["switchhook_data_disk_free_bytes", ()]
    assert 0 < free <= samples["switchhook_data_disk_size_bytes", ()]
    assert values(samples, "switchhook_alerts_firing", "rule", "severity") == {
        ("bot-failing", "critical"): 2
    }
    assert samples["switchhook_trace_spans_exported_total", ()] == 8
    assert samples["switchhook_call_details_dropped_total", ()] == 4
    assert values(samples, "switchhook_build_info", "version") == {"1.2.3": 1}
    assert samples["process_resident_memory_bytes", ()] > 0
    assert samples["switchhook_metrics_parts_failed_total", ()] == 0


def test_the_answer_program_is_told_of_where_it_runs_here(shelf, tmp_path):
    import os

    samples = scrape(client_of(sources(shelf, tmp_path, answer_pid=os.getpid)))
    assert samples["switchhook_answer_process_resident_memory_bytes", ()] > 0
    samples = scrape(client_of(sources(shelf, tmp_path)))
    assert ("switchhook_answer_process_resident_memory_bytes", ()) not in samples


def test_what_fails_takes_nothing_else_away(shelf, tmp_path):
    shelf = full(shelf)
    client = client_of(sources(shelf, tmp_path))
    shelf.fails = True
    samples = scrape(client)
    assert ("switchhook_answers_total", ()) not in samples
    assert samples["switchhook_fold_lag_records", ()] == 5
    assert samples["switchhook_metrics_parts_failed_total", ()] == 1


def test_the_first_of_a_kind_is_an_increase(shelf, tmp_path):
    """Prometheus takes no increase from a series that begins with 1."""
    shelf.saw(1)
    samples = scrape(client_of(sources(shelf, tmp_path)))
    assert samples["switchhook_answer_deadlines_missed_total", ()] == 0
    refused = values(samples, "switchhook_requests_refused_total", "reason")
    assert refused["secret_wrong"] == 0
    assert values(samples, "switchhook_streams_total", "cause", zeros=True) == {
        "bot_done": 1,
        "throttled": 0,
        "connect_failed": 0,
        "bot_dropped": 0,
    }


def test_a_stream_that_is_judged_anew_sets_no_counter_back(shelf, tmp_path):
    client = client_of(sources(shelf, tmp_path))
    shelf.saw(10, cause="ended_by_system")
    assert values(scrape(client), "switchhook_streams_total", "cause") == {"ended_by_system": 10}
    shelf.facets.clear()
    shelf.saw(9, cause="ended_by_system")
    shelf.saw(1, cause="throttled")
    assert values(scrape(client), "switchhook_streams_total", "cause") == {
        "ended_by_system": 10,
        "throttled": 1,
    }


def test_counters_are_the_same_after_a_restart(shelf, tmp_path):
    full(shelf)
    before = scrape(client_of(sources(shelf, tmp_path)))
    after = scrape(client_of(sources(shelf, tmp_path)))
    counters = {key for key in before if key[0].startswith("switchhook_") and "_total" in key[0]}
    assert counters
    assert {key: before[key] for key in counters} == {key: after[key] for key in counters}


def test_a_real_journal_is_told_and_told_the_same_after_a_restart(tmp_path):
    """From what the answer program writes, over the fold and the store's file, to the scrape."""
    kept = Kept(tmp_path / "journal")
    kept.keep(
        receipt(query("c1", "s1", StreamUrl="wss://a.bot.example/x", DisconnectedBy="bot")),
        receipt(query("c2", "s2", "failed", DetailedStatus="Streaming_call_throttled")),
        receipt(query("c3", "s3", "in-progress")),
    )
    at = START_MS + 60_000
    counts = {"answered": 3, ANSWER_BUCKETS[1]: 3, ANSWER_US: 4500}
    kept.record(RecordKind.COUNTERS, encode(Counters(counts, {"waiting": 2})), at=at)
    assert kept.writer.flush(PATIENCE_S)

    def told():
        store = SqliteStore(tmp_path / "store", kept.reader)
        store.open()
        fold(store, kept.reader)
        given = sources(Shelf(), tmp_path, store=store, now_ms=lambda: at + 61_000)
        samples = scrape(client_of(given))
        store.close()
        return samples

    before = told()
    assert before["switchhook_answers_total", ()] == 3
    assert before["switchhook_answer_duration_seconds_sum", ()] == 0.0045
    assert before["switchhook_answer_waiting_peak", ()] == 2
    assert values(before, "switchhook_streams_total", "cause", "bot") == {
        ("bot_done", "Sales"): 1,
        ("throttled", ""): 1,
    }
    assert before["switchhook_metrics_parts_failed_total", ()] == 0
    after = told()
    counters = {key for key in before if key[0].endswith(("_total", "_bucket", "_sum"))}
    ours = {key for key in counters if key[0].startswith("switchhook_")}
    assert len(ours) > 15
    assert {key: before[key] for key in ours} == {key: after[key] for key in ours}
    kept.close()


def test_hosts_have_a_ceiling_and_keep_their_labels(shelf, tmp_path):
    """Those seen first have their own, so that none goes back into the others'."""
    client = client_of(sources(shelf, tmp_path))
    for number in range(MOST_HOSTS):
        shelf.saw(1, first_ms=number, host=f"h{number}.test")
    first = values(scrape(client), "switchhook_streams_total", "bot")
    assert len(first) == MOST_HOSTS
    for number in range(100):
        shelf.saw(50, first_ms=1000 + number, host=f"late{number}.test")
    later = values(scrape(client), "switchhook_streams_total", "bot")
    assert later == {**first, "other": 5000}


def test_endpoints_have_a_ceiling(shelf, tmp_path):
    for number in range(MOST_ENDPOINTS + 10):
        shelf.saw(1, first_ms=number, endpoint=f"e{number}")
    found = values(
        scrape(client_of(sources(shelf, tmp_path))), "switchhook_streams_total", "endpoint"
    )
    assert (len(found), found["other"]) == (MOST_ENDPOINTS + 1, 10)


@pytest.mark.parametrize(
    "host",
    ["192.0.2.7", "2001:db8::1", "919876543210.bot.test", "c-98765.test", "localhost",
     "d3b07384d113edec49eaa6238ad5ff00.test", 'a".test', "a\nb.test", "‮.test", "x" * 101 + ".t"],
)  # fmt: skip
def test_hosts_that_may_tell_somebody_are_others(shelf, tmp_path, host):
    shelf.saw(3, host=host)
    found = values(scrape(client_of(sources(shelf, tmp_path))), "switchhook_streams_total", "bot")
    assert found == {"other": 3}


@given(st.text(max_size=80))
def test_every_count_is_told_under_a_harmless_name(name):
    place = place_of(name)
    if place is not None:
        assert re.fullmatch("[a-z_]+", place.family)
        assert all(re.fullmatch("[a-z0-9_]{1,60}", value) for value in place.values)
        assert not any(re.search("[0-9]{4}", value) for value in place.values)


def test_what_was_not_let_in_is_told_by_reason():
    counts = {"answered": 9, "secret wrong": 2, "unreadable: header lines: x": 3, "silent": 1}
    numbers = {f"unreadable: {NUMBER}": 4, f"unreadable: {NUMBER}1": 1, "something": 8}
    assert not_let_in(counts | numbers | {ANSWER_BUCKETS[1]: 5, "webhook method": 6}) == [
        ("other", 5),
        ("unreadable: header lines: x", 3),
        ("secret wrong", 2),
        ("silent", 1),
    ]


def test_no_number_is_in_a_label(shelf, tmp_path):
    full(shelf)
    shelf.all_time |= {f"unreadable: {NUMBER}": 1, f"odd {NUMBER}": 1}
    shelf.saw(1, host=f"{NUMBER[1:]}.test", exophone=NUMBER)
    text = client_of(sources(shelf, tmp_path)).get("/metrics").text
    assert NUMBER[1:] not in text


def test_events_have_a_ceiling(shelf, tmp_path):
    shelf.all_time = {f"strange {chr(97 + n % 26)}{chr(97 + n // 26)}": 1 for n in range(300)}
    samples = scrape(client_of(sources(shelf, tmp_path)))
    found = values(samples, "switchhook_answer_events_total", "event")
    assert len(found) <= 41
    assert Counter(found).total() == 300

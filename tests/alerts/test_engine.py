"""The engine: what is said reaches its destinations, once, over restarts and failures."""

from __future__ import annotations

import threading
from itertools import starmap

import pytest

from patience import PATIENCE_S
from switchhook.alerts.alert import AlertState
from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.book import KIND
from switchhook.alerts.engine import Alerting
from switchhook.alerts.heartbeat import Heartbeat, why_silent
from switchhook.alerts.ledger import LedgerAlerts
from switchhook.alerts.memory_keeper import PATIENCE_MS
from switchhook.alerts.notification import Recipient
from switchhook.alerts.sender import Destinations
from switchhook.delivery.delivery import DeliveryState
from switchhook.delivery.ledger import LedgerDeliveries
from switchhook.errors import LedgerError
from switchhook.ledger.database import Ledger
from switchhook.metrics import Figure, Source
from switchhook.server.tables import open_ledger
from switchhook.troubles.metrics import key_of
from switchhook.troubles.trouble import Level, Trouble

NOON = 1_764_050_400_000  # by day in India
ALL = tuple(Severity)


class Clock:
    def __init__(self, now_ms=NOON):
        self.now_ms = now_ms

    def __call__(self):
        return self.now_ms

    def pass_s(self, seconds):
        self.now_ms += int(seconds * 1000)


class Post:
    """A notifier that remembers; `problems` are what its next answers are, by destination."""

    def __init__(self):
        self.sent: list[tuple[str, str]] = []
        self.problems: dict[str, list[str | None]] = {}
        self.gates: dict[str, threading.Event] = {}

    def send(self, destination, message):
        if destination in self.gates:
            assert self.gates[destination].wait(PATIENCE_S)
        answers = self.problems.get(destination)
        problem = answers.pop(0) if answers else None
        if problem == "raise":
            raise RuntimeError("slack://secret")
        if problem is None:
            self.sent.append((destination, message.title))
        return problem


class World:
    """Figures by name, as a source gives them."""

    def __init__(self, **figures):
        self.figures = {"fold_stalled": Figure("fold.stalled_s", 0.0, 0), **figures}

    def __call__(self, now_ms):
        return list(self.figures.values())

    def throttled(self, level):
        labels = (("account", "Main"),)
        self.figures["t"] = Figure("account.throttled", float(level), 0, labels)


class Bench:
    def __init__(self, tmp_path):
        self.folder, self.clock, self.post, self.world = tmp_path, Clock(), Post(), World()
        self.severities, self.policies = {"ops": ALL}, ()
        self.sources: list[Source] = [self.world]
        self.ledger = open_ledger(tmp_path)
        self.start()

    def start(self, **more):
        self.engine = Alerting(
            LedgerAlerts(self.ledger),
            LedgerDeliveries(self.ledger, KIND),
            self.sources,
            Destinations(
                self.post, tuple(starmap(Recipient, self.severities.items())), self.policies
            ),
            now_ms=self.clock,
            chance=lambda: 0.5,
            **more,
        )
        return self.engine

    def step(self, seconds=1.0):
        """One look, and everything sent that it set off."""
        self.clock.pass_s(seconds)
        self.engine.step()
        settle(self.engine)

    def sent(self):
        return [each.delivery for each in self.engine.book.sent(10)]


def settle(engine):
    """Send all that is due."""
    worker = engine.sender.worker
    while worker.step():
        with worker.idle:
            assert worker.idle.wait_for(lambda: not worker._sending, PATIENCE_S)


def join(name):
    """Wait for the threads of a name."""
    for each in threading.enumerate():
        if each.name == name:
            each.join(PATIENCE_S)
            assert not each.is_alive()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.ledger.close()


def test_a_message_is_sent_once_and_kept(bench):
    bench.world.throttled(1)
    bench.step()
    bench.step()
    assert bench.post.sent == [("ops", "Callers find no free stream (Main)")]
    (kept,) = bench.sent()
    assert (kept.state, kept.attempts, kept.destination) == (DeliveryState.COMPLETED, 1, "ops")
    (alert,) = bench.engine.alerts
    assert alert.firing


def test_what_was_said_is_neither_forgotten_nor_repeated_by_a_restart(bench):
    bench.world.throttled(1)
    bench.step()
    bench.engine.stop()
    bench.start()
    bench.step()
    assert len(bench.post.sent) == 1
    bench.world.throttled(0)
    bench.step()
    bench.step(301)
    assert bench.post.sent[1:] == [("ops", "Callers find no free stream (Main): resolved")]
    (over,) = bench.engine.book.resolved(10)
    assert over.state is AlertState.RESOLVED
    assert bench.engine.alerts == []


def test_what_could_not_be_sent_is_sent_after_a_restart(bench):
    bench.post.problems["ops"] = ["no connection"]
    bench.world.throttled(1)
    bench.step()
    assert bench.post.sent == []
    bench.engine.stop()
    bench.start()
    bench.step(10)
    assert len(bench.post.sent) == 1
    bench.step(10)
    (kept,) = bench.sent()
    assert (kept.state, kept.attempts, kept.problem) == (DeliveryState.COMPLETED, 2, "")


def test_a_failing_destination_holds_up_no_other_and_says_nothing_secret(bench):
    bench.severities = {"bad": ALL, "good": ALL}
    bench.start()
    bench.post.problems["bad"] = ["raise"] * 3
    bench.world.throttled(1)
    bench.step()
    assert bench.post.sent == [("good", "Callers find no free stream (Main)")]
    bench.step()
    bad = next(each for each in bench.sent() if each.destination == "bad")
    assert (bad.state, bad.problem) == (
        DeliveryState.RETRYABLE,
        "sending failed with RuntimeError",
    )


def test_destinations_hear_of_their_severities_and_of_the_end_of_what_they_heard(bench):
    bench.severities = {"all": ALL, "pager": (Severity.CRITICAL,), "chat": (Severity.WARNING,)}
    bench.start()
    bench.world.throttled(1)
    bench.step()
    assert sorted(to for to, _ in bench.post.sent) == ["all", "chat"]
    bench.world.throttled(2)
    bench.step()
    assert sorted(to for to, _ in bench.post.sent[2:]) == ["all", "pager"]
    bench.world.throttled(0)
    bench.step()
    bench.step(301)
    assert sorted(to for to, _ in bench.post.sent[4:]) == ["all", "chat", "pager"]


def test_a_silence_and_an_acknowledgement_last_over_a_restart(bench):
    silence = bench.engine.silence((("rule", "throttled"),), NOON + 10**6, "maintenance", "asha")
    bench.world.throttled(1)
    bench.step()
    (alert,) = bench.engine.alerts
    assert bench.engine.acknowledge(alert.id, "ravi") == alert
    assert bench.engine.acknowledge("nothing", "ravi") is None
    bench.step()
    bench.engine.stop()
    bench.start()
    bench.step()
    assert bench.engine.silences == [silence]
    assert [alert.acknowledged for alert in bench.engine.alerts] == ["ravi"]
    assert bench.post.sent == []
    assert bench.engine.end_silence(silence.id)
    bench.step()
    assert len(bench.post.sent) == 1


def test_a_source_that_fails_silences_no_other_and_is_told_once(bench, caplog):
    def broken(now_ms):
        raise LedgerError("l", "it is full", "make room")

    bench.engine._sources = (broken, broken, bench.world)
    bench.world.throttled(1)
    bench.step()
    assert len(bench.post.sent) == 1
    assert bench.engine.problems == ("ledger l: it is full (make room)",)
    assert [each.levelname for each in caplog.records].count("ERROR") == 1


def full(*_):
    raise LedgerError("l", "database or disk is full", "make room on its disk")


def test_a_ledger_that_cannot_be_written_stops_no_message(bench, monkeypatch):
    bench.severities = {"ops": ALL, "chat": ALL}
    bench.start()
    bench.post.problems["chat"] = ["no connection"] * 2
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "writing", full)
        bench.world.throttled(1)
        bench.step()
        bench.step(10)
        assert bench.post.sent == [("ops", "Callers find no free stream (Main)")]
        assert bench.sent() == []
    bench.step(60)
    kept = {each.destination: (each.state, each.attempts) for each in bench.sent()}
    done = DeliveryState.COMPLETED
    assert kept == {"ops": (done, 1), "chat": (done, 3)}
    assert len(bench.post.sent) == 2
    assert [alert.key for alert in bench.engine.book.load(0).alerts] == ["throttled{account=Main}"]
    bench.engine.stop()
    bench.start()
    bench.step()
    assert len(bench.post.sent) == 2


@pytest.mark.parametrize("away_s", [1, 40])
def test_a_ledger_that_is_away_at_the_start_repeats_nothing(bench, monkeypatch, away_s):
    """For some seconds it is waited for; what comes later is the same alert all the same."""

    def away(*_):
        raise LedgerError("l", "no connection", "start it")

    bench.world.throttled(1)
    bench.step()
    (before,) = bench.engine.alerts
    bench.engine.acknowledge(before.id, "asha")
    bench.step()
    bench.engine.stop()
    bench.start()
    with monkeypatch.context() as patch:
        patch.setattr(LedgerAlerts, "load", away)
        bench.step()
        bench.step(away_s)
        assert bench.engine.problems == ("what was kept of alerts can't be read",)
        assert len(bench.engine.alerts) == (away_s > 30), "nobody is left untold for long"
    bench.step()
    (after,) = bench.engine.alerts
    assert (after.since_ms, after.acknowledged) == (before.since_ms, "asha")
    assert len(bench.post.sent) == 1 + (away_s > 30)
    bench.step()
    kept = bench.engine.book.load(0).alerts
    assert [each.since_ms for each in kept] == [before.since_ms]


def test_a_test_says_how_it_went_and_is_kept(bench):
    bench.post.problems["ops"] = ["refused"]
    assert bench.engine.test("ops", "asha") == {"ops": "refused"}
    assert bench.engine.test("ops", "asha") == {"ops": None}
    assert bench.post.sent == [("ops", "A test: nothing is wrong")]
    assert sorted(each.state.value for each in bench.sent()) == ["completed", "discarded"]


def test_a_destination_that_is_gone_gets_nothing_any_more(bench):
    bench.post.problems["ops"] = ["no connection"]
    bench.world.throttled(1)
    bench.step()
    bench.step()
    bench.engine.stop()
    bench.severities = {}
    bench.start()
    bench.step(10)
    (kept,) = bench.sent()
    assert kept.state is DeliveryState.CANCELLED
    assert kept.problem == "there is no such destination any more"


def test_what_could_not_be_sent_before_its_trouble_ended_is_not_sent(bench):
    """Who is woken hears that it is over, and not after that that it begins."""
    bench.severities = {"ops": ALL, "chat": ALL}
    bench.start()
    bench.post.problems["ops"] = ["no connection"] * 2
    bench.world.throttled(1)
    bench.step()
    bench.world.throttled(0)
    bench.step()
    bench.step(301)
    bench.step(600)
    bench.step(600)
    begin, end = (
        "Callers find no free stream (Main)",
        "Callers find no free stream (Main): resolved",
    )
    assert [title for to, title in bench.post.sent if to == "chat"] == [begin, end]
    assert [title for to, title in bench.post.sent if to == "ops"] == [end]
    over = next(each for each in bench.sent() if each.state is DeliveryState.CANCELLED)
    assert (over.destination, over.problem) == ("ops", "the trouble ended first")


def test_nothing_is_sent_before_it_is_known_what_was_said(bench, monkeypatch):
    began, seen, load = threading.Event(), [], LedgerAlerts.load

    def loading(book, now_ms):
        assert began.wait(PATIENCE_S)
        seen.append(engine.sender.worker._repeating.runs)
        return load(book, now_ms)

    monkeypatch.setattr(LedgerAlerts, "load", loading)
    bench.world.throttled(1)
    sent = threading.Event()
    monkeypatch.setattr(bench.post, "send", lambda *_: sent.set())
    engine = bench.start()
    engine.start()
    began.set()
    assert sent.wait(PATIENCE_S)
    engine.stop()
    assert seen == [False]


def test_a_changed_configuration_is_gone_on_with(bench):
    bench.world.throttled(1)
    bench.step()
    other, quiet = Post(), bench.engine.quiet
    destinations = Destinations(other, (Recipient("new"),))
    bench.engine.use(destinations, rules=bench.engine.rules, quiet=quiet, heartbeat=None)
    bench.step()
    # Who is new hears of what goes on.
    assert other.sent == [("new", "Callers find no free stream (Main)")]
    bench.engine.use(destinations, rules=(), quiet=quiet, heartbeat=None)
    bench.step()
    assert bench.engine.alerts == []
    # Whoever was told hears of the end, for the rule is gone.
    assert other.sent[1:] == [("new", "Callers find no free stream (Main): resolved")]


def test_it_runs_in_a_thread_and_ends(bench):
    seen = threading.Event()

    class Watched(World):
        def __call__(self, now_ms):
            seen.set()
            return super().__call__(now_ms)

    bench.sources = [Watched()]
    engine = bench.start()
    engine.start()
    assert seen.wait(PATIENCE_S)
    engine.stop()
    assert not engine._repeating.runs


# The heartbeat.


class Ear:
    def __init__(self):
        self.beats = 0
        self.problem = None

    def beat(self):
        self.beats += 1
        return self.problem


SILENT_NODE = Figure("answer.unreachable", 1.0, NOON, (("node", "a"),))
AWAY_NODE = Figure("answer.unreachable", None, NOON, (("node", "b"),), 0)
GOOD = [Figure("answer.unreachable", 0.0, NOON), Figure("fold.stalled_s", 0.0, NOON)]


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (GOOD, ""),
        (GOOD[1:], ""),
        (GOOD[:1], "nobody knows whether the fold goes on"),
        ([Figure("answer.unreachable", 1.0, NOON), GOOD[1]], "callers are not answered"),
        (
            [Figure("answer.unreachable", None, NOON), GOOD[1]],
            "nobody knows whether callers are answered",
        ),
        (
            [Figure("answer.unreachable", 0.0, NOON - 60_001), GOOD[1]],
            "nobody knows whether callers are answered",
        ),
        ([GOOD[0], Figure("fold.stalled_s", 61.0, NOON)], "the fold stands still"),
        ([SILENT_NODE, *GOOD], ""),
        ([SILENT_NODE, AWAY_NODE, GOOD[1]], "callers are not answered"),
        ([AWAY_NODE, GOOD[1]], "nobody knows whether callers are answered"),
    ],
)
def test_why_the_heart_is_silent(figures, said):
    assert why_silent(figures, NOON) == said


def test_the_heart_beats_while_all_goes_on(bench):
    ear = Ear()
    heartbeat = Heartbeat(ear, 60, bench.clock)
    bench.start(heartbeat=heartbeat)

    def step(seconds):
        bench.step(seconds)
        join("heartbeat")

    step(1)
    step(30)
    assert ear.beats == 1
    step(30)
    assert (ear.beats, heartbeat.beat_ms, heartbeat.problem) == (2, bench.clock.now_ms, "")
    bench.world.figures["fold_stalled"] = Figure("fold.stalled_s", 61.0, 0)
    step(60)
    assert ear.beats == 2
    assert heartbeat.problem == "the heartbeat is held back: the fold stands still"
    bench.world.figures["fold_stalled"] = Figure("fold.stalled_s", 0.0, 0)
    ear.problem = "it answered 500"
    step(60)
    assert heartbeat.problem == "the monitor did not take the heartbeat: it answered 500"


def test_who_is_on_it_is_on_all_of_its_cause(bench):
    bench.world.throttled(1)
    labels = (("account", "Main"),)
    bench.world.figures["h"] = Figure("account.headroom_share", 0.01, 0, labels)
    bench.step()
    bench.step(40)
    assert len(bench.engine.alerts) == 2
    bench.engine.acknowledge(bench.engine.alerts[0].id, "asha")
    assert {each.acknowledged for each in bench.engine.alerts} == {"asha"}
    bench.world.throttled(2)
    bench.step()
    assert {each.rule for each in bench.engine.alerts if each.acknowledged} == {
        "many-throttled",
        "throttled",
        "headroom-low",
    }
    # The rise is said all the same: critical was never heard of.
    assert bench.post.sent[-1] == ("ops", "Many callers find no free stream (Main): much worse")


def test_what_the_command_line_hands_in_is_taken_once(bench):
    bench.world.throttled(1)
    bench.step()
    book = LedgerAlerts(bench.ledger)
    book.acknowledge(bench.engine.alerts[0].id, "ravi", NOON)
    book.acknowledge("gone", "ravi", NOON)
    bench.step()
    assert bench.engine.alerts[0].acknowledged == "ravi"
    assert book.take_acknowledged() == []


def test_an_issue_and_its_alert_share_who_is_on_it(bench):
    heard, labels = [], (("account", "Main"),)
    trouble = Trouble(
        level=Level.BAD, order=0, what="x.", key=key_of("account.throttled", labels), issue="ab12"
    )
    bench.start(troubles=lambda: [trouble], acknowledged=lambda *told: heard.append(told))
    bench.world.throttled(1)
    bench.step()
    bench.engine.acknowledge_issue("other", "asha")
    assert bench.engine.alerts[0].acknowledged == ""
    bench.engine.acknowledge_issue("ab12", "asha")
    assert bench.engine.alerts[0].acknowledged == "asha"
    bench.engine.acknowledge(bench.engine.alerts[0].id, "ravi")
    assert heard == [("ab12", "ravi")]


# Where nodes share the ledger.


@pytest.fixture
def shared(bench, monkeypatch):
    """Another node may lead next: a ledger that can't be written may be another's by now."""
    monkeypatch.setattr(Ledger, "fenced", True)
    bench.start()
    return bench


def test_what_could_not_be_kept_where_nodes_share_the_ledger_is_not_sent(shared, monkeypatch):
    """Whoever leads next would announce it again, by an id of its own."""
    shared.world.throttled(1)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "writing", full)
        for _ in range(3):
            shared.step()
        assert shared.post.sent == []
        assert [each.firing for each in shared.engine.alerts] == [True]
    shared.step()
    shared.step()
    assert len(shared.post.sent) == 1
    (kept,) = shared.sent()
    assert kept.state is DeliveryState.COMPLETED


def test_what_was_told_before_has_to_be_known_where_nodes_share_the_ledger(shared, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "reading", full)
        shared.world.throttled(1)
        for _ in range(3):
            shared.step(PATIENCE_MS / 1000)
        assert shared.engine.alerts == []
    shared.step()
    assert len(shared.engine.alerts) == 1


def test_no_two_leaders_draw_the_same_key(bench):
    """In one millisecond, say: the second message would count as there already."""
    keys = [bench.start().sender._new_key(NOON) for _ in range(2)]
    assert len(set(keys)) == 2

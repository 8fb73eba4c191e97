"""From a receipt to a message at a real webhook: journal, store, figures, alert, apprise."""

from __future__ import annotations

import threading

import pytest

from alerts.test_engine import Clock, join, settle
from overview.test_health_metrics import NAMES, NOW, REFUSED, WELL, World
from patience import PATIENCE_S
from switchhook.alerts.book import KIND
from switchhook.alerts.engine import Alerting
from switchhook.alerts.heartbeat import Heartbeat
from switchhook.alerts.ledger import LedgerAlerts
from switchhook.alerts.notification import Recipient
from switchhook.alerts.notify import AppriseNotifier, HttpMonitor
from switchhook.alerts.sender import Destinations
from switchhook.delivery.ledger import LedgerDeliveries
from switchhook.overview.trouble import VerdictInput
from switchhook.overview.verdict_keeper import VerdictKeeper
from switchhook.server.tables import open_ledger
from switchhook.streams.fold_metrics import fold_figures
from switchhook.troubles.fold import TroubleWatch
from switchhook.troubles.metrics import TroubleFigures
from switchhook.troubles.trouble import Level
from webhook import receiving


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def ledger(tmp_path):
    ledger = open_ledger(tmp_path / "ledger")
    yield ledger
    ledger.close()


def test_a_bot_that_fails_and_recovers_is_told_of_at_a_webhook(world, ledger):
    clock = Clock(NOW + 60_000)
    watch = TroubleWatch(lambda: NAMES)
    world.fold.observe(watch.folded)
    told, moved = [0], threading.Condition()

    def folded(batch):
        with moved:
            told[0] = batch.position
            moved.notify_all()

    world.fold.observe(folded)  # after the watch, so that it knows then
    with receiving() as hook, receiving(status=204, body=b"") as monitor:
        address = f"json://127.0.0.1:{hook.port}/ops"
        figures = TroubleFigures(watch, lambda: NAMES, lambda _now: (), lambda now: now)
        engine = Alerting(
            LedgerAlerts(ledger),
            LedgerDeliveries(ledger, KIND),
            [
                world.source,
                figures,
                fold_figures(world.fold, world.kept.reader),
            ],
            Destinations(AppriseNotifier({"ops": lambda: address}), (Recipient("ops"),)),
            troubles=lambda: figures.troubles,
            heartbeat=Heartbeat(HttpMonitor(lambda: monitor.url), 60, clock),
            now_ms=clock,
        )
        keeper = VerdictKeeper(
            lambda: VerdictInput(
                figures=engine.figures,
                standings=watch.standings(clock()),
                late=world.source.recently.late,
                alerts=engine.alerts,
                names=world.source._names(),
                last_ms=world.source.last_ms,
            ),
            clock,
        )

        def step(seconds=1):
            world.folded()
            with moved:
                assert moved.wait_for(lambda: told[0] >= world.kept.reader.last_seq(), PATIENCE_S)
            clock.pass_s(seconds)
            engine.step()
            settle(engine)
            join("heartbeat")
            keeper.refresh()
            return keeper.now()

        assert step().what.startswith("Nothing received yet")
        world.stream(NOW + 62_000, WELL, count=3)
        assert step().level is Level.GOOD
        world.stream(NOW + 63_000, REFUSED, "B", count=27)
        state = step()
        assert (state.level, state.what) == (
            Level.BAD,
            "Bot Sales fails: 27 of 27 streams; it refuses connections.",
        )
        step(61)
        # That it never failed so before is not told as well, now or later.
        titles = [str(got.body["title"]) for got in hook.wait(1)]
        assert titles == ["critical: Bot Sales fails: 27 of 27 streams; it refuses connections"]
        # It goes well again: that is said, and after a minute of it that it is over, once.
        clock.now_ms = NOW + 20 * 60_000
        world.stream(clock.now_ms, WELL, count=200)
        assert step().what == (
            "Bot Sales failed 27 of 27 streams: last failure 19 min ago, 200 well since."
        )
        assert step(60).level is Level.GOOD
        step(301)
        titles = [str(got.body["title"]) for got in hook.wait(2)]
        assert titles[1:] == ["Bot Sales fails: resolved"]
        step(3600)
        step(301)
        assert len(hook.wait(2)) == 2
        assert len(monitor.got) >= 3

"""Alerts over a restart, or a change of who leads: what is not known yet ends nothing.

The real engine and its ledger, and the real sources, which have just begun and know nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from alerts.test_engine import Bench
from node_rows import NOW_MS, A, B, C, node, view
from overview.test_health_metrics import NAMES, NOW, THROTTLED, WELL, Fold, Watch, World
from patience import PATIENCE_S
from routes.test_worker import A as MEMBER_A
from routes.test_worker import B as MEMBER_B
from routes.test_worker import World as Pools
from switchhook.alerts.alert import AlertState
from switchhook.alerts.metrics import destination_figures
from switchhook.capacity.metrics import watch_figures
from switchhook.capacity.status import CapacityNow
from switchhook.cluster.metrics import cluster_figures
from switchhook.cluster.view import ClusterView, Leader, NodeState
from switchhook.metrics import unknown_until
from switchhook.overview.machine_metrics import SeenMachine, machine_figures
from switchhook.routes.metrics import routes_figures
from switchhook.routes.probe import Probed, Step
from switchhook.routes.routes_file import FILE
from switchhook.server.own_machine import machines_of
from switchhook.store import SqliteStore
from switchhook.streams.fold import Folder
from switchhook.streams.fold_metrics import fold_figures
from switchhook.streams.metrics import StoreFigures
from switchhook.system.machine import Machine
from switchhook.troubles.fold import TroubleWatch
from switchhook.troubles.metrics import TroubleFigures


@pytest.fixture
def bench(tmp_path):
    folder = tmp_path / "alerts"
    folder.mkdir()
    bench = Bench(folder)
    yield bench
    bench.ledger.close()


def fires(bench, source, seconds=1):
    """By that source, until people are told; somebody is on it then."""
    begins(bench, source)
    bench.step()
    bench.step(seconds)
    alert, *_ = (each for each in bench.engine.alerts if each.firing)
    told = list(bench.post.sent)
    assert told, "it was told"
    bench.engine.acknowledge(alert.id, "asha")
    bench.step()
    return alert, told


def begins(bench, source):
    """A start, on whichever node; by now the figures come of that source."""
    bench.engine.stop()
    bench.sources = [source]
    bench.start()


def goes_on(bench, fired, steps=(1, 1, 30, 60, 60)):
    """Nothing is told of it, and it is the same as before."""
    alert, told = fired
    for seconds in steps:
        bench.step(seconds)
        (now,) = (each for each in bench.engine.alerts if each.key == alert.key)
        assert (now.state, now.since_ms) == (AlertState.FIRING, alert.since_ms)
        assert now.acknowledged == "asha"
    assert bench.post.sent == told


def ends(bench, fired, seconds=61):
    """It is told as over, once."""
    bench.step()
    bench.step(seconds)
    bench.step()
    told = bench.post.sent[len(fired[1]) :]
    assert len(told) == 1
    assert told[0][1].endswith("resolved")


# Members of pools.


class Members:
    """A source: pools that are looked at whenever figures are asked for."""

    def __init__(self, folder, bench):
        folder.mkdir()
        self.pools, self.bench = Pools(folder), bench

    def restarted(self, *, file=True, unread=False):
        """A console that starts again, with routes.json or without; the journal may be unread."""
        if not file:
            (self.pools.folder / FILE).unlink()
        self.pools.worker = self.pools.another()
        if unread:
            self.pools.worker.counted_from_ms = self.bench.clock()
        return self

    def __call__(self, now_ms):
        self.pools.now = now_ms
        self.pools.worker.look()
        return routes_figures(lambda: self.pools.worker.view())(now_ms)

    def probed(self, *keys, step=Step.NAME):
        problem = "" if step is Step.DONE else "its name does not resolve"
        for key in keys:
            at_ms = self.bench.clock()
            found = Probed(at_ms=at_ms, step=step, problem=problem, certain=True)
            self.pools.worker.probed(key, found)


@pytest.fixture
def members(tmp_path, bench):
    members = Members(tmp_path / "pools", bench)
    yield members
    members.pools.ledger.close()


@pytest.mark.parametrize("file", [True, False])
def test_a_member_that_failed_before_is_not_over_before_it_was_probed(bench, members, file):
    members.probed(MEMBER_A, MEMBER_A)
    fired = fires(bench, members)
    bench.clock.pass_s(120)  # its time to cool down is over
    begins(bench, members.restarted(file=file))
    goes_on(bench, fired, (1, 1, 1))
    members.probed(MEMBER_A)  # once is no proof
    goes_on(bench, fired, (1,))
    members.probed(MEMBER_A)
    goes_on(bench, fired, (1, 1, 30))
    members.probed(MEMBER_A, step=Step.DONE)
    ends(bench, fired, 60)


def test_a_member_that_nobody_probes_is_tried_again_some_seconds_after_a_start(bench, members):
    members.probed(MEMBER_A, MEMBER_A)
    fired = fires(bench, members)
    bench.clock.pass_s(120)
    begins(bench, members.restarted())
    goes_on(bench, fired, (1, 13))
    ends(bench, fired, 2)


@pytest.mark.parametrize(("file", "unread"), [(True, True), (False, True)])
def test_a_pool_that_failed_before_is_not_over_before_its_calls_are_known(
    bench, members, file, unread
):
    for number in range(4):
        members.pools.asks(f"c{number}")
    members.probed(*2 * (MEMBER_A, MEMBER_B))
    begins(bench, members)
    bench.step()
    bench.step()
    alerts = {each.rule: each for each in bench.engine.alerts if each.rule == "pool-degraded"}
    bench.engine.acknowledge(alerts["pool-degraded"].id, "asha")
    bench.step()
    fired = alerts["pool-degraded"], list(bench.post.sent)
    bench.clock.pass_s(120)
    begins(bench, members.restarted(file=file, unread=unread))
    goes_on(bench, fired, (1, 1))
    members.probed(*2 * (MEMBER_A, MEMBER_B))
    goes_on(bench, fired, (1, 1, 30))


# Accounts and streams.


def test_an_account_that_could_not_be_read_is_not_over_before_it_was_read(bench):
    before_ms = bench.clock() - 600_000
    unread = CapacityNow("Main", 5, 10, 5, 600.0, "the key is refused", unread=5, at_ms=before_ms)
    fired = fires(bench, watch_figures(Watch(unread)))
    now = Watch(CapacityNow("Main", 5, 10, 5, 700.0, at_ms=before_ms))
    begins(bench, watch_figures(now))
    goes_on(bench, fired)
    now.accounts = (
        CapacityNow("Main", 5, 10, 5, 800.0, "the key is refused", unread=2, at_ms=before_ms),
    )
    goes_on(bench, fired)
    now.accounts = (CapacityNow("Main", 5, 10, 5, 0.0, at_ms=bench.clock()),)
    ends(bench, fired)


def test_an_account_without_a_free_stream_is_not_over_while_the_store_is_made_again(
    bench, tmp_path
):
    (tmp_path / "world").mkdir()
    world = World(tmp_path / "world")
    bench.clock.now_ms = NOW
    world.stream(NOW - 1000, THROTTLED, "B", count=27)
    world.folded()
    store = SqliteStore(tmp_path / "other", world.kept.reader)
    store.open()
    try:
        fired = fires(bench, judged(world.store, world.fold, world.kept.reader))
        fold = Folder(world.kept.reader, store)
        begins(bench, judged(store, fold, world.kept.reader))
        goes_on(bench, fired, (1, 1, 30))
        fold.start()
        assert fold.reach(world.kept.reader.last_seq(), 30)
        goes_on(bench, fired, (1, 1))
        world.stream(bench.clock() + 600_000, WELL, count=200)
        bench.clock.pass_s(600)
        assert world.kept.writer.flush(PATIENCE_S)
        assert fold.reach(world.kept.reader.last_seq(), 30)
        ends(bench, fired, 600)
        fold.stop()
    finally:
        store.close()
        world.close()


def judged(store, fold, journal):
    """What the console makes of them at its start."""
    watch = TroubleWatch(lambda: NAMES)
    watch.begin(store, journal)
    fold.observe(watch.folded)
    streams = StoreFigures(store, journal, fold, lambda: NAMES)
    troubles = TroubleFigures(watch, lambda: NAMES, lambda _now: (), streams.as_of)
    return unknown_until(lambda: streams.caught_up, troubles)


# Ourselves.


def test_an_answer_side_that_did_not_answer_is_not_over_before_it_was_asked(bench):
    says = [Machine(asked=True, answers=False)]

    def machines(now_ms):
        return [SeenMachine(machine=says[0], at_ms=now_ms)]

    fired = fires(bench, machine_figures(machines), 31)
    says[0] = Machine(asked=True)
    begins(bench, machine_figures(machines))
    goes_on(bench, fired)
    says[0] = Machine(asked=True, answers=True)
    ends(bench, fired)


def test_a_fold_that_stood_still_is_not_over_before_it_moves(bench):
    fold: Any = Fold()
    fold.end = 9
    fired = fires(bench, fold_figures(fold, fold), 62)
    begins(bench, fold_figures(fold, fold))
    goes_on(bench, fired)
    fold.position = 9
    ends(bench, fired)


# The cluster's own.


@pytest.mark.parametrize(
    "bad", [node(B, "b", seen_ago_s=60.0), node(B, "b", handed_seq=10, handed_ago_s=90.0)]
)
def test_a_node_is_not_back_before_somebody_has_looked(bench, bad):
    seen = [view(node(A, "a"), bad)]
    fired = fires(bench, cluster_figures(lambda: seen[0]))
    seen[0] = ClusterView()
    begins(bench, cluster_figures(lambda: seen[0]))
    goes_on(bench, fired)
    seen[0] = view(node(A, "a"), bad)
    goes_on(bench, fired)
    seen[0] = view(node(A, "a"), node(B, "b"))
    ends(bench, fired)


FULL, WELL_AGAIN = Machine(free_share=0.01), Machine(free_share=0.5)


def all_machines(seen):
    return machine_figures(lambda _now_ms: machines_of(seen[0]))


def full(**said):
    return view(node(A, "a", machine=WELL_AGAIN), node(B, "b", **{"machine": FULL, **said}))


def of_b(bench):
    """The alert that the disk of b is full; None where it is over."""
    found = (each for each in bench.engine.alerts if each.key == "disk-full{node=b}")
    return next(found, None)


def test_a_full_disk_is_its_nodes_whoever_leads(bench):
    """The one that leads next sees its own disk, and that of the other as that tells of it."""
    seen = [full()]
    fired = fires(bench, all_machines(seen))
    assert fired[0].key == of_b(bench).key
    seen[0] = ClusterView()
    begins(bench, all_machines(seen))
    goes_on(bench, fired)
    seen[0] = msgspec.structs.replace(full(), leader=Leader(8, B, NOW_MS, 9.0))
    goes_on(bench, fired)
    seen[0] = full(machine=WELL_AGAIN)
    ends(bench, fired)


def test_of_a_node_that_is_away_nobody_knows_whether_its_disk_is_full(bench):
    seen = [full()]
    fired = fires(bench, all_machines(seen))
    seen[0] = full(seen_ago_s=60.0)
    goes_on(bench, fired)
    assert of_b(bench).unknown_ms == NOW_MS - 60_000
    begins(bench, all_machines([ClusterView()]))
    goes_on(bench, fired, (1, 1))
    begins(bench, all_machines(seen))
    seen[0] = full(seen_ago_s=3 * 86_400.0)
    goes_on(bench, fired, (1, *(3_600,) * 72))
    assert of_b(bench).unknown_ms == NOW_MS - 60_000, "since the first look"
    seen[0] = full()
    goes_on(bench, fired, (1,))
    assert of_b(bench).unknown_ms is None
    seen[0] = full(seen_ago_s=600.0, state=NodeState.LEFT)
    ends(bench, fired)


def test_nodes_have_time_to_come_back_after_the_database_was_away(bench):
    """Nobody could be heard of meanwhile; who stays away is missed once it had that time."""
    others = (node(A, "a"), node(B, "b", seen_ago_s=40.0, handed_seq=10, handed_ago_s=60.0))
    seen = [view(*others, reached_s=2.0)]
    begins(bench, cluster_figures(lambda: seen[0]))
    bench.step()
    bench.step(60)
    assert bench.engine.alerts == []
    seen[0] = view(*others, reached_s=15.0)
    bench.step()
    assert [each.key for each in bench.engine.alerts] == ["node-away{node=b}"]


@pytest.mark.parametrize("again", [True, False])
def test_what_was_told_of_a_node_ends_once_it_has_left(bench, again):
    """Also where a machine of its name has joined since."""
    bad = node(B, "b", handed_seq=10, handed_ago_s=90.0, seen_ago_s=5.0)
    seen = [view(node(A, "a"), bad)]
    fired = fires(bench, cluster_figures(lambda: seen[0]))
    left = node(B, "b", handed_seq=10, seen_ago_s=600.0, state=NodeState.LEFT)
    seen[0] = view(node(A, "a"), left, *([node(C, "b")] if again else []))
    ends(bench, fired)
    assert bench.engine.alerts == []


def test_a_destination_that_took_nothing_is_not_over_before_it_was_tried(bench):
    bench.severities = {"ops": ("warning",), "pager": ("critical",)}
    bench.start()

    def source(now_ms):
        return destination_figures(bench.engine.sender, now_ms)

    bench.post.problems["pager"] = ["it is away"]
    bench.engine.test("pager", "asha")
    bench.sources.append(source)
    bench.engine._sources = (source,)
    bench.step(61)
    bench.step()
    (alert,) = bench.engine.alerts
    bench.engine.acknowledge(alert.id, "asha")
    bench.step()
    fired = alert, list(bench.post.sent)
    begins(bench, source)
    goes_on(bench, fired)
    bench.engine.test("pager", "asha")
    told = len(bench.post.sent)
    bench.step()
    assert [title.endswith("resolved") for _, title in bench.post.sent[told:]] == [True]

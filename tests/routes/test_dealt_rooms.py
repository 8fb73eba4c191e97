"""Several nodes: each is told its part, by its own journal's numbers."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
import pytest

from kept_receipts import parsed, receipt
from switchhook.capacity.facts_document import GoesBy, Moment, Node
from switchhook.journal.receipt import AddressGiven, AdmissionGiven, RecordKind, encode
from switchhook.journal.source import Origin
from switchhook.routes.admission_worker import AdmissionWorker
from switchhook.routes.dealing import OURSELVES
from switchhook.routes.dealt_rooms import DealtRooms
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.routes.routes_file import RoutesFile
from switchhook.routes.worker import RoutesWorker
from switchhook.rules.admission import AdmissionSeen
from switchhook.rules.bot_pool import Member, Pool
from switchhook.rules.decide import Decision, Option
from switchhook.rules.routing import AdmissionBudget, Route
from switchhook.server.tables import open_ledger
from switchhook.streams.fold import Folded

NOW = 1_795_000_000_000
YES = Decision(Option.A, "default", "", "room")


class Merged(NamedTuple):
    """A record of the journal of several nodes."""

    seq: int
    kind: int
    at: int
    origin: Origin
    body: bytes
    mono: int | None = None
    asked: int | None = None
    damage: str = ""
    steady: int | None = None


class Told:
    """What each node is told, and who is there."""

    def __init__(self, nodes=(1, 2)):
        self.there = dict.fromkeys(nodes, ())
        self.found, self.budgets, self.members = {}, {}, {}

    def nodes(self):
        return self.there

    def before(self):
        return self.found

    def tell_budgets(self, node, budgets, now_ms, mono_ms):
        self.budgets[node] = budgets["main"]

    def tell_members(self, node, members, now_ms, mono_ms):
        self.members[node] = members

    def tell_hands(self, hands, now_ms):
        pass


class World:
    def __init__(self):
        self.now, self.seq, self.own, self.told = NOW, 0, {}, Told()
        self.records = []

    def worker(self):
        found = AdmissionWorker(
            self.told, node=1, now_ms=lambda: self.now, mono_ms=lambda: self.now
        )
        found.use({"main": {"campaign": 4}}, callbacks={"main": 30_000})
        return found

    def record(self, node, kind, body):
        self.seq += 1
        self.own[node] = self.own.get(node, 100 * node) + 1
        origin = Origin(node, self.own[node])
        record = Merged(self.seq, kind, self.now, origin, encode(body))
        self.records.append(record)
        return record

    def admits(self, worker, node, call, *, holds=False):
        base = msgspec.structs.asdict(receipt(urlencode({"CallSid": call}).encode()))
        seen = AdmissionSeen(account="main", budget=AdmissionBudget(9), holds=holds)
        body = AdmissionGiven(
            **{**base, "decision": YES}, account="main", admission=seen, admitted=True
        )
        record = self.record(node, RecordKind.ADMISSION, body)
        worker.folded(Folded(tuple(parsed(record)), self.seq))

    def later(self, worker, ms=1_000):
        self.now += ms
        worker.tell()
        return {node: each.room for node, each in self.told.budgets.items()}


@pytest.fixture
def world():
    return World()


def test_each_node_is_told_its_part_and_counts_by_its_own_numbers(world):
    worker = world.worker()
    worker.polled("main", world.now, 0, 20)
    assert world.later(worker) == {1: 10, 2: 10}
    world.admits(worker, 2, "c1")
    world.admits(worker, 2, "c2")
    world.admits(worker, 1, "c3")
    rooms = world.later(worker)
    assert sum(rooms.values()) <= 17
    assert {node: each.through_seq for node, each in world.told.budgets.items()} == {1: 101, 2: 202}
    kept = [each.reserves["campaign"] for each in world.told.budgets.values()]
    assert sum(kept) >= 4


def test_who_is_away_has_its_part_until_that_has_run_out(world):
    worker = world.worker()
    worker.polled("main", world.now, 0, 20)
    world.later(worker)
    del world.told.there[2]
    worker.polled("main", world.now, 0, 20)
    world.told.budgets.clear()
    assert world.later(worker) == {1: 10}
    for _ in range(6):
        worker.polled("main", world.now, 0, 20)
        rooms = world.later(worker)
    assert rooms == {1: 20}


def test_a_place_that_a_call_held_already_is_taken_once(world):
    worker = world.worker()
    worker.polled("main", world.now, 0, 20)
    world.later(worker)
    world.admits(worker, 2, "c1")
    dealer = worker._rooms.of("main")
    assert dealer.left(2, world.now) == 9
    world.admits(worker, 2, "c1", holds=True)
    assert dealer.left(2, world.now) == 9


def test_a_node_goes_by_what_it_has_once_all_is_heard_that_it_did_before(world):
    worker = world.worker()
    worker.polled("main", world.now, 0, 20)
    world.later(worker)
    before, now = GoesBy(5, 5, through=200), GoesBy(9, 9, through=202)
    there = {1: (), 2: (before, now)}
    assert worker._rooms.goes_by(there) == {1: None, 2: None}
    world.admits(worker, 2, "c1")
    assert worker._rooms.goes_by(there) == {1: None, 2: before}
    world.admits(worker, 2, "c2")
    assert worker._rooms.goes_by(there) == {1: None, 2: now}


def test_the_next_leader_knows_what_the_nodes_may_still_use(world):
    class Journal:
        def seek(self, at_ms):
            return 1

        def read(self, after, limit):
            return [each for each in world.records if each.seq > after]

    world.admits(world.worker(), 2, "c1")
    budgets = {"main": AdmissionBudget(8, 200)}
    world.told.found = {
        2: Node(budgets=budgets, budgets_told=Moment(world.now - 500, world.now - 500))
    }
    worker = world.worker()
    worker.begin(Journal())
    worker.polled("main", world.now, 1, 13)
    rooms = world.later(worker)
    assert rooms[1] <= 12 - 7  # node 2 has let in one of eight, and may let in seven more
    assert rooms[1] > 0


def test_a_place_for_a_callback_is_kept_back_from_all_nodes_first(world):
    worker = world.worker()
    worker.polled("main", world.now, 0, 4)
    assert world.later(worker) == {1: 2, 2: 2}
    worker.polled("main", world.now, 0, 4)
    why = worker.take("main", "p1", "default", 0)
    assert why == "other nodes may give away all that is free; a place is being kept back"
    world.later(worker)
    assert worker.take("main", "p1", "default", 0) == why  # nobody is known to go by it yet
    for _ in range(3):
        at_ms = world.now
        world.told.there = dict.fromkeys((1, 2), (GoesBy(at_ms, at_ms),))
        worker.polled("main", world.now, 0, 4)
        rooms = world.later(worker)
    assert sum(rooms.values()) <= 3
    assert worker.take("main", "p1", "default", 0) == ""
    assert worker._rooms.of("main").left(OURSELVES, world.now) <= 1


def test_one_machine_calls_back_as_ever(world):
    world.told = Told(nodes=(1,))
    worker = world.worker()
    worker.polled("main", world.now, 0, 4)
    assert world.later(worker) == {1: 4}
    assert worker.take("main", "p1", "default", 0) == ""


def test_the_room_of_a_pools_member_is_dealt_out_too(world, tmp_path):
    ledger = open_ledger(tmp_path / "ledger")
    worker = RoutesWorker(
        LedgerHands(ledger),
        world.told,
        RoutesFile(tmp_path),
        node=1,
        now_ms=lambda: world.now,
        mono_ms=lambda: world.now,
    )
    members = (Member(name="a", url="wss://a", limit=10), Member(name="b", url="wss://b"))
    worker.use([Pool(name="sales", members=members)], ["default"], {})
    worker.look()
    told = {node: each["sales"] for node, each in world.told.members.items()}
    assert {node: (each["a"].room, each["a"].nodes) for node, each in told.items()} == {
        1: (5, 2),
        2: (5, 2),
    }
    assert {each["b"].room for each in told.values()} == {None}
    ledger.close()


def test_whose_place_a_record_took_counts_against_the_node_whose_it_is(world):
    rooms = DealtRooms(node=1)
    base = msgspec.structs.asdict(receipt(b"CallSid=c1"))
    route = Route(pool="sales", key="c1", member="a")
    given = AddressGiven(**base, address="wss://a", route=route)
    rooms.of("sales", "a").deal(10, {1: None, 2: None}, NOW)
    rooms.heard(world.record(2, RecordKind.VOICEBOT, given))
    assert (rooms.of("sales", "a").left(1, NOW), rooms.of("sales", "a").left(2, NOW)) == (5, 4)
    assert (rooms.through(2), rooms.through(1)) == (201, 0)

"""What keeps pools going: what is set is told at once, and dead members are taken out in time."""

from __future__ import annotations

import msgspec
import pytest

from kept_receipts import parsed as parse_all
from kept_receipts import query, receipt
from program import until
from routes.pools import BACKUP, KNOWN, NOW, SALES, THIRD, wanted
from switchhook.access.audit import Deed
from switchhook.answer.places import PlacesGiven
from switchhook.capacity.facts_file import FactsFile, FactsReader
from switchhook.errors import HandError, LedgerError
from switchhook.journal.receipt import AddressGiven, BotReportReceived, RecordKind, encode
from switchhook.journal.segment import Record
from switchhook.ledger.database import Ledger
from switchhook.routes import members
from switchhook.routes import worker as module
from switchhook.routes.breaker import BreakerState
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.routes.health import Source
from switchhook.routes.probe import Probed, Step, not_given
from switchhook.routes.routes_file import RoutesFile, read_routes
from switchhook.routes.worker import RoutesWorker
from switchhook.rules.bot_pool import BreakerSettings, MemberState
from switchhook.rules.routing import HandAct, Route, route
from switchhook.server.tables import open_ledger
from switchhook.streams.fold import Folded

A, B = ("sales", "vendor-a"), ("sales", "vendor-b")
ENABLED = msgspec.structs.replace(SALES, breaker=BreakerSettings(enabled=True))
NODE = 7


class World:
    """A console's worker and an answer process that reads what it is told."""

    def __init__(self, folder):
        self.folder, self.now, self.seq = folder, NOW, 0
        self.ledger: Ledger = open_ledger(folder / "ledger")
        self.noted: list[Deed] = []
        self.reader = FactsReader(folder, "", NODE)
        self.pools = {each.name: each for each in (ENABLED, BACKUP, THIRD)}
        self.worker = self.another()

    def another(self) -> RoutesWorker:
        """A console that starts again."""
        worker = RoutesWorker(
            LedgerHands(self.ledger),
            FactsFile(self.folder),
            RoutesFile(self.folder),
            node=NODE,
            now_ms=lambda: self.now,
            mono_ms=lambda: self.now,
            note=self.noted.append,
        )
        shown = {A: "wss://a.example/stream?sample-rate=16000"}
        worker.use(list(self.pools.values()), ["default"], shown)
        worker.resume(read_routes(self.folder))
        return worker

    @property
    def facts(self):
        return self.reader.look(self.now)[1]

    def record(self, kind, body):
        self.seq += 1
        return Record(self.seq, kind, self.now, self.now, None, None, body)

    def fold(self, *records):
        self.worker.folded(Folded(tuple(parse_all(*records)), self.seq))

    def asks(self, call):
        """A caller who is sent to a bot, as the answer process decides."""
        found = route(self.pools, "sales", call, self.facts, self.now)
        given = receipt(query(call, None, None))
        body = AddressGiven(**msgspec.structs.asdict(given), route=found, address="wss://x/")
        self.fold(self.record(RecordKind.VOICEBOT, encode(body)))
        return found

    def ends(self, call, failed):
        how = {"status": "failed", "Error": "3009 refused"} if failed else {"DisconnectedBy": "bot"}
        raw = query(call, f"s{call}", **how)
        self.fold(self.record(RecordKind.PASSTHRU, encode(receipt(raw))))

    def reports(self, call, event):
        raw = msgspec.json.encode({"call_sid": call, "event": event})
        body = BotReportReceived(self.now * 1000, "default", raw)
        self.fold(self.record(RecordKind.BOT_REPORT, encode(body)))

    def later(self, ms):
        self.now += ms
        self.worker.look()

    def member(self, key=A):
        pool = self.worker.view().pool(key[0])
        assert pool is not None
        return next(each for each in pool.members if each.name == key[1])


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path)
    found.worker.look()
    yield found
    found.ledger.close()


def deed(what, subject, details):
    return Deed(who="asha", what=what, subject=subject, details=details)


def test_what_is_set_is_told_when_it_returns(world):
    change = world.worker.set(wanted(HandAct.MOVE, pool="sales", to="backup"), "asha", deed)
    assert world.facts.hands == (change.begins,)
    assert route(world.pools, "sales", "c", world.facts, world.now).member == "spare"
    world.worker.undo(None, "", deed)
    assert world.facts.hands == ()


def test_what_is_refused_says_why_and_changes_nothing(world):
    with pytest.raises(HandError, match="did you mean sales"):
        world.worker.set(wanted(HandAct.OFF, pool="sale"), "asha", deed)
    assert world.facts.hands == ()


def test_what_a_command_sets_beside_it_is_told_by_the_next_look(world):
    """Four looks a second, and the answer process looks ten times: within a second."""
    beside = LedgerHands(world.ledger)
    from switchhook.routes.hands import change_of

    off = wanted(HandAct.OFF, pool="sales", for_s=60)
    beside.change(
        lambda held: change_of(off, KNOWN, held, "ravi", NOW), lambda _: deed("x", "", {}), NOW
    )
    assert module.LOOK_S <= 0.5
    world.later(250)
    assert [each.by for each in world.facts.hands] == ["ravi"]
    world.later(60_000)
    assert world.facts.hands == ()


def test_what_was_ended_while_no_console_ran_is_over_after_a_restart(world):
    """Also where there is no pool to tell of."""
    setting = world.worker.set(wanted(HandAct.SAFE, endpoint="default"), "asha", deed).begins
    LedgerHands(world.ledger).undo(lambda held: held[0], lambda _: deed("x", "", {}), NOW)
    assert [each.id for each in world.facts.hands] == [setting.id]
    world.pools = {}
    world.worker = world.another()
    world.later(250)
    assert world.facts.hands == ()


def test_what_was_set_is_in_force_after_a_restart(world):
    world.worker.set(wanted(HandAct.OFF, pool="sales"), "asha", deed)
    world.worker = world.another()
    world.later(250)
    assert [each.pool for each in world.facts.hands] == ["sales"]
    assert [each.words for each in world.worker.view().hands] == ["pool sales is switched off"]


def test_a_ledger_that_cannot_be_read_lets_go_of_nothing(world, monkeypatch):
    world.worker.set(wanted(HandAct.OFF, pool="sales"), "asha", deed)

    def fails(_now_ms):
        raise LedgerError("ledger.sqlite", "it is damaged", "restore it")

    monkeypatch.setattr(world.worker.hands, "held", fails)
    world.later(5_000)
    assert [each.pool for each in world.facts.hands] == ["sales"]
    assert "can't be read" in world.worker.view().problem


def test_a_disk_that_takes_nothing_is_said_and_tried_again(world, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during:
        during.setattr(world.worker._facts, "tell_hands", full)
        world.worker.set(wanted(HandAct.OFF, pool="sales"), "asha", deed)
        assert "no space left" in world.worker.problem
    world.later(250)
    assert (world.worker.problem, len(world.facts.hands)) == ("", 1)


# A member that dies.


def test_a_dead_member_gets_no_call_after_three_failures(world):
    """Nor later: it is told before the fourth."""
    given = failed = 0
    for number in range(60):
        call = f"c{number}"
        member = world.asks(call).member
        given += member == "vendor-a"
        world.later(250)
        world.ends(call, failed=member == "vendor-a")
        failed += member == "vendor-a"
        world.later(250)
        if failed == 3:
            break
    assert failed == 3
    after = [world.asks(f"d{number}").member for number in range(40)]
    assert "vendor-a" not in after
    assert world.member().word == "out by its breaker"
    assert world.facts.members["sales"]["vendor-a"].share == 0.0
    assert [(each.what, each.subject) for each in world.noted] == [
        ("took a member out", "sales/vendor-a")
    ]


def test_a_dead_member_gets_no_call_five_seconds_after_the_probe_saw_it(world):
    seen = world.now
    for at in (0, 3_500):
        world.now = seen + at
        refused = Probed(
            at_ms=world.now, step=Step.CONNECT, problem="connection refused", certain=True
        )
        world.worker.probed(A, refused)
        world.worker.look()
    assert world.now < seen + 5_000
    assert "vendor-a" not in {world.asks(f"c{n}").member for n in range(40)}
    assert world.member().breaker.why == "the probe: connection refused"


def kill_all(world):
    for key in (A, B):
        for number in range(3):
            call = f"{key[1]}-{number}"
            given = AddressGiven(
                **msgspec.structs.asdict(receipt(query(call, None, None))),
                route=Route(pool=key[0], key=call, member=key[1]),
            )
            world.fold(world.record(RecordKind.VOICEBOT, encode(given)))
            world.later(250)
            world.ends(call, failed=True)
            world.later(250)


def test_the_last_of_a_pool_is_not_taken_out_and_the_pool_is_degraded(world):
    kill_all(world)
    pool = world.worker.view().pool("sales")
    assert pool.degraded
    assert {world.asks(f"c{n}").member for n in range(60)} == {"vendor-a", "vendor-b"}
    assert route(world.pools, "sales", "c", world.facts, world.now).degraded


def test_where_the_breaker_is_not_enabled_it_only_reports(world):
    world.pools["sales"] = SALES
    world.worker = world.another()
    kill_all(world)
    assert world.member().word == "failing"
    assert world.facts.members["sales"]["vendor-a"].share == 1.0
    assert world.noted == []
    assert not world.worker.view().pool("sales").degraded


def test_a_member_that_a_person_sets_in_is_left_alone_by_its_breaker(world):
    kill_all(world)
    world.worker.set(
        wanted(HandAct.STATE, member="vendor-a", state=MemberState.IN, pool="sales"), "asha", deed
    )
    assert world.facts.members["sales"]["vendor-a"].share == 1.0
    assert {world.asks(f"c{n}").member for n in range(20)} == {"vendor-a"}


def test_it_comes_back_by_a_growing_share_and_each_step_is_in_the_log(world):
    kill_all(world)
    shares = []
    for _ in range(10):
        world.later(30_000)
        shares.append(world.facts.members["sales"]["vendor-a"].share)
    assert shares[:5] == [0.1, 0.25, 0.5, 1.0, 1.0]
    deeds = [each.what for each in world.noted if each.subject == "sales/vendor-a"]
    assert deeds == [
        "took a member out",
        "let a member back in for a part",
        "let a member back in",
    ]
    assert [each.state for each in world.member().history] == [
        BreakerState.CLOSED,
        BreakerState.HALF_OPEN,
        BreakerState.OPEN,
    ]


def test_a_breaker_outlives_the_console(world):
    kill_all(world)
    before = world.member().breaker
    world.later(5_000)
    world.worker = world.another()
    world.later(250)
    assert world.member().breaker == before
    assert world.facts.members["sales"]["vendor-a"].share == 0.0
    world.now += members.RESUMED_MS + 1
    world.worker = world.another()
    assert world.facts.members == {}


def test_a_silent_bot_is_taken_out_by_its_own_reports(world):
    for number in range(3):
        call = f"s{number}"
        given = AddressGiven(
            **msgspec.structs.asdict(receipt(query(call, None, None))),
            route=Route(pool="sales", key=call, member="vendor-a"),
        )
        world.fold(world.record(RecordKind.VOICEBOT, encode(given)))
        for event in ("started", "first_in"):
            world.reports(call, event)
    world.later(11_000)
    assert world.member().silent == 3
    assert world.member().word == "out by its breaker"


def test_a_member_that_is_full_has_no_room(world):
    limited = msgspec.structs.replace(ENABLED.members[0], limit=1)
    world.pools["sales"] = msgspec.structs.replace(ENABLED, members=(limited,))
    world.worker = world.another()
    world.worker.look()
    world.asks("c1")
    world.later(250)
    assert world.facts.members["sales"]["vendor-a"].room == 0
    world.ends("c1", failed=False)
    world.later(250)
    assert world.facts.members["sales"]["vendor-a"].room == 1


def test_repeats_and_heads_give_nobody_anything(world):
    given = AddressGiven(
        **msgspec.structs.asdict(receipt(query("c1", None, None), method="HEAD")),
        route=Route(pool="sales", key="c1", member="vendor-a"),
    )
    world.fold(world.record(RecordKind.VOICEBOT, encode(given)))
    world.later(250)
    assert world.member().live == 0


def test_what_is_shown_has_the_whole_address_and_what_is_told_again_is_fresh(world):
    assert world.member().url == "wss://a.example/stream?sample-rate=16000"
    first = world.worker.view().made_ms
    world.later(1_000)
    assert world.worker.view().made_ms == first + 1_000
    written = read_routes(world.folder)
    assert written is not None
    assert written.view.fresh(world.now)


def test_the_thread_looks_by_itself_and_ends(world, monkeypatch):
    """And a mistake in one look does not end it."""
    looks = []
    look = RoutesWorker.look

    def counted(worker):
        looks.append(worker.problem)
        if len(looks) == 1:
            raise ValueError
        look(worker)
        worker.stop()

    monkeypatch.setattr(RoutesWorker, "look", counted)
    worker = world.another()
    worker.start()
    until(lambda: not worker._repeating.runs, "its end")
    assert looks == ["", "the pools can't be looked after: ValueError"]
    assert worker.problem == ""


def test_a_members_room_is_told_with_up_to_where_it_is_reckoned(world):
    """So that the answer process takes off what it gave since, and nothing twice."""
    limited = msgspec.structs.replace(ENABLED.members[0], limit=5)
    world.pools["sales"] = msgspec.structs.replace(ENABLED, members=(limited,))
    world.worker = world.another()
    for number in range(3):
        world.asks(f"c{number}")
    world.later(1_000)
    facts = world.facts.members["sales"][limited.name]
    assert (facts.room, facts.through_seq) == (2, world.seq)
    places = PlacesGiven()
    for seq in range(1, world.seq + 1):
        places.add(A, f"c{seq}", seq)
    assert places.since(A, facts.through_seq) == 0


def test_a_member_whose_name_leads_into_our_own_network_is_given_to_nobody(world):
    """Not as the last of its pool either, nor after the console has ended."""
    at_home = Probed(
        at_ms=NOW, step=Step.NAME, problem=not_given("this machine"), network="this machine"
    )
    world.worker.probed(A, at_home)
    world.worker.look()
    assert (world.member().word, world.member().draw_share) == ("not given", 0.0)
    probe = next(each for each in world.member().evidence if each.source is Source.PROBE)
    assert probe.said == (
        "its name is an address of this machine: not given to Exotel; allow_private = true if meant"
    )
    assert {world.asks(f"c{number}").member for number in range(9)} == {"vendor-b"}
    world.worker.probed(B, msgspec.structs.replace(at_home))
    world.worker.look()
    assert world.asks("c10").member is None
    world.now += 10 * 60_000  # nobody tells anything any more
    found = world.asks("c11")
    assert (found.member, found.withheld) == (None, ("vendor-a", "vendor-b"))


def test_what_a_start_has_read_is_not_counted_again_as_it_is_folded(world):
    """Also where a store is made again, so that all is folded once more."""
    for call in ("c1", "c2"):
        world.asks(call)
    world.later(250)
    assert sum(world.member(key).given for key in (A, B)) == 2
    given = AddressGiven(
        **msgspec.structs.asdict(receipt(query("c3", None, None))),
        route=Route(pool="sales", key="c3", member="vendor-a"),
    )
    kept = [world.record(RecordKind.VOICEBOT, encode(given)) for _ in range(3)]
    world.worker = world.another()
    world.worker.recall(kept)
    world.fold(*kept)
    world.later(250)
    assert world.member(A).given == 3
    assert world.worker.view().counted_from_ms is None

"""Admission in the console: what the journal and the polls tell is told to the answer process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlencode

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from kept_receipts import Kept, query, receipt
from kept_receipts import parsed as parse_all
from patience import PATIENCE_S
from program import until
from switchhook.answer.places import PlacesGiven
from switchhook.capacity.facts_file import FactsFile, FactsReader
from switchhook.capacity.readings import Reading
from switchhook.errors import JournalError
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    BotReportReceived,
    RecordKind,
    StatusReceived,
    encode,
)
from switchhook.journal.segment import Record
from switchhook.routes.admission_api import AdmissionApi
from switchhook.routes.admission_feed import Became
from switchhook.routes.admission_worker import AdmissionWorker
from switchhook.routes.leases import Held
from switchhook.rules.admission import BY_HAND, AdmissionSeen, ask_for_room
from switchhook.rules.decide import Decision, Option
from switchhook.streams.fold import Folded

NODE, NOW = 7, 1_795_000_000_000
IST = timezone(timedelta(hours=5, minutes=30))
ASKED = Decision(Option.A, "default", "", "no rule matched")


class World:
    """A console's worker, and an answer process that reads what it is told and counts."""

    def __init__(self, folder):
        self.folder, self.now, self.seq = folder, NOW, 0
        self.reader, self.places = FactsReader(folder, "", NODE), PlacesGiven()
        self.records: list[Record] = []
        self.worker = self.another()

    def another(self):
        """A console that starts."""
        worker = AdmissionWorker(
            FactsFile(self.folder), node=NODE, now_ms=lambda: self.now, mono_ms=lambda: self.now
        )
        worker.use({"main": {"campaign": 2}})
        return worker

    @property
    def budget(self):
        return self.reader.look(self.now)[1].budgets.get("main")

    @property
    def held(self):
        return self.view.estimate.held

    @property
    def view(self):
        (found,) = self.worker.views()
        return found

    def keep(self, kind, body, *, told=True):
        self.seq += 1
        record = Record(self.seq, kind, self.now, self.now, None, None, encode(body))
        self.records.append(record)
        if told:
            self.worker.folded(Folded(tuple(parse_all(record)), self.seq))

    def asks(self, call, class_="default", *, told=True):
        """A caller who asks for room, as the answer process decides; whether there was."""
        budget = self.budget
        used = self.places.since(("main",), budget.through_seq) if budget is not None else 0
        seen = AdmissionSeen(account="main", class_=class_, budget=budget, used=used or 0)
        decision = ask_for_room(ASKED, seen)
        admitted = decision.option is Option.A
        base = receipt(urlencode({"CallSid": call}).encode() if call else b"", endpoint="gate")
        body = AdmissionGiven(
            **{**msgspec.structs.asdict(base), "decision": decision},
            account="main",
            admission=seen,
            admitted=admitted,
        )
        self.keep(RecordKind.ADMISSION, body, told=told)
        if admitted:
            self.places.add(("main",), call, self.seq)
        return admitted

    def gets_address(self, call, address="wss://x/"):
        base = receipt(urlencode({"CallSid": call}).encode(), endpoint="bots")
        body = AddressGiven(**msgspec.structs.asdict(base), account="main", address=address)
        self.keep(RecordKind.VOICEBOT, body)

    def ends(self, call, ago_ms=0, *, sid=None, **stream):
        current = datetime.fromtimestamp((self.now - ago_ms) / 1000, UTC).astimezone(IST)
        said = {"StreamSID": sid or f"s{call}", "Status": "completed", **stream}
        query = {
            "CallSid": call,
            "CurrentTime": current.strftime("%Y-%m-%d %H:%M:%S"),
            **{f"Stream[{key}]": text for key, text in said.items()},
        }
        self.keep(RecordKind.PASSTHRU, receipt(urlencode(query).encode()))

    def reports(self, call, event, **more):
        raw = msgspec.json.encode({"call_sid": call, "event": event, **more})
        self.keep(RecordKind.BOT_REPORT, BotReportReceived(self.now * 1000, "bots", raw))

    def calls_back(self, call, status):
        raw = urlencode({"CallSid": call, "Status": status}).encode()
        form = "application/x-www-form-urlencoded"
        self.keep(RecordKind.STATUS, StatusReceived(self.now * 1000, "main", raw, form))

    def polled(self, active, allowed=10):
        self.worker.polled("main", self.now, active, allowed)

    def later(self, ms):
        self.now += ms
        self.worker.tell()


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path)
    found.worker.tell()
    return found


def test_until_exotel_has_been_asked_nothing_is_known(world):
    assert world.budget.unknown == "Exotel has not been asked yet"
    assert not world.asks("c1")
    assert world.view.unknown == 1


def test_a_line_that_is_full_refuses_and_a_free_place_is_given_again(world):
    world.polled(0)
    world.later(1_000)
    assert [world.asks(f"c{n}") for n in range(12)] == [True] * 10 + [False] * 2
    world.later(1_000)
    assert (world.budget.room, world.budget.through_seq) == (0, 12)
    assert (world.view.admitted, world.view.refused) == (10, 2)
    world.gets_address("c0")
    world.ends("c0")
    world.later(100)
    assert world.budget.room == 1
    assert world.asks("c12")
    assert not world.asks("c13")


def test_a_budget_that_is_told_late_is_never_overdrawn(world):
    """The console reckons without the records that it has not come to."""
    world.polled(0)
    world.later(1_000)
    for number in range(6):
        assert world.asks(f"early{number}", told=False)
    world.later(1_000)
    assert world.budget.through_seq == 0
    given = sum(world.asks(f"c{number}", told=False) for number in range(20))
    assert given == 4


def test_a_class_finds_its_reserve_taken_from_its_room(world):
    world.polled(0)
    world.later(1_000)
    assert [world.asks(f"c{n}", "campaign") for n in range(9)] == [True] * 8 + [False]
    assert world.asks("vip", "vip")


STARTS = {
    "address": lambda world: world.gets_address("c1"),
    "started": lambda world: world.reports("c1", "started"),
    "first sound": lambda world: world.reports("c1", "first_out"),
    "callback": lambda world: world.calls_back("c1", "in-progress"),
}


@pytest.mark.parametrize("signal", STARTS)
def test_a_lease_is_live_by_any_start_signal(world, signal):
    world.polled(0)
    world.later(1_000)
    assert world.asks("c1")
    assert world.held == Held(1, 0)
    STARTS[signal](world)
    assert world.held == Held(0, 1)


ENDS = {
    "passthru": lambda world: world.ends("c1"),
    "throttled": lambda world: world.ends(
        "c1", Status="failed", DetailedStatus="Streaming_call_throttled"
    ),
    "report": lambda world: world.reports("c1", "ended", at=world.now / 1000, by="bot"),
    "callback": lambda world: world.calls_back("c1", "completed"),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_lease_ends_by_whatever_tells_of_its_end(world, end):
    world.polled(0)
    world.later(1_000)
    assert world.asks("c1")
    world.gets_address("c1")
    world.later(30_000)
    ENDS[end](world)
    assert world.held == Held()
    assert (world.view.estimate.reserve > 0) is (end == "throttled")


def test_what_tells_nothing_of_a_lease_changes_none(world):
    world.polled(0)
    world.later(1_000)
    world.asks("c1")
    world.gets_address("c1", address="")
    world.gets_address("stranger")
    world.reports("c1", "error", error="x")
    world.calls_back("c1", "queued")
    world.ends("stranger", Status="failed", DetailedStatus="Streaming_call_throttled")
    world.ends("c1", Status="in-progress")
    assert world.held == Held(1, 0)
    assert world.view.estimate.reserve == 0


def test_a_later_passthru_of_the_stream_before_ends_no_lease(world):
    world.polled(0)
    world.later(1_000)
    assert world.asks("c1")
    world.ends("c1", sid="s1")
    world.later(5_000)
    assert world.asks("c1")
    world.ends("c1", sid="s1")
    assert world.held == Held(1, 0)


def test_an_end_is_dated_by_its_own_current_time(world):
    """What was told three seconds late had ended at the poll before."""
    world.polled(0)
    world.later(1_000)
    assert world.asks("c1")
    world.gets_address("c1")
    world.later(30_000)
    world.polled(0)
    world.later(3_000)
    world.ends("c1", ago_ms=4_000)
    world.later(2_000)
    assert [each.residual for each in world.view.compared] == [0, 0]
    assert world.view.estimate.foreign == 0


def test_who_has_no_call_sid_holds_a_place_too(world):
    world.polled(0)
    world.later(1_000)
    assert world.asks("")
    assert world.asks("")
    world.later(1_000)
    assert world.held == Held(2, 0)
    assert world.budget.room == 8


def test_a_record_that_cannot_be_read_holds_up_no_other(world):
    world.polled(0)
    world.later(1_000)
    world.seq += 1
    damaged = Record(world.seq, RecordKind.ADMISSION, world.now, world.now, None, None, b"\xc1")
    world.worker.folded(Folded(tuple(parse_all(damaged)), world.seq))
    assert world.asks("c1")
    assert world.held == Held(1, 0)


def test_a_console_that_starts_again_has_the_same_leases(world, tmp_path):
    """Rebuilt from the journal's last hour and the polls that were kept."""
    kept = Kept(tmp_path / "journal")
    world.polled(0)
    world.later(1_000)
    for number in range(6):
        world.asks(f"c{number}")
        world.gets_address(f"c{number}")
    world.later(20_000)
    world.ends("c0")
    world.asks("c6")
    for each in world.records:
        kept.record(each.kind, each.body, at=each.at)
    assert kept.writer.flush(PATIENCE_S)
    before = world.view
    world.polled(6)
    world.worker = world.another()
    world.worker.begin(kept.reader, [Reading("main", world.now, 6, 10)])
    kept.close()
    assert world.held == before.estimate.held == Held(1, 5)
    world.later(1_000)
    assert (world.budget.room, world.budget.through_seq) == (4, len(world.records))
    assert world.view.lately == {Became.ADMITTED: 7}
    assert world.view.total == {}


def test_a_journal_that_cannot_be_read_is_said_and_room_still_told(world, caplog):
    class Broken:
        def seek(self, at_ms):
            raise JournalError("1", "it is damaged", "restore it")

    world.worker = world.another()
    world.worker.begin(Broken(), [Reading("main", world.now, 1, 10), Reading("main", 1, 1, 10)])
    world.later(1_000)
    assert "who was admitted before the start is not known" in caplog.text
    assert world.budget.room == 10


def test_a_disk_that_takes_nothing_is_a_problem_until_it_does(world, monkeypatch):
    world.polled(0)
    facts = world.worker._facts
    monkeypatch.setattr(
        facts, "tell_budgets", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    world.later(1_000)
    assert world.worker.problem == "answer processes can't be told what to admit: no space left"
    monkeypatch.undo()
    world.later(1_000)
    assert world.worker.problem == ""


def test_without_an_account_that_is_asked_nothing_is_written(tmp_path):
    worker = AdmissionWorker(FactsFile(tmp_path), node=NODE, now_ms=lambda: NOW)
    worker.use({})
    worker.begin(None)  # never asked
    worker.polled("main", NOW, 1, 2)
    worker.tell()
    assert not list(tmp_path.iterdir())
    assert worker.views() == []


def test_an_account_that_is_no_longer_asked_has_no_budget(world):
    world.polled(0)
    world.later(1_000)
    assert world.budget is not None
    world.worker.use({})
    world.later(1_000)
    assert world.budget is None


def test_the_thread_tells_by_itself_and_ends(tmp_path):
    told = []

    class Facts(FactsFile):
        def tell_budgets(self, node, budgets, now_ms, mono_ms):
            told.append(budgets)
            worker.stop()

    worker = AdmissionWorker(Facts(tmp_path), node=NODE, now_ms=lambda: NOW)
    worker.use({"main": {}})
    worker.start()
    until(lambda: not worker._repeating.runs, "its end")
    assert told


def test_the_api_tells_of_each_account_and_the_estimate_beside_each_poll(world):
    """And what a page renews itself by changes with it."""
    api = TestClient(Starlette(routes=[*AdmissionApi(world.worker.views).routes()]))
    world.polled(3)
    world.later(1_000)
    before = world.view.gist
    for number in range(6):
        world.asks(f"c{number}")
    world.gets_address("c0")
    world.later(5_000)
    assert world.view.gist != before
    (found,) = api.get("/api/v1/admission").json()["accounts"]
    assert (found["account"], found["allowed"], found["room"]) == ("main", 10, 1)
    assert (found["pending"], found["live"], found["foreign"]) == (5, 1, 3.0)
    assert found["asked"] == {
        "admitted": 6,
        "refused": 0,
        "refused_by_rule": 0,
        "refused_by_hand": 0,
        "unknown": 0,
    }
    assert found["reserves"] == {"campaign": 2}
    (poll,) = found["polls"]
    assert (poll["active"], poll["ours"], poll["left_over"], poll["foreign"]) == (3, 0, 3, 0.0)


def test_what_a_rule_refuses_is_counted_apart(world):
    decision = Decision(Option.B, "blocked", "", "rule matched")
    body = AdmissionGiven(
        **{**msgspec.structs.asdict(receipt(b"CallSid=c1")), "decision": decision}, account="main"
    )
    world.keep(RecordKind.ADMISSION, body)
    world.keep(RecordKind.ADMISSION, msgspec.structs.replace(body, method="HEAD"))
    assert (world.view.by_rule, world.view.refused, world.view.admitted) == (1, 0, 0)
    assert world.view.total == {("default", "", Became.BY_RULE): 1}


def test_what_a_person_refuses_is_counted_apart(world):
    """As the answer process keeps it; who is let in by hand is admitted like anybody."""
    api = TestClient(Starlette(routes=[*AdmissionApi(world.worker.views).routes()]))
    for number, option in enumerate((Option.B, Option.B, Option.A)):
        decision = Decision(option, BY_HAND, "", "a person set it (1); the endpoint's safe option")
        given = receipt(query(f"c{number}", None, None), decision=decision)
        admitted = option is Option.A
        body = AdmissionGiven(**msgspec.structs.asdict(given), account="main", admitted=admitted)
        world.keep(RecordKind.ADMISSION, body)
    (found,) = api.get("/api/v1/admission").json()["accounts"]
    assert found["asked"] == {
        "admitted": 1,
        "refused": 0,
        "refused_by_rule": 0,
        "refused_by_hand": 2,
        "unknown": 0,
    }
    assert (found["poll_age_s"], found["old"]) == (None, None)

"""Retention and erasure over a real journal, store and ledger."""

from __future__ import annotations

import itertools
import json
from urllib.parse import quote, quote_plus

import apsw
import msgspec
import pytest

from answer.bots import gate, pool, pooled, voicebot
from answer.desk import Desk
from callbacks import some_promises
from kept_receipts import fold, query, receipt
from patience import PATIENCE_S
from program import until
from retention.test_erasure import hash_of_proof
from switchhook.access.audit import Deed, verify_chain
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Role
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.do_not_call_ledger import LedgerDoNotCall
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import AttemptState, PromiseEvent, PromiseState
from switchhook.callbacks.refusals import RefusalCode
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.capacity.readings import Reading
from switchhook.errors import JournalError
from switchhook.exotel.spellings import ErasedNumber, Subject
from switchhook.exotel.times import DAY_MS, HOUR_MS
from switchhook.journal import JournalReader, JournalWriter, SealedSegments
from switchhook.journal.closed import SegmentState
from switchhook.journal.receipt import (
    BotReportReceived,
    RecordKind,
    StatusReceived,
    decode_address,
    decode_receipt,
    encode,
    read_passthru,
)
from switchhook.retention import retention_worker, texts_ledger
from switchhook.retention.ledger import LedgerErasures
from switchhook.retention.policy import Matter, RetentionLimits
from switchhook.retention.retention_worker import RetentionWorker
from switchhook.server.retention_rows import rows_of
from switchhook.server.tables import open_ledger
from switchhook.store import SqliteStore
from switchhook.streams.store import StreamFilter

NUMBER = ErasedNumber("+919876543210")
DIGITS = b"9876543210"
START = 1_000 * DAY_MS
FOR_EVER = RetentionLimits(0, 0, 0, 0, 0, 0, 0)


class House:
    """Everything that keeping has to do with, in one folder."""

    def __init__(self, folder, limits=FOR_EVER):
        self.folder = folder
        self.now, self.mono = START, 0
        self.ids = itertools.count(1)
        folder.mkdir(exist_ok=True)
        self.open_writer()
        self.reader = JournalReader(folder / "journal")
        self.sealed = SealedSegments(folder / "journal")
        self.store = SqliteStore(folder / "store", self.reader)
        self.store.open()
        self.ledger = open_ledger(folder / "ledger")
        self.book = LedgerErasures(self.ledger)
        self.audit = LedgerAudit(self.ledger)
        self.capacity = LedgerCapacity(self.ledger)
        self.erased = 0
        self.keeper = self.make_keeper(limits)

    def open_writer(self):
        self.writer = JournalWriter(
            self.folder / "journal",
            node=7,
            notify=lambda call: call(),
            observe=lambda event: None,
            synchronous="OFF",
            segment_bytes=40_000,
        )

    def make_keeper(self, limits):
        def count_erased():
            self.erased += 1

        return RetentionWorker(
            journal=self.sealed,
            store=self.store,
            book=self.book,
            rows={Matter.STORIES: self.store, **rows_of(self.ledger, lambda: self.now)},
            limits=limits,
            last_seq=self.reader.last_seq,
            erased=count_erased,
            now_ms=lambda: self.now,
            mono_ms=lambda: self.mono,
            draw=lambda size: next(self.ids).to_bytes(size, "big"),
        )

    def pass_time(self, ms):
        """Let time go by both clocks."""
        self.now += ms
        self.mono += ms

    def run_hours(self, hours):
        """Do all there is to do in some hours, for each has its bounds."""
        for _ in range(hours):
            self.run()
            self.pass_time(HOUR_MS)
        self.run()

    def keep(self, kind, value, at=None):
        return self.writer.append(int(kind), self.now if at is None else at, encode(value))

    def receipt(self, number="09000000000", at=None, **more):
        raw = query(call=f"c{self.writer.next_seq}", sid=f"s{self.writer.next_seq}")
        raw += f"&CallFrom={number}&To=08047112233".encode()
        return self.keep(RecordKind.PASSTHRU, receipt(raw, received_us=self.now * 1000, **more), at)

    def flush(self):
        assert self.writer.flush(PATIENCE_S)
        fold(self.store, self.reader)

    def until_sealed(self):
        """Wait until the writer's upkeep has sealed what it left."""
        for _ in range(1_000_000):
            states = [each.state for each in self.sealed.segments()]
            if states[:-1] == [SegmentState.SEALED] * (len(states) - 1):
                return
        pytest.fail("the segments are not sealed")

    def run(self, most=5000):
        """Do all there is to do, also what waits for the answer side; gives how many steps."""
        idle = steps = 0
        while idle < 200_000 and steps < most:
            if self.keeper.step():
                steps += 1
                idle = 0
            elif not self.book.running():
                return steps
            else:
                idle += 1
                self.flush()
        pytest.fail("it does not end")

    def erase(self, by="asha"):
        deed = Deed(who=by, what="asked to erase a number", subject=NUMBER.masked)
        return self.keeper.erase(NUMBER.e164, by, deed)

    def files(self):
        return [path for path in sorted(self.folder.rglob("*")) if path.is_file()]

    def holding(self, digits=DIGITS):
        """The files in whose bytes the digits are, forwards or backwards."""
        return [
            path.name
            for path in self.files()
            if digits in path.read_bytes() or digits[::-1] in path.read_bytes()
        ]

    def close(self):
        self.writer.close()
        self.reader.close()
        self.store.close()
        self.ledger.close()


@pytest.fixture
def house(tmp_path):
    found = House(tmp_path / "data")
    yield found
    found.close()


def fill(house, count=60):
    """Receipts of several callers; every fifth is the one to forget. Gives those seqs."""
    spelt = ["09876543210", "%2B919876543210", "919876543210", "98765%2043210"]
    found = []
    for number in range(count):
        if number % 5 == 2:
            found.append(house.receipt(spelt[number % 4]))
        else:
            house.receipt(f"0900000{number:04d}")
        if number % 7 == 0:
            house.flush()
    house.flush()
    return found


def test_a_number_is_erased_from_journal_store_and_ledger(house):
    """With proof, and with no byte of it left in any file."""
    seqs = fill(house)
    body = b"CallSid=c1&From=%2B919876543210&Status=completed"
    seqs.append(
        house.keep(RecordKind.STATUS, StatusReceived(1, "a", body, "application/x-www", "::1"))
    )
    house.flush()
    with house.ledger.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO saved_views VALUES (1, 'mine', 'from:+919876543210 since:2h', 'asha', 0)"
        )
    others = [each for each in house.reader.read(0, 1000) if each.seq not in seqs]
    assert house.holding()
    asked = house.erase()
    assert not asked.complete
    assert house.erase().id == asked.id
    house.run()
    proof = house.keeper.proof(asked.id)
    assert proof.complete
    assert proof.proof == hash_of_proof(msgspec.to_builtins(proof))
    places = {place.name: place for place in proof.places}
    assert places["journal"].seqs == tuple(seqs)
    assert places["journal"].found == len(seqs)
    assert places["journal"].searched == house.reader.get(seqs[-1]).seq
    assert places["ledger.saved_views"].found == 1
    assert {"store", "ledger file", "ledger.audit", "ledger.users", "journal/refused"} <= set(
        places
    )
    assert house.keeper.confirmed(asked.id) is True
    assert [each for each in house.reader.read(0, 1000) if each.seq not in seqs] == others
    assert house.erased == 1
    house.close()
    assert house.holding() == []


def test_what_was_erased_can_still_be_read_and_counted(house):
    seqs = fill(house, 20)
    before = len(house.store.streams(StreamFilter(limit=1000)))
    house.erase()
    house.run()
    assert len(house.store.streams(StreamFilter(limit=1000))) == before
    told = read_passthru(decode_receipt(house.reader.get(seqs[0]).body))
    assert "erased" in told.from_
    assert told.stream.sid == f"s{seqs[0]}"


def test_the_audit_log_says_who_erased_and_still_holds(house):
    fill(house, 10)
    house.erase()
    house.run()
    entries = list(house.audit.oldest_first())
    assert [each.what for each in entries] == ["asked to erase a number", "erased a number"]
    assert "9876543210" not in repr(entries)
    assert verify_chain(entries, house.audit.head()).problem == ""


def test_what_comes_later_is_kept(house):
    """An erasure covers what was there when it was asked for, and the rest of that segment."""
    fill(house, 10)
    house.erase()
    soon = house.receipt("09876543210")
    house.flush()
    while len(house.sealed.segments()) == 1:
        house.keeper.step()
    later = house.receipt("09876543210")
    house.flush()
    house.run()
    proof = house.keeper.proofs()[0]
    assert proof.complete
    assert proof.until_seq == soon
    assert DIGITS not in house.reader.get(soon).body
    assert DIGITS in house.reader.get(later).body


def test_a_second_wish_reaches_what_came_since_the_first(house):
    """The one on its way is enough where it goes as far; whoever wished is in the audit log."""
    fill(house, 10)
    first = house.erase("asha")
    assert house.erase("ravi").id == first.id
    while len(house.sealed.segments()) == 1:
        house.keeper.step()
        house.flush()
    later = house.receipt("09876543210")
    house.flush()
    second = house.erase("meena")
    assert (second.id != first.id, second.until_seq) == (True, later)
    house.run()
    assert [each.complete for each in house.keeper.proofs()] == [True, True]
    assert DIGITS not in house.reader.get(later).body
    asked = [each for each in house.audit.oldest_first() if each.what == "asked to erase a number"]
    assert [each.who for each in asked] == ["asha", "ravi", "meena"]
    house.close()
    assert house.holding() == []


def test_an_erasure_with_nothing_to_find_says_so(house):
    for _ in range(5):
        house.receipt()
    house.flush()
    house.erase()
    house.run()
    proof = house.keeper.proofs()[0]
    assert proof.complete
    assert sum(place.found for place in proof.places) == 0


def test_an_erasure_on_an_empty_journal_ends(house):
    house.erase()
    house.run()
    assert house.keeper.proofs()[0].complete


@pytest.mark.slow
def test_an_erasure_goes_on_after_a_restart_at_any_step(tmp_path):
    """However often it is cut off, the counts are those of one that was not."""
    counts = []
    for cut in (None, 1, 2, 3):
        house = House(tmp_path / f"cut-{cut}")
        seqs = fill(house)
        house.erase()
        steps = 0
        while house.book.running():
            house.keeper.step()
            house.flush()
            steps += 1
            if cut and steps % cut == 0:
                house.keeper = house.make_keeper(FOR_EVER)
            assert steps < 2_000_000
        place = next(each for each in house.keeper.proofs()[0].places if each.name == "journal")
        counts.append((place.searched, place.found, place.spellings, place.seqs, place.digest))
        assert place.seqs == tuple(seqs)
        assert house.keeper.proofs()[0].complete
        house.close()
        assert house.holding() == []
    assert len(set(counts)) == 1


def test_a_changed_record_is_not_confirmed(house):
    seqs = fill(house)
    id = house.erase().id
    house.run()
    house.until_sealed()
    name = house.sealed.segments()[0].name
    house.sealed.mask(name, [seqs[0]], lambda body: (body.replace(b"erased", b"abcdef"), 1))
    assert house.keeper.confirmed(id) is False
    assert house.keeper.confirmed("other") is None


def test_a_plan_touches_nothing(house):
    fill(house, 30)
    plan = house.keeper.plan(NUMBER.e164)
    assert plan.segments == len(house.sealed.segments())
    assert plan.seals_open
    assert plan.masked == NUMBER.masked
    assert house.keeper.proofs() == []


def test_the_audit_log_and_names_of_accounts_stay_and_the_proof_says_so(house):
    """They make no erasure impossible: it is complete, and names what stays on purpose."""
    house.audit.note(Deed(who="9876543210", what="signed in"), 1)
    access = LedgerAccess(house.ledger)
    access.users.add(
        "+919876543210", Role.OPERATOR, Deed(who="a", what="added a user"), START * 1000
    )
    house.erase()
    house.run()
    proof = house.keeper.proofs()[0]
    assert proof.complete
    assert [place.name for place in proof.places if place.left] == []
    stays = {place.name: place.stays for place in proof.places if place.stays}
    assert stays == {"ledger.users": 1}  # the audit log masks numbers as they come
    assert verify_chain(house.audit.oldest_first(), house.audit.head()).problem == ""
    assert "ledger.users" in repr(list(house.audit.oldest_first())[-1])


def test_what_people_wrote_is_masked_in_place(house):
    """Each table's texts, whatever they are called: notes, reasons, names of views."""
    with house.ledger.writing() as connection:
        tables = [
            name
            for (name,) in connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
            if name not in {*texts_ledger.STAYS, "erasures", "removed"}
        ]
        written = []
        connection.exec_driver_sql("PRAGMA foreign_keys = 0")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = 1")
        for table in tables:
            columns = connection.exec_driver_sql(
                "SELECT name, type FROM pragma_table_info(?)", (table,)
            ).fetchall()
            if all(kind != "TEXT" for _, kind in columns):
                continue
            said = {"TEXT": "note of ९८७६५ 43210", "BLOB": b"x"}
            values = [
                0 if name == "promise" else said.get(kind, at)  # the one of the table before
                for at, (name, kind) in enumerate(columns)
            ]
            marks = ", ".join("?" * len(values))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", tuple(values))
            written.append(f"ledger.{table}")
    assert {"ledger.issue_marks", "ledger.silences", "ledger.saved_views"} & {*written}
    house.erase()
    house.run()
    proof = house.keeper.proofs()[0]
    assert proof.complete
    found = {place.name for place in proof.places if place.found}
    assert found >= {*written}


# Calls.

SID = "5f0a1b2c3d4e5f60718293a4b5c6198p"


def call_of(house, sid, number, field=None, stream="stream-sid-1"):
    """Three records of one call: two passthrus and a callback, with numbers and names in them."""
    more = f"&CustomField={field}" if field else ""
    raw = f"CallSid={sid}&CallFrom={number}&Stream[StreamSID]={stream}&Stream[Status]=completed"
    seqs = [
        house.keep(RecordKind.PASSTHRU, receipt(f"{raw}{more}".encode(), received_us=1)),
        house.keep(RecordKind.PASSTHRU, receipt(f"{raw}&Name=Asha".encode(), received_us=2)),
    ]
    body = f"CallSid={sid}&Status=completed&From={number}".encode()
    seqs.append(
        house.keep(RecordKind.STATUS, StatusReceived(1, "a", body, "application/x-www", "::1"))
    )
    return seqs


def forget_call(house, value, subject=Subject.CALL):
    proof = house.keeper.erase(value, "asha", Deed(who="asha", what="asked"), subject)
    house.run()
    return house.keeper.proof(proof.id)


def details(house, sid, number="09876543210"):
    with house.ledger.writing() as connection:
        body = f'{{"Sid": "{sid}", "From": "{number}", "Name": "Asha"}}'
        connection.exec_driver_sql("INSERT INTO call_details VALUES ('a', ?, 1, ?)", (sid, body))


def test_a_call_is_erased_whole(house):
    """All that came with its records goes, numbers and names; other calls are as before."""
    house.receipt()
    seqs = call_of(house, SID, "09876543210")
    other = call_of(house, "another-call-1", "09000000001", stream="another-stream")
    details(house, SID)
    details(house, "another-call-1", "09000000001")
    house.flush()
    kept = [each for each in house.reader.read(0, 1000) if each.seq not in seqs]
    proof = forget_call(house, SID)
    assert proof.complete
    assert proof.subject == "call"
    place = next(each for each in proof.places if each.name == "journal")
    assert place.seqs == tuple(seqs)
    assert [each for each in house.reader.read(0, 1000) if each.seq not in seqs] == kept
    for seq in seqs:
        body = house.reader.get(seq).body
        assert all(part not in body for part in (SID.encode(), b"Asha", b"98765", b"completed"))
    first = decode_receipt(house.reader.get(seqs[0]).body)
    assert (first.raw, first.received_us, first.endpoint) == (b"erased", 1, "default")
    with house.ledger.reading() as connection:
        left = connection.exec_driver_sql("SELECT call_sid FROM call_details").all()
    assert left == [("another-call-1",)]
    assert house.keeper.confirmed(proof.id) is True
    assert house.store.position() == house.reader.last_seq()
    assert house.store.notes("another-call-1") == other[2:]
    assert house.store.notes(SID) == []
    house.close()
    assert house.holding(SID.encode()) == house.holding(b"09876543210") == []


def before_stream(house, sid, number):
    """What was decided of a call before its stream, and what its bot reported."""
    asked = Desk(gate(), voicebot(), config=pooled(pool(sticky=True)))
    query = f"CallSid={sid}&CallFrom={number}&Direction=incoming&Name=Asha"
    for path in ("/passthru/gate", "/voicebot/sales-in"):
        asked.ask(query, path=path)
    report = {"call_sid": sid, "event": "error", "error": f"no line to {number}, Asha"}
    records = [(each.kind, each.body) for each in asked.journal.records]
    raw = BotReportReceived(1, "gate", json.dumps(report).encode(), "main")
    records.append((RecordKind.BOT_REPORT, encode(raw)))
    return [house.keep(kind, msgspec.msgpack.decode(body)) for kind, body in records]


def test_what_came_before_the_stream_is_erased_with_its_call(house):
    seqs = [*before_stream(house, SID, "09876543210"), *call_of(house, SID, "09876543210")]
    before_stream(house, "another-call-1", "09000000001")
    house.flush()
    proof = forget_call(house, SID)
    place = next(each for each in proof.places if each.name == "journal")
    assert (proof.complete, place.seqs) == (True, tuple(seqs))
    assert house.store.notes(SID) == []
    house.close()
    for part in (SID.encode(), b"09876543210", b"919876543210"):
        assert house.holding(part) == []


def test_a_number_is_erased_from_what_came_before_the_stream(house):
    """Also where a sticky pool drew by it; the answer can still be read."""
    seqs = before_stream(house, SID, "09876543210")
    before_stream(house, "another-call-1", "09000000001")
    house.flush()
    house.erase()
    house.run()
    given = decode_address(house.reader.get(seqs[1]).body)
    assert "9876543210" not in given.route.key
    assert given.route.member in ("vendor-a", "vendor-b")
    house.close()
    assert house.holding() == []


def test_a_call_is_erased_by_its_stream_too(house):
    seqs = call_of(house, SID, "09876543210", stream="the-stream-sid")
    house.flush()
    proof = forget_call(house, "the-stream-sid")
    place = next(each for each in proof.places if each.name == "journal")
    assert (proof.complete, place.seqs) == (True, tuple(seqs[:2]))


@pytest.mark.parametrize("value", ["order 77", "नमस्ते", "a&b=c%20d", "1"])
def test_all_calls_with_a_custom_field_are_erased(house, value):
    """Their other records too, which don't have it; nothing else, however alike."""
    first = call_of(house, SID, "09876543210", quote(value))
    second = call_of(house, SID.replace("5f", "6f"), "09000000002", quote_plus(value), "s-two-2222")
    others = call_of(house, SID.replace("5f", "7f"), "09000000003", quote(value + "0"), "s-3-3333")
    house.flush()
    kept = [house.reader.get(seq) for seq in others]
    proof = forget_call(house, value, Subject.CUSTOM_FIELD)
    assert proof.complete
    assert value not in proof.masked
    place = next(each for each in proof.places if each.name == "journal")
    assert place.seqs == (*first, *second)
    assert [house.reader.get(seq) for seq in others] == kept
    assert house.book.all()[0].calls == ()


# Retention.


@pytest.mark.slow
def test_old_segments_go_and_stories_with_them(tmp_path):
    house = House(tmp_path / "data", RetentionLimits(30, 30, 0, 0, 0, 0))
    for day in range(100):
        house.now = START + day * DAY_MS
        for _ in range(10):
            house.receipt()
        house.flush()
    house.until_sealed()
    before = house.sealed.segments()
    house.run()
    assert len(before) > len(house.sealed.segments()) > len(before) * 0.9, "not all in an hour"
    house.run_hours(48)
    after = house.sealed.segments()
    limit = house.now - 30 * DAY_MS
    assert 0 < len(after) < len(before)
    # The one that is written may be empty still.
    assert all(each.last_at is None or each.last_at >= limit for each in after)
    kept = house.reader.read(0, 5000)
    assert [each.seq for each in kept] == list(range(after[0].first_seq, 1001))
    status = {each.matter: each for each in house.keeper.status().classes}
    assert status[Matter.RAW].oldest_ms == after[0].first_at
    assert status[Matter.RAW].removed.rows == after[0].first_seq - 1
    assert house.keeper.step() is False
    assert house.store.oldest_ms() >= limit - DAY_MS
    house.close()


@pytest.mark.slow
def test_stories_may_stay_longer_than_requests(tmp_path):
    """They are written down before what they point into goes."""
    house = House(tmp_path / "data", RetentionLimits(30, 0, 0, 0, 0, 0))
    for day in range(100):
        house.now = START + day * DAY_MS
        for _ in range(10):
            house.receipt()
        house.flush()
    house.until_sealed()
    house.run_hours(48)
    assert house.reader.first_seq() > 100
    streams = house.store.streams(StreamFilter(limit=2000))
    assert len(streams) == 1000
    gone = [story for seq, story in streams if seq < house.reader.first_seq()]
    assert all(story is not None and story.sid for story in gone)
    house.close()


def test_rows_of_the_ledger_go_by_class(tmp_path):
    house = House(tmp_path / "data", RetentionLimits(0, 0, 0, 0, capacity_days=10, audit_days=20))
    for day in range(50):
        at = START + day * DAY_MS
        house.capacity.add([Reading("main", at, 3, 10, "")])
        house.audit.note(Deed(who="asha", what="signed in"), at * 1000)
    house.now = START + 50 * DAY_MS
    house.run_hours(48)
    assert house.capacity.oldest_ms() >= house.now - 11 * DAY_MS
    assert house.audit.oldest_us() // 1000 >= house.now - 20 * DAY_MS
    assert verify_chain(house.audit.oldest_first(), house.audit.head()).problem == ""
    status = {each.matter: each for each in house.keeper.status().classes}
    assert status[Matter.AUDIT].removed.rows == 32
    assert all(each.overdue_ms == 0 for each in status.values())
    house.close()


def test_the_open_segment_is_sealed_so_that_it_can_go(tmp_path):
    house = House(tmp_path / "data", RetentionLimits(10, 10, 0, 0, 0, 0))
    house.receipt()
    house.flush()
    house.pass_time(2 * DAY_MS)
    house.keeper.step()
    for _ in range(1_000_000):
        if len(house.sealed.segments()) == 2:
            break
    house.receipt()
    house.flush()
    house.until_sealed()
    house.pass_time(20 * DAY_MS)
    house.run()
    assert house.reader.first_seq() == 2
    house.close()


@pytest.mark.slow
def test_a_clock_that_is_500_days_ahead_removes_nothing(tmp_path):
    """It is said at once, waits a week, over restarts, and is forgotten when the clock is right."""
    house = House(tmp_path / "data", RetentionLimits())
    for day in range(100):
        house.now = START + day * DAY_MS
        for _ in range(10):
            house.receipt()
        house.flush()
    house.until_sealed()
    house.run()
    right, before = house.now, house.sealed.segments()
    house.now += 500 * DAY_MS
    house.mono += HOUR_MS
    for _ in range(24 * 6):
        house.run()
        house.pass_time(HOUR_MS)
        if house.mono % (24 * HOUR_MS) == 0:
            house.keeper = house.make_keeper(RetentionLimits())
    held = house.keeper.held
    assert held is not None
    assert round(held.ahead_ms / DAY_MS) == 500
    assert house.sealed.segments() == before
    house.now = right + house.mono
    house.mono += HOUR_MS
    house.run()
    assert house.keeper.held is None
    assert house.sealed.segments() == before
    house.close()


def test_what_fails_is_said_and_tried_again(house, monkeypatch):
    """In the thread, as it runs in the console."""
    failures, said = [OSError("the disk is gone"), KeyError("a bug")], []

    def segments():
        said.append(house.keeper.problem)
        if failures:
            raise failures.pop(0)
        house.keeper.stop()
        return ()

    monkeypatch.setattr(retention_worker, "IDLE_S", 0.001)
    keeper = house.keeper = house.make_keeper(RetentionLimits())
    monkeypatch.setattr(house.sealed, "segments", segments)
    keeper.start()
    until(lambda: not keeper._repeating.runs, "its end")
    assert said == [None, "the disk is gone", "KeyError"]
    assert keeper.problem is None


# What can't be read.


def spoil_record(house, seq):
    """A byte of one record changes; SQLite sees nothing of it."""
    name = [each.name for each in house.sealed.segments() if each.first_seq <= seq][-1]
    connection = apsw.Connection(str(house.folder / "journal" / name))
    spoil = "UPDATE record SET body = CAST(body || x'00' AS BLOB) WHERE seq = ?"
    connection.execute(spoil, (seq,))
    connection.close()


def sealed_segments(house):
    """Some, all but the last of which nobody writes any more."""
    fill(house, 300)
    house.until_sealed()
    found = house.sealed.segments()
    assert len(found) > 3
    return found


def damage_file(house, name, start, end):
    path = house.folder / "journal" / name
    content = bytearray(path.read_bytes())
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)
    house.sealed = house.keeper._journal = house.keeper._eraser._journal = SealedSegments(
        house.folder / "journal"
    )


def test_a_proof_names_the_records_that_could_not_be_looked_into(house):
    """A byte that changed may hide the number; what can be read of them is erased all the same."""
    seqs = fill(house)
    before = house.erase("before")
    house.run()
    whole = house.keeper.proof(before.id)
    assert whole.complete
    assert "not_looked_into" not in msgspec.to_builtins(whole)
    fill(house, 10)
    later = house.receipt("09876543210")
    house.receipt()
    house.flush()
    for seq in (seqs[0], later, later + 1):
        spoil_record(house, seq)
    asked = house.erase()
    house.run()
    proof = house.keeper.proof(asked.id)
    assert not proof.complete
    assert not any(place.left for place in proof.places)
    assert proof.not_looked_into == (
        f"damaged records: {seqs[0]}, {later}, {later + 1}; restore their file from a backup, and"
        " look again",
    )
    assert proof.proof == hash_of_proof(msgspec.to_builtins(proof))
    entry = list(house.audit.oldest_first())[-1]
    assert entry.what == "erased a number, but not everywhere"
    assert f"damaged records: {seqs[0]}" in entry.details
    house.close()
    assert house.holding() == []


@pytest.mark.parametrize("whole", [False, True])
def test_an_erasure_goes_on_behind_what_can_not_be_read(house, whole):
    """Some pages in the middle of a segment, or all of what it is; others are erased."""
    first, second, *_ = sealed_segments(house)
    size = (house.folder / "journal" / second.name).stat().st_size
    middle = size // 2 // 4096 * 4096
    damage_file(house, second.name, *((0, 100) if whole else (middle, middle + 4096)))
    asked = house.erase()
    assert house.keeper.problem is None
    house.run(100_000)
    proof = house.keeper.proof(asked.id)
    assert not proof.complete
    (said,) = proof.not_looked_into
    if whole:
        assert f"damaged records: {second.first_seq} to {second.last_seq};" in said
    found = house.reader.read(0, 10_000)
    holding = {each.seq for each in found if DIGITS in each.body}
    assert not holding
    assert first.last_seq in {each.seq for each in found}


def test_why_keeping_stands_still_is_known(house, monkeypatch):
    def fail(*_):
        raise JournalError("a", "is damaged", "mend it")

    monkeypatch.setattr(house.keeper, "step", fail)
    house.keeper.start()
    until(lambda: house.keeper.problem is not None, "the problem")
    assert house.keeper.problem == "journal segment a: is damaged (mend it)"
    assert house.keeper.stop()


# Promises of callbacks.


def promised(house, **said):
    """A promise to the number that is erased, with a call on its way."""
    promises, dialling = LedgerPromises(house.ledger), LedgerDialling(house.ledger)
    dialling.allow("main", Deed(who="asha", what="allowed"), START)
    made = promises.make(
        some_promises.promise(number=NUMBER.e164, made_ms=START, why=f"of {NUMBER.e164}", **said)
    )
    claimed = promises.claim(made.id, 1, "+918045601234", START, lambda _: None, price=1)
    return promises, claimed.promise


def test_a_promise_to_an_erased_number_is_masked_everywhere_and_not_dialled_again(house):
    promises, made = promised(house)
    refused = promises.make(some_promises.promise(number=NUMBER.e164))
    assert refused.code is RefusalCode.OPEN_ALREADY
    other = promises.make(some_promises.promise())
    house.erase()
    house.run()
    proof = house.keeper.proofs()[0]
    assert proof.complete
    found = {place.name: place.found for place in proof.places if place.found}
    assert found["ledger.promises"] == found["ledger.promise_refusals"] == 1
    after = promises.get(made.id)
    assert after.erased
    assert "erased" in after.why + after.number
    missed = promises.settle(made.id, PromiseEvent.MISSED, START + 1, attempt=1)
    assert missed.erased
    again = promises.claim(made.id, 2, "+918045601234", START + 2, lambda _: None, price=1)
    assert again.promise.state is PromiseState.DROPPED
    assert again.promise.why == "the number was erased"
    assert promises.get(other.id) == other
    house.close()
    assert house.holding() == []


def test_a_number_on_the_do_not_call_list_stays_there_and_the_proof_says_so(house):
    never = LedgerDoNotCall(house.ledger)
    never.add(NUMBER.e164, "asked for it", Deed(who="asha", what="never call"), START)
    house.erase()
    house.run()
    proof = house.keeper.proofs()[0]
    assert proof.complete
    assert {place.name: place.stays for place in proof.places if place.stays} == {
        "ledger.do_not_call": 1
    }
    assert never.has(NUMBER.e164)


def test_a_promise_goes_whole_with_the_call_that_it_was_made_for(house):
    promises, made = promised(house, call_sid=SID)
    assert forget_call(house, SID).complete
    assert promises.get(made.id) is None
    assert promises.by_custom_field(f"switchhook:{made.token}:1") is None
    told = AttemptChange(state=AttemptState.TALKED)
    assert promises.settle(made.id, PromiseEvent.TALKED, START, attempt=1, change=told) is None


def test_promises_go_by_their_own_limit(tmp_path):
    house = House(tmp_path / "data", RetentionLimits(0, 0, 0, 0, 0, 0, promises_days=10))
    promises = LedgerPromises(house.ledger)
    for day in (0, 10, 20, 35):
        made = promises.make(some_promises.promise(made_ms=START + day * DAY_MS))
        promises.settle(made.id, PromiseEvent.CANCELLED, START + day * DAY_MS)
    house.now = START + 40 * DAY_MS
    house.run_hours(48)
    status = {each.matter: each for each in house.keeper.status().classes}
    assert status[Matter.PROMISES].removed.rows == 3
    assert status[Matter.PROMISES].overdue_ms == 0
    house.close()

"""One passthru from head to answer: decided in memory, kept, and answered within its deadline."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import apsw
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.conftest import Loop
from journal.forgetful_vfs import forgetful_disk
from patience import PATIENCE_S
from program import until
from switchhook.answer import deciding as deciding_module
from switchhook.answer.health import note_event
from switchhook.answer.repeats import WINDOW_MS
from switchhook.config import Bodies, EndpointConfig, Secret
from switchhook.errors import JournalError
from switchhook.exotel.wire import known_shapes
from switchhook.exotel.wire.known_shapes import KnownShapes
from switchhook.journal import JournalEvent, JournalReader
from switchhook.journal.receipt import RecordKind, decode_receipt, encode, receipt_id
from switchhook.journal.steady_time import TOLD_MS
from switchhook.rules.admission import SAFE_RULE
from switchhook.rules.decide import Option
from switchhook.rules.flags import Flag, FlagKind, FlagSetting
from switchhook.rules.routing import RoutingFacts
from switchhook.rules.rules_file import load_rules
from switchhook.streams.decided_again import decide_again

from .desk import (
    NODE,
    OTHER_SECRET,
    SECRET,
    START_US,
    TAKES_A,
    TAKES_B,
    Desk,
    HeadFields,
    MemoryJournal,
)

DEADLINES_MS = (50, 200, 1000)
BY_DEADLINE = tuple(EndpointConfig(f"e{ms}", deadline_ms=ms) for ms in DEADLINES_MS)


class Caller:
    """One who asked in a property, and what is due to them."""

    def __init__(self, desk: Desk, number: int, deadline_ms: int, option: Option) -> None:
        query = {Option.A: TAKES_A, Option.B: TAKES_B}[option].replace("c1", f"c{number}")
        self.right = [{Option.A: 200, Option.B: 302}[option]]
        self.due_ns = desk.clock.ns + deadline_ms * 1_000_000
        self.seq = desk.journal.next_seq
        self.replies = desk.say(query, path=f"/passthru/e{deadline_ms}")

    @property
    def heard(self) -> list[int]:
        return [answer.status for answer in self.replies]


_ASKS = st.tuples(st.sampled_from(DEADLINES_MS), st.sampled_from(Option))
_PAUSES = st.tuples(st.just("pause"), st.integers(1, 50))
_DISK = st.tuples(st.sampled_from(["stall", "work"]), st.none())


@given(st.lists(_ASKS | _PAUSES | _DISK, max_size=60), st.sampled_from([1, 10, 25]))
@settings(deadline=None)
def test_every_answer_leaves_within_its_deadline_whatever_the_disk_does(events, sweep_ms):
    """It is what was decided at first, once; its receipt stays, and its lateness is kept."""
    desk = Desk(*BY_DEADLINE)
    journal, callers, unkept, late = desk.journal, [], [], []
    stalled = False
    for what, how in [*events, ("work", None), ("pause", 1)]:
        if what in DEADLINES_MS:
            healthy = journal.healthy
            callers.append(Caller(desk, len(callers), what, how))
            unkept.append(callers[-1])
            assert len(callers[-1].heard) == (0 if healthy else 1)
        elif what != "pause":
            stalled = what == "stall"
        for _ in range(how if what == "pause" else 0):
            desk.pass_time(sweep_ms, sweep_ms)
            assert all(each.heard or desk.clock.ns < each.due_ns for each in callers)
            if not stalled:
                late += [each.seq for each in unkept if each.heard]
                unkept.clear()
                journal.settle()
                journal.healthy = True  # a trial write has succeeded
    assert [each.heard for each in callers] == [each.right for each in callers]
    assert [[each.http_status] for each in journal.receipts()] == [each.right for each in callers]
    assert [each["seq"] for each in journal.of(RecordKind.LATE)] == late
    assert desk.answerer.owed == 0


def test_the_deadline_is_the_endpoints_and_nobody_waits_after_it_passed():
    desk = Desk(EndpointConfig("sales", deadline_ms=300))
    first = desk.say("CallSid=c1")
    desk.pass_time(200)
    second = desk.say("CallSid=c2")
    assert (first, second, desk.answerer.owed) == ([], [], 2)
    desk.pass_time(80)
    assert (len(first), len(second), desk.journal.marked_slow) == (1, 0, 1)
    assert len(desk.say("CallSid=c3")) == 1
    desk.clock.step(1000)
    desk.journal.settle()
    late = [(each["seq"], each["late_ms"]) for each in desk.journal.of(RecordKind.LATE)]
    assert (len(second), late) == (1, [(1, 980), (3, 700)])


def test_at_the_end_all_that_is_owed_leaves():
    desk = Desk(*BY_DEADLINE)
    owed = [desk.say(TAKES_B, path=f"/passthru/{each.name}") for each in BY_DEADLINE]
    desk.answerer.sweep(everything=True)
    assert [[answer.status for answer in replies] for replies in owed] == [[302]] * len(owed)


class RealDisk:
    """A desk on a real journal, whose disk can be made to hang or to fail."""

    def __init__(self, folder: Path, vfs: str, disk, **journal: object) -> None:
        self.loop, self.folder, self._disk = Loop(), folder, disk
        self._works = threading.Event()
        self._works.set()
        disk.fault = self._wait_while_hung
        self.journal = self.loop.open(folder, vfs=vfs, **journal)
        self.desk = Desk(journal=self.journal)

    def _wait_while_hung(self, _operation: str, _path: str) -> None:
        self._works.wait()

    def hang(self) -> None:
        self._works.clear()

    def fail(self, code: int) -> None:
        self._disk.fault = lambda what, path: code if what == "write" else None

    def recover(self) -> None:
        self._disk.fault = lambda what, path: None
        self._works.set()

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        def run_on() -> object:
            self.loop.run_pending()
            return condition()

        until(run_on, what)

    def records(self, kind: int):
        found = JournalReader(self.folder).read(0, 10_000)
        return [each for each in found if each.kind == kind]


@pytest.fixture
def real(tmp_path, request):
    """Make a `RealDisk`; its journal is closed whatever happens."""
    made = []
    with forgetful_disk(f"answer-{request.node.name}") as disk:

        def make(**journal):
            made.append(RealDisk(tmp_path / "journal", disk.name, disk, **journal))
            return made[-1]

        yield make
        for each in made:
            each.recover()
            each.journal.close(5)


@pytest.mark.parametrize(
    "trouble", ["hangs", apsw.SQLITE_FULL, apsw.SQLITE_READONLY, apsw.SQLITE_IOERR_WRITE]
)
def test_a_disk_in_trouble_changes_no_decision_and_holds_up_one_caller_at_most(real, trouble):
    """What waited is written as soon as that works, and then callers wait for the disk again."""
    place = real()
    desk, journal = place.desk, place.journal
    assert journal.flush(PATIENCE_S)
    place.hang() if trouble == "hangs" else place.fail(trouble)
    first = desk.say("CallSid=c1&Stream[Status]=failed")
    desk.pass_time(960)
    assert first == []
    desk.pass_time(20)
    later = [desk.say(f"CallSid=later-{number}") for number in range(50)]
    assert [each.status for replies in [first, *later] for each in replies] == [302] + [200] * 50
    assert b'"degraded"' in desk.answerer.health(whole=True).body
    place.recover()
    place.wait_for(lambda: len(place.records(RecordKind.LATE)) == 51, "a trial write")
    place.wait_for(lambda: journal.healthy, "a trial write in good time")
    receipts = {each.seq: decode_receipt(each.body) for each in place.records(RecordKind.PASSTHRU)}
    assert [each.http_status for each in receipts.values()] == [302] + [200] * 50
    assert {each.decision.rule for each in receipts.values()} == {"bot not reached", "default"}
    late = [msgspec.msgpack.decode(each.body)["seq"] for each in place.records(RecordKind.LATE)]
    assert late == list(receipts)
    assert b'"ok"' in desk.answerer.health(whole=True).body
    again = desk.say("CallSid=again")
    assert again == []
    place.wait_for(lambda: again, "the disk")
    assert again[0].status == 200
    assert len(place.records(RecordKind.PASSTHRU)) == 52


def test_what_memory_cannot_hold_is_answered_and_counted(real):
    """Nobody's answer depends on the room for those that wait."""
    place = real(pending_records=10)
    place.hang()
    asked = [place.desk.say(f"CallSid=c{number}") for number in range(100)]
    assert sum(bool(replies) for replies in asked) == 90
    place.desk.pass_time(980)
    assert [[each.status for each in replies] for replies in asked] == [[200]] * 100
    place.recover()

    def told() -> int:
        """How many receipts are told of as late or lost, for lateness may find no room either."""
        lost: int = sum(
            msgspec.json.decode(each.body)["count"] for each in place.records(RecordKind.LOST)
        )
        return lost + len(place.records(RecordKind.LATE))

    place.wait_for(lambda: told() == 100, "the disk")
    assert len(place.records(RecordKind.PASSTHRU)) == 10


def test_lateness_is_kept_at_the_end_too(real):
    """As the program ends: all owed answers leave, then the journal is flushed."""
    place = real()
    assert place.journal.flush(PATIENCE_S)
    place.hang()
    replies = place.desk.say(TAKES_A)
    place.desk.answerer.sweep(everything=True)
    assert len(replies) == 1
    place.recover()
    assert place.journal.flush(PATIENCE_S)
    place.loop.run_pending()
    place.journal.close(10)
    assert len(place.records(RecordKind.LATE)) == 1


def takes_nothing(journal):
    try:
        journal.append(RecordKind.LATE, 1, b"")
    except JournalError:
        return True
    return False


def test_lateness_that_the_journal_no_longer_takes_is_logged(real, caplog):
    place = real()
    place.hang()
    assert not place.desk.say(TAKES_A)
    place.desk.answerer.sweep(everything=True)
    closing = threading.Thread(target=place.journal.close, args=(10,))
    closing.start()
    until(lambda: takes_nothing(place.journal), "the end to begin")
    place.recover()
    closing.join()
    place.loop.run_pending()
    assert "as the journal closed" in caplog.text
    assert len(place.records(RecordKind.PASSTHRU)) == 1


def test_what_is_amiss_is_told_in_full_on_the_machine_only():
    """It names endpoints and files, which is no stranger's business."""
    desk = Desk()
    desk.answerer.problems = ("rules.toml: it can't be read",)
    strangers: tuple[HeadFields, ...] = (
        {"peer": "192.0.2.1"},
        {"peer": "127.0.0.1", "host": "hooks.example.com"},
        {"peer": "127.0.0.1", "forwarded": True},
    )
    for head in strangers:
        (answer,) = desk.say("", path="/healthz", **head)
        assert msgspec.json.decode(answer.body)["status"] == "degraded"
        assert b"rules.toml" not in answer.body
    (answer,) = desk.say("", path="/healthz", peer="127.0.0.1")
    assert b"rules.toml" in answer.body


def test_a_receipt_that_the_database_refuses_is_answered_and_counted():
    desk = Desk()
    replies = desk.say(TAKES_A)
    desk.journal.settle(kept=False)
    assert [each.status for each in replies] == [200]
    assert desk.answerer.counts["receipt refused by the database"] == 1


@pytest.mark.parametrize("step", ["parse", "asked_before", "classify", "decide"])
@pytest.mark.parametrize("safe", Option)
def test_whatever_fails_in_deciding_the_safe_option_is_taken_and_said(
    step, safe, monkeypatch, caplog
):
    """By name, and without what the error says: that may quote the request."""
    desk = Desk(EndpointConfig("sales", safe_option=safe, bodies=Bodies(A="a", B="b")))

    def fail(*_args, **_more):
        raise LookupError("+919812345678")

    with monkeypatch.context() as patch, caplog.at_level(logging.DEBUG):
        module = known_shapes if step == "parse" else deciding_module
        patch.setattr(module, step, fail)
        answer = desk.ask(TAKES_A)
    assert (answer.status, answer.body) == {"A": (200, b"a"), "B": (302, b"b")}[safe]
    decision = desk.journal.receipts()[0].decision
    assert (decision.option, decision.rule) == (safe, SAFE_RULE)
    assert "LookupError" in decision.reason
    assert desk.answerer.counts["failed to decide"] == 1
    assert "9812345678" not in caplog.text + str(desk.journal.bytes())
    # Nobody has to repeat a failure: the same question is a new one.
    assert desk.ask(TAKES_A).body == b"a"
    assert desk.journal.receipts()[1].repeat_of is None


def test_where_the_quick_way_of_reading_fails_the_other_reads(monkeypatch, caplog):
    desk, query = Desk(), "CallSid=c1&CustomField=%2B919812345678"

    def fail(*_args):
        raise LookupError("+919812345678")

    with monkeypatch.context() as patch, caplog.at_level(logging.DEBUG):
        patch.setattr(KnownShapes, "read", fail)
        answers = [desk.ask(query), desk.ask(query + "&x=1")]
    assert [answer.status for answer in answers] == [200, 200]
    assert desk.answerer.counts["failed to decide"] == 0
    assert caplog.text.count("reading known shapes failed with LookupError") == 1
    assert "9812345678" not in caplog.text


_WORDS = st.sampled_from(
    rb'CallSid=c1 Stream [Status] = & {"a": " } [ ] % 1 \ud800 %ED%A0%80 %00 Stream={ L[0][ digits='
    .split()
) | st.sampled_from([b"9" * 30, b"\xff", b"\0"])  # fmt: skip
_TEXT = st.lists(_WORDS | st.binary(max_size=5), max_size=12).map(b"".join)
_TYPES = st.sampled_from([None, "application/json", "multipart/form-data; boundary=x", "\xff=\0"])


@given(_TEXT, _TEXT, _TYPES, st.sampled_from(["GET", "POST", "HEAD", "X"]))
@settings(deadline=None)
def test_any_request_ends_in_a_rules_decision_and_one_receipt(query, body, content_type, method):
    desk = Desk()
    answer = desk.ask(query, body=body, content_type=content_type, method=method)
    (receipt,) = desk.journal.receipts()
    assert (answer.status, receipt.http_status) in [(200, 200), (302, 302)]
    assert receipt.decision.rule != SAFE_RULE
    assert (receipt.raw, receipt.method, receipt.content_type) == (query, method, content_type)


# Repeats.


def test_a_repeat_gets_the_first_answer_and_names_it():
    """Whatever the rules say meanwhile; it is kept as a full receipt."""
    desk = Desk()
    assert desk.ask(TAKES_B + "&CurrentTime=1").status == 302
    desk.clock.step(1000)
    use_rules(desk, '[default]\noption = "A"\n')
    assert desk.ask(TAKES_B + "&CurrentTime=2").status == 302
    assert desk.ask(TAKES_B.replace("c1", "c2")).status == 200
    first, second, other = desk.journal.receipts()
    name = receipt_id(START_US // 1000, NODE, 1)
    assert (first.repeat_of, second.repeat_of, other.repeat_of) == (None, name, None)
    assert (second.decision.rule, second.raw) == ("repeat", TAKES_B.encode() + b"&CurrentTime=2")
    assert name in second.decision.reason
    # Only what a restart has to remember is marked for it.
    assert [each.asked is not None for each in desk.journal.records] == [True, False, True]


def test_two_that_arrive_together_are_one_question():
    """The second comes while the first still waits for the disk."""
    desk = Desk()
    replies = [desk.say(TAKES_B + f"&CurrentTime={second}") for second in range(3)]
    assert replies == [[], [], []]
    desk.journal.settle()
    assert [[each.status for each in some] for some in replies] == [[302]] * 3
    name = receipt_id(START_US // 1000, NODE, 1)
    assert [each.repeat_of for each in desk.journal.receipts()] == [None, name, name]


def test_the_window_goes_by_the_steady_clock_from_the_first_time():
    desk = Desk()
    asked = []
    for ms in (0, WINDOW_MS // 2, WINDOW_MS // 2 - 1, 1, WINDOW_MS - 1):
        desk.clock.step(ms)
        desk.clock.wall_us_off = -desk.clock.wall_us_off + 3_600_000_000  # an hour off, and back
        desk.ask(TAKES_A)
        asked.append(desk.journal.receipts()[-1].repeat_of is not None)
    assert asked == [False, True, True, False, True]


_BY_THE_CLOCK = """
[[rule]]
name = "morning"
when = "local.minute < 38"
option = "A"

[default]
option = "B"
"""
AT = "&CurrentTime=2026-11-18+16%3A36%3A"  # the clock's, on the endpoint's own


@pytest.mark.parametrize(
    "second, repeats",
    [("40", True), ("41", True), ("43", True), ("44", False), ("39", False), ("", False)],
)
def test_where_rules_read_time_or_account_a_later_question_is_a_new_one(second, repeats):
    """Who tries again at once gets the first answer; nobody is held to one of minutes ago."""
    desk = Desk()
    use_rules(desk, _BY_THE_CLOCK)
    assert desk.ask(TAKES_A + AT + "40").status == 200
    desk.clock.step(120_000)
    assert desk.ask(TAKES_A + (AT + second if second else "")).status == (200 if repeats else 302)
    assert (desk.journal.receipts()[1].repeat_of is not None) is repeats


@pytest.mark.parametrize("ms, repeats", [(0, True), (2_900, True), (4_001, False)])
def test_without_current_time_it_goes_by_when_it_came(ms, repeats):
    desk = Desk()
    use_rules(desk, _BY_THE_CLOCK)
    desk.ask(TAKES_A)
    desk.clock.step(ms)
    desk.ask(TAKES_A)
    assert (desk.journal.receipts()[1].repeat_of is not None) is repeats


@pytest.mark.parametrize(
    "first, second",
    [
        ({}, {"query": TAKES_A + "&digits=1"}),
        ({}, {"query": TAKES_A + "&Stream[StreamSID]=s1"}),
        ({}, {"path": "/passthru/support"}),
        ({"query": "From=1"}, {"query": "From=1"}),
        ({"method": "HEAD"}, {}),
    ],
)
def test_a_new_question(first, second):
    """Other parameters, another endpoint, no CallSid; and a HEAD asks nothing."""
    desk = Desk(EndpointConfig("sales"), EndpointConfig("support"))
    for each in (first, second):
        desk.ask(**{"query": TAKES_A, **each})
    assert [each.repeat_of for each in desk.journal.receipts()] == [None, None]


def test_what_could_not_be_kept_is_not_repeated():
    desk = Desk(journal=MemoryJournal(most=0))
    assert [each.status for each in desk.say(TAKES_A)] == [200]
    desk.journal.most = 1
    desk.ask(TAKES_A)
    assert desk.journal.receipts()[0].repeat_of is None


OFF = Flag("off", FlagKind.BOOLEAN, False)
SHARE = Flag("share", FlagKind.PERCENTAGE, 100)
VENDOR = Flag("vendor", FlagKind.TEXT, "a")


def test_a_flag_decides_as_it_is_set_and_its_receipt_keeps_what_was_read():
    """Only what the rules read, whether or not they came to it."""
    desk = Desk()
    use_rules(desk, rule_for("flags.off && flags.share"), OFF, SHARE, VENDOR)
    off = FlagSetting("off", FlagKind.BOOLEAN, True, START_US // 1000 + 60_000)
    answers = []
    for flags, step_ms in (({}, 0), ({"off": off}, 5_000), ({"off": off}, 60_000)):
        desk.clock.step(step_ms)
        desk.answerer.learn({}, RoutingFacts(flags=flags))
        answers.append(desk.ask(TAKES_B).status)
    assert answers == [200, 302, 200]
    receipts = desk.journal.receipts()
    assert [each.flags for each in receipts] == [
        {"off": False, "share": True},
        {"off": True, "share": True},
        {"off": False, "share": True},
    ]
    (ruleset,) = {each.ruleset for each in desk.answerer.endpoints.values()}
    for each in receipts:
        again = decide_again(each, ruleset)
        assert again is not None
        assert again.decision == each.decision


def test_who_asks_again_at_once_keeps_the_answer_though_a_flag_changed():
    desk = Desk()
    use_rules(desk, rule_for("flags.off"), OFF)
    assert desk.ask(TAKES_B + "&CurrentTime=2026-11-23 09:00:00").status == 200
    on = FlagSetting("off", FlagKind.BOOLEAN, True)
    desk.answerer.learn({}, RoutingFacts(flags={"off": on}))
    assert desk.ask(TAKES_B + "&CurrentTime=2026-11-23 09:00:02").status == 200
    assert desk.ask(TAKES_B + "&CurrentTime=2026-11-23 09:00:09").status == 302
    assert [each.flags for each in desk.journal.receipts()] == [{"off": False}, {}, {"off": True}]


def rule_for(when: str) -> str:
    return f"[[rule]]\nname = 'one'\nwhen = '{when}'\noption = 'B'\n[default]\noption = 'A'\n"


def test_a_promise_is_in_the_receipt_and_decided_again():
    """Its answer is the option's, and no other byte of the answer is touched."""
    desk = Desk()
    text = rule_for('stream.status == "failed"').replace(
        "[default]", 'promise = true\nreason = "full"\nclass = "vip"\n[default]'
    )
    use_rules(desk, text)
    for _ in range(2):
        desk.ask(TAKES_B)
    first, repeat = desk.journal.receipts()
    assert (first.decision.promise, first.decision.class_) == ("full", "vip")
    assert (repeat.decision.promise, repeat.decision.class_) == ("", "")
    (ruleset,) = {each.ruleset for each in desk.answerer.endpoints.values()}
    again = decide_again(first, ruleset)
    assert again is not None
    assert encode(again.decision) == encode(first.decision)


def use_rules(desk: Desk, text: str, *flags: Flag) -> None:
    ruleset = load_rules(text, file="rules.toml", flags=flags)
    desk.answerer.endpoints = {
        name: msgspec.structs.replace(endpoint, ruleset=ruleset)
        for name, endpoint in desk.answerer.endpoints.items()
    }


# What is kept beside receipts.


def without_times(counts: dict[str, int]) -> dict[str, int]:
    return {name: n for name, n in counts.items() if not name.startswith("answer_")}


def test_counts_are_kept_every_second_if_there_are_new_ones():
    desk = Desk(EndpointConfig("sales", secrets=(Secret(SECRET),)))
    right = f"/passthru/sales/{SECRET}"
    for path in (right, right, "/passthru/sales", "/passthru/sales/wrong", "/passthru/none"):
        desk.ask("From=1", path=path)
    desk.answerer.turned_away("too many connections")
    desk.pass_time(990)
    assert desk.journal.of(RecordKind.COUNTERS) == []
    desk.pass_time(3_000)
    desk.ask("From=1", path=right)
    desk.pass_time(1_000)
    desk.answerer.keep_counts()
    assert [without_times(each["counts"]) for each in desk.journal.of(RecordKind.COUNTERS)] == [
        {
            "answered": 2,
            "secret missing": 1,
            "secret wrong": 1,
            "unknown endpoint": 1,
            "too many connections": 1,
        },
        {"answered": 1},
    ]


@pytest.mark.parametrize(
    "steps_ms, marked",
    [
        ([2001], [2001]),
        ([-2001], [-2001]),
        ([2000, -2000], []),
        ([3000, 3000, -9000], [3000, 3000, -9000]),
    ],
)
def test_a_step_of_the_systems_clock_is_marked(steps_ms, marked):
    """Receipts and records say what the clock said; the steady one goes on evenly beside it."""
    desk = Desk()
    desk.ask("From=1")
    for step in steps_ms:
        desk.pass_time(100)
        desk.clock.wall_us_off += step * 1000
        desk.pass_time(100)
        desk.ask("From=1")
    assert [each["step_ms"] for each in desk.journal.of(RecordKind.CLOCK)] == marked
    assert desk.journal.receipts()[-1].received_us == desk.clock.wall_us()
    assert desk.journal.records[-1].at == desk.clock.wall_us() // 1000
    steady = [each.mono for each in desk.journal.records]
    assert None not in steady
    assert steady == sorted(steady)


BY_THE_HOUR = b"""
[[rule]]
name = "night"
when = "local.hour < 6"
option = "B"

[default]
option = "A"
"""


def test_a_step_and_back_leaves_decisions_to_the_hour_that_it_is():
    """What is decided, and told of, goes by the clock as it is: nothing remembers a glitch."""
    desk = Desk()
    ruleset = load_rules(BY_THE_HOUR, file="rules.toml")
    sales = desk.answerer.endpoints["sales"]
    desk.answerer.endpoints = {"sales": msgspec.structs.replace(sales, ruleset=ruleset)}
    rules = []
    for off_h in (0, 9, 0, -500 * 24, 0):
        desk.pass_time(100)
        desk.clock.wall_us_off = off_h * 3_600_000_000
        desk.pass_time(100)
        desk.ask("From=1")
        receipt, record = desk.journal.receipts()[-1], desk.journal.records[-1]
        assert record.at == receipt.received_us // 1000 == desk.clock.wall_us() // 1000
        rules.append(receipt.decision.rule)
    assert rules == ["default", "night", "default", "default", "default"]


def test_a_step_is_told_while_it_goes_on_and_five_minutes_after():
    desk = Desk()
    desk.pass_time(1000)
    desk.clock.wall_us_off = 9 * 3_600_000_000
    desk.pass_time(1000)
    assert "stepped by +9 h" in desk.answerer.alarms["clock"]
    assert "is still off" in desk.answerer.alarms["clock"]
    desk.clock.wall_us_off = 0
    desk.pass_time(1000)
    assert "for 1 s" in desk.answerer.alarms["clock"]
    desk.pass_time(TOLD_MS)
    assert "clock" not in desk.answerer.alarms


@pytest.mark.parametrize(
    "trusted, forwarded_for, peer",
    [
        ((), "192.0.2.9", "192.0.2.1"),
        (("192.0.2.1",), None, "192.0.2.1"),
        (("192.0.2.1",), "192.0.2.9", "192.0.2.9"),
        (("192.0.2.1",), "invented, 192.0.2.9", "192.0.2.9"),
        (("192.0.2.1", "192.0.2.2"), "192.0.2.9, 192.0.2.2", "192.0.2.9"),
        (("192.0.2.1", "192.0.2.2"), "192.0.2.2", "192.0.2.1"),
        (("192.0.2.1",), "x" * 1000, "x" * 64),
    ],
)
def test_forwarded_headers_are_believed_from_trusted_proxies_only(trusted, forwarded_for, peer):
    guarded = EndpointConfig("sales", secrets=(Secret(SECRET),))
    desk = Desk(guarded, trusted=lambda address: address in trusted)
    path = f"/passthru/sales/{SECRET}"
    desk.ask(TAKES_A, path=path, forwarded_for=forwarded_for, forwarded=True)
    assert desk.journal.receipts()[0].peer == peer


# Secrets.

RULE_THAT_LOOKS_FOR_SECRETS = """
[[rule]]
name = "secrets"
when = 'stream.url.contains("hunter2") || extra.exists(k, extra[k].contains("hunter2"))'
option = "B"
[default]
option = "A"
"""
URL = "wss://bot:hunter2@bot.example.com/media?token=hunter2&lang=hi"
_ECHO = f"https://bot.example.com/passthru/sales/{SECRET}?x=hunter2"


@pytest.mark.parametrize(
    "query, body, content_type",
    [
        (f"Stream[StreamUrl]={quote(URL, safe='')}", "", None),
        (f"Stream%5BStreamUrl%5D={quote(quote(URL, safe=''), safe='')}", "", None),
        (f"Stream={quote(json.dumps({'StreamUrl': URL}))}", "", None),
        (f"passthru={quote(_ECHO, safe='')}", "", None),
        (f"secret={SECRET}&CustomField={SECRET}", "", None),
        (f"secret=hunter2&secret={quote(SECRET)}", "", None),
        ("", f"Stream[StreamUrl]={URL}&passthru={_ECHO}", "application/x-www-form-urlencoded"),
        ("", json.dumps({"Stream": {"StreamUrl": URL}, "passthru": _ECHO}), "application/json"),
        ("", f"--x\r\nContent-Disposition: form-data; name=passthru\r\n\r\n{_ECHO}\r\n--x--",
         "multipart/form-data; boundary=x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [f"sales/{SECRET}", "sales/wrong", "support"])
def test_no_secret_reaches_the_journal_or_a_rule(query, body, content_type, path):
    """Answered, refused or sent to another endpoint: fingerprints stand where secrets were."""
    secrets = (Secret(OTHER_SECRET), Secret(SECRET))
    desk = Desk(EndpointConfig("sales", secrets=secrets), EndpointConfig("support"))
    use_rules(desk, RULE_THAT_LOOKS_FOR_SECRETS)
    query = f"CallSid=c1&{query}&From=%2B919812345678"
    more = {"method": "POST", "body": body.encode(), "content_type": content_type}
    answer = desk.ask(query, path=f"/passthru/{path}", **more)
    assert answer.status == (403 if path == "sales/wrong" and "secret=" not in query else 200)
    kept = desk.journal.bytes()
    assert b"hunter2" not in kept
    assert SECRET.encode() not in kept
    assert b"From=%2B919812345678" in kept
    if answer.status == 200:
        receipt = desk.journal.receipts()[0]
        assert b"fp_" in receipt.raw + receipt.body


# Memory.


def test_what_was_answered_does_not_stay():
    desk = Desk(*BY_DEADLINE)
    for number in range(3000):
        desk.ask(f"CallSid=c{number}", path=f"/passthru/e{DEADLINES_MS[number % 3]}")
        desk.clock.step(1)
    assert desk.answerer.owed == 0
    assert sum(len(queue) for queue in desk.answerer._receipts._waiting.values()) <= len(
        DEADLINES_MS
    )


def test_each_thing_that_happened_to_the_journal_is_said_and_how_it_stands_once():
    alarms: dict[str, str] = {}
    for name, segment, count in (
        ("rolled", "a", 0),
        ("abandoned", "a", 0),
        ("abandoned", "b", 0),
        ("refused", "b", 7),
        ("refused", "b", 9),
        ("refused", "b", 9),
        ("failing", "b", 0),
        ("failing", "c", 0),
    ):
        note_event(alarms, JournalEvent(name, segment, "why", count))
    assert [*alarms.values()] == [
        "journal: a segment was abandoned for a new one (segment a): why",
        "journal: a segment was abandoned for a new one (segment b): why",
        "journal: a record was refused by the database and its bytes are in refused/7.bin"
        " (segment b): why",
        "journal: a record was refused by the database and its bytes are in refused/9.bin"
        " (segment b): why",
        "journal: records can't be written and wait in memory (segment c): why",
    ]
    for seq in range(100, 200):
        note_event(alarms, JournalEvent("refused", "b", "why", seq))
    note_event(alarms, JournalEvent("recovered"))
    assert len(alarms) == 13
    assert "refused/199.bin" in [*alarms.values()][-1]
    assert "and others, in the log" in [*alarms.values()][-1]


def test_strangers_fill_neither_counts_nor_journal():
    """However many, and whatever they invent."""
    desk = Desk(EndpointConfig("sales", secrets=(Secret(SECRET),)))
    for number in range(3000):
        desk.ask(f"CallSid=c{number}", path=f"/passthru/{number}")
        desk.ask(f"CallSid=c{number}", path=f"/passthru/sales/{number}", host=f"host-{number}")
    assert desk.answerer.counts == {"unknown endpoint": 3000, "secret wrong": 3000}
    assert len(desk.journal.records) <= 20
    assert len(desk.answerer.alarms) == 1

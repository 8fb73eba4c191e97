"""The facts file: what is written is read, and nothing that is wrong with it passes for a fact."""

from __future__ import annotations

import os
import threading
from zoneinfo import ZoneInfo

import msgspec
import pytest

from switchhook.capacity.facts_document import (
    BUDGETS_LIVE_MS,
    FILE,
    LARGEST,
    LIVES_MS,
    ROLLOUTS_LIVE_MS,
    SKEW_MS,
    AccountFigures,
    read,
)
from switchhook.capacity.facts_file import PATIENCE_MS, FactsFile, FactsReader
from switchhook.exotel.cause import judge
from switchhook.exotel.passthru import Passthru
from switchhook.rules.decide import decide
from switchhook.rules.flags import FlagKind, FlagSetting, Window
from switchhook.rules.rollout import Rollout
from switchhook.rules.routing import (
    NOTHING_KNOWN,
    AdmissionBudget,
    HandAct,
    HandSetting,
    MemberFacts,
    RoutingFacts,
)
from switchhook.rules.rules_file import load_rules
from switchhook.rules.variables import AccountFacts

NOW = 1_780_000_000_000


def write(folder, **accounts):
    FactsFile(folder).write(accounts, NOW)


def test_what_is_written_is_seen_with_its_age(tmp_path):
    reader = FactsReader(tmp_path)
    write(tmp_path, main=AccountFigures(NOW, 71, 100), other=AccountFigures(NOW - 1000, 0, None))
    assert reader.look(NOW + 250)[0] == {
        "main": AccountFacts(71, 100, 29, 0.25),
        "other": AccountFacts(0, None, None, 1.25),
    }
    assert reader.complaint is None
    assert reader.look(NOW + 500)[0]["main"].age_s == 0.5
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_a_replaced_file_is_seen_at_the_next_look(tmp_path):
    reader = FactsReader(tmp_path)
    for active in range(50):
        write(tmp_path, main=AccountFigures(NOW, active, 100))
        assert reader.look(NOW)[0]["main"].active == active


def test_the_same_file_is_not_read_again(tmp_path, monkeypatch):
    write(tmp_path, main=AccountFigures(NOW, 1, 2))
    reader = FactsReader(tmp_path)
    assert reader.look(NOW)[0]
    monkeypatch.setattr(os, "open", None)
    assert reader.look(NOW + 100)[0]


def test_a_missing_file_is_complained_of_once_the_console_had_time_to_start(tmp_path):
    reader = FactsReader(tmp_path)
    assert reader.look(NOW)[0] == {}
    assert not reader.complaint
    assert reader.look(NOW + PATIENCE_MS)[0] == {}
    assert "does the console run" in reader.complaint
    write(tmp_path, main=AccountFigures(NOW + PATIENCE_MS, 1, 2))
    assert reader.look(NOW + PATIENCE_MS)[0] == {"main": AccountFacts(1, 2, 1, 0.0)}
    assert reader.complaint is None


def test_a_file_that_vanishes_takes_its_facts_along(tmp_path):
    write(tmp_path, main=AccountFigures(NOW, 1, 2))
    reader = FactsReader(tmp_path)
    assert reader.look(NOW)[0]
    (tmp_path / FILE).unlink()
    assert reader.look(NOW)[0] == {}


@pytest.mark.parametrize(
    "at_ms, known",
    [
        (NOW - LIVES_MS, True),
        (NOW - LIVES_MS - 1, False),
        (NOW + SKEW_MS, True),
        (NOW + SKEW_MS + 1, False),
    ],
)
def test_figures_live_from_their_moment_for_a_while(tmp_path, at_ms, known):
    write(tmp_path, main=AccountFigures(at_ms, 1, 2), other=AccountFigures(NOW, 0, 2))
    reader = FactsReader(tmp_path)
    facts = reader.look(NOW)[0]
    assert ("main" in facts) is known
    assert facts["other"].active == 0
    assert (reader.complaint is None) is known
    if at_ms > NOW and not known:
        assert "account main are from the future" in reader.complaint
    elif not known:
        assert "account main are 60 s old" in reader.complaint


def test_every_account_that_lacks_its_figures_is_named(tmp_path):
    """Of one that lost its key and one whose clock is off, both are to be mended."""
    reader = FactsReader(tmp_path)
    accounts = {f"a{n}": AccountFigures(NOW, 1, 2) for n in range(3)}
    accounts["new"] = AccountFigures(NOW + 600_000, 1, 2)
    FactsFile(tmp_path).write(accounts, NOW)
    assert reader.look(NOW + 90_000)[0] == {}
    assert reader.complaint == (
        "facts.json: the figures of account a0 are 90 s old, of account a1 are 90 s old, of account"
        " a2 are 90 s old, of account new are from the future; was the clock set? can the console"
        " ask Exotel? (rules see the account as unknown until then)"
    )
    FactsFile(tmp_path).write({f"b{n}": AccountFigures(NOW, 1, 2) for n in range(9)}, NOW)
    reader.look(NOW + 90_000)
    assert "of account b4 are 90 s old, and of 4 more; can" in (reader.complaint or "")


@pytest.mark.parametrize(
    "body, complaint",
    [
        (b"", "it is damaged"),
        (b"{", "it is damaged"),
        (b"\xff\xfe", "it is damaged"),
        (b"[" * 100_000, "it is damaged"),
        (b'{"version": 1}', "it is damaged"),
        (b'{"version": 1, "written_ms": 1, "accounts": {"a": {"at_ms": "x"}}}', "it is damaged"),
        (b'{"version": 3, "anything": {}}', "it has version 3, this release knows version 2"),
        (b" " * (LARGEST + 1), "it has more than 262,144 bytes"),
    ],
)
def test_what_cannot_be_read_is_unknown_and_no_zero(tmp_path, body, complaint):
    write(tmp_path, main=AccountFigures(NOW, 1, 2))
    reader = FactsReader(tmp_path)
    assert reader.look(NOW)[0]
    (tmp_path / "x").write_bytes(body)
    (tmp_path / "x").rename(tmp_path / FILE)
    assert reader.look(NOW)[0] == {}
    assert complaint in reader.complaint
    assert reader.look(NOW)[0] == {}
    assert complaint in reader.complaint


def test_a_flipped_bit_of_the_file_is_no_other_figure(tmp_path):
    """Every bit: what is read is what was written, or unknown and said."""
    write(tmp_path, main=AccountFigures(NOW, 71, 100))
    body = (tmp_path / FILE).read_bytes()
    for place in range(8 * len(body)):
        flipped = bytearray(body)
        flipped[place // 8] ^= 1 << place % 8
        figures, complaint = read(bytes(flipped))
        assert figures == {"main": AccountFigures(NOW, 71, 100)} or (not figures and complaint)


def test_what_is_no_file_does_not_hold_up_the_answers(tmp_path):
    os.mkfifo(tmp_path / FILE)
    reader = FactsReader(tmp_path)
    assert reader.look(NOW)[0] == {}
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    assert reader.look(NOW)[0] == {}
    assert reader.complaint is not None


HAND = HandSetting(id=1, act=HandAct.MOVE, pool="b", to="a", by="asha", reason="b fails")
MEMBERS = {"sales": {"a": MemberFacts(0.5, 3, 7), "b": MemberFacts()}}
BUDGET = AdmissionBudget(12, 7, {"campaign": 20})
NODE, MONO = 5, 70_000


def tell_all(folder, boot="b"):
    file = FactsFile(folder, boot)
    file.tell_hands([HAND], NOW)
    file.tell_members(NODE, MEMBERS, NOW, MONO)
    file.tell_budgets(NODE, {"main": BUDGET}, NOW, MONO)
    file.write({"main": AccountFigures(NOW, 71, 100, MONO)}, NOW)
    return file


def test_no_part_overwrites_what_another_told(tmp_path):
    """In whatever order they come."""
    reader = FactsReader(tmp_path, "b", NODE)
    file = tell_all(tmp_path)
    known = (
        {"main": AccountFacts(71, 100, 29, 0.0)},
        RoutingFacts((HAND,), MEMBERS, {"main": BUDGET}),
    )
    assert reader.look(NOW, MONO) == known
    file.tell_budgets(NODE, {"main": AdmissionBudget(3)}, NOW, MONO)
    file.tell_budgets(NODE + 1, {"main": AdmissionBudget(4)}, NOW, MONO)
    file.tell_hands([], NOW)
    accounts, routing = reader.look(NOW, MONO)
    assert accounts == known[0]
    assert routing == RoutingFacts((), MEMBERS, {"main": AdmissionBudget(3)})
    other = FactsReader(tmp_path, "b", NODE + 1).look(NOW, MONO)[1]
    assert other == RoutingFacts((), {}, {"main": AdmissionBudget(4)})
    assert FactsReader(tmp_path, "b", NODE + 2).look(NOW, MONO)[1] == NOTHING_KNOWN


def test_parts_that_write_at_once_lose_nothing(tmp_path):
    """Each in its thread, as in the console; the last word of each part is what is read."""
    file, reader = FactsFile(tmp_path, "b"), FactsReader(tmp_path, "b", NODE)

    def hands():
        for number in range(100):
            file.tell_hands([msgspec.structs.replace(HAND, id=number)], NOW)

    def budgets():
        for room in range(100):
            file.tell_budgets(NODE, {"main": AdmissionBudget(room)}, NOW, MONO)

    threads = [threading.Thread(target=each) for each in (hands, budgets)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    routing = reader.look(NOW, MONO)[1]
    assert [each.id for each in routing.hands] == [99]
    assert routing.budgets == {"main": AdmissionBudget(99)}
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    "after_ms, members, budgets",
    [
        (BUDGETS_LIVE_MS, True, True),
        (BUDGETS_LIVE_MS + 1, True, False),
        (LIVES_MS, True, False),
        (LIVES_MS + 1, False, False),
        (10 * LIVES_MS, False, False),
    ],
)
def test_hands_hold_while_health_and_budgets_run_out(tmp_path, after_ms, members, budgets):
    """By the monotonic clock: the system's is stepped by a day meanwhile."""
    tell_all(tmp_path)
    reader = FactsReader(tmp_path, "b", NODE)
    routing = reader.look(NOW + 86_400_000, MONO + after_ms)[1]
    assert routing.hands == (HAND,)
    assert (routing.members == MEMBERS, bool(routing.members)) == (members, members)
    assert (routing.budgets == {"main": BUDGET}, bool(routing.budgets)) == (budgets, budgets)
    after_s = after_ms // 1000
    if not budgets and after_ms <= LIVES_MS:
        assert f"what may be admitted was told {after_s} s ago; does the console" in (
            reader.complaint or ""
        )
    assert (reader.complaint is None) is budgets


def test_after_the_machine_started_anew_ages_go_by_the_system_clock(tmp_path):
    tell_all(tmp_path, "before")
    reader = FactsReader(tmp_path, "after", NODE)
    assert reader.look(NOW + 1000, 5)[1] == RoutingFacts((HAND,), MEMBERS, {"main": BUDGET})
    assert reader.look(NOW + BUDGETS_LIVE_MS + 1, 5)[1] == RoutingFacts((HAND,), MEMBERS, {})
    assert reader.look(NOW - SKEW_MS - 1, 5)[1] == RoutingFacts((HAND,))
    FactsFile(tmp_path, "b").write({}, NOW)
    assert reader.look(NOW - 10_000, 5)[1] == RoutingFacts((HAND,))
    assert "what may be admitted was told in the future" in (reader.complaint or "")


def test_a_console_that_starts_again_lets_go_of_no_hand(tmp_path):
    """Whichever of its parts writes first."""
    tell_all(tmp_path)
    FactsFile(tmp_path, "b").write({"main": AccountFigures(NOW, 1, 2, MONO)}, NOW)
    accounts, routing = FactsReader(tmp_path, "b", NODE).look(NOW, MONO)
    assert accounts["main"].active == 1
    assert routing == RoutingFacts((HAND,), MEMBERS, {"main": BUDGET})


@pytest.mark.parametrize("body", [b"", b"{}", b'{"version": 3}', b" " * (LARGEST + 1), None])
def test_what_people_set_outlives_a_file_that_is_damaged_newer_or_gone(tmp_path, body):
    tell_all(tmp_path)
    reader = FactsReader(tmp_path, "b", NODE)
    assert reader.look(NOW, MONO)[1].budgets
    if body is None:
        (tmp_path / FILE).unlink()
    else:
        (tmp_path / "x").write_bytes(body)
        (tmp_path / "x").rename(tmp_path / FILE)
    assert reader.look(NOW, MONO) == ({}, RoutingFacts((HAND,)))
    assert reader.look(NOW, MONO) == ({}, RoutingFacts((HAND,)))
    FactsFile(tmp_path, "b").tell_hands([], NOW)
    assert reader.look(NOW, MONO)[1] == NOTHING_KNOWN


def test_an_older_release_told_no_routing(tmp_path):
    body = {"version": 1, "written_ms": NOW, "boot": "b", "accounts": {}}
    (tmp_path / FILE).write_bytes(msgspec.json.encode(body))
    assert FactsReader(tmp_path, "b", NODE).look(NOW, MONO) == ({}, NOTHING_KNOWN)


def test_more_than_the_file_may_hold_is_refused_and_the_rest_still_told(tmp_path):
    file = tell_all(tmp_path)
    with pytest.raises(OSError, match="would have more than 262,144 bytes"):
        file.tell_hands([msgspec.structs.replace(HAND, reason="x" * LARGEST)], NOW)
    file.tell_budgets(NODE, {"main": AdmissionBudget(1)}, NOW, MONO)
    routing = FactsReader(tmp_path, "b", NODE).look(NOW, MONO)[1]
    assert routing == RoutingFacts((HAND,), MEMBERS, {"main": AdmissionBudget(1)})


def test_a_flipped_bit_is_no_other_hand_or_budget(tmp_path):
    tell_all(tmp_path)
    body = (tmp_path / FILE).read_bytes()
    whole = RoutingFacts((HAND,), MEMBERS, {"main": BUDGET})
    for place in range(8 * len(body)):
        flipped = bytearray(body)
        flipped[place // 8] ^= 1 << place % 8
        (tmp_path / FILE).write_bytes(flipped)
        routing = FactsReader(tmp_path, "b", NODE).look(NOW, MONO)[1]
        assert routing in (whole, NOTHING_KNOWN)


RULES = """
[[rule]]
name = "unknown"
when = "!account.known"
option = "B"

[[rule]]
name = "no limit told"
when = "!account.limit_known && account.active == 0"
option = "B"

[[rule]]
name = "idle"
when = "account.active == 0 && account.headroom > 0"
option = "A"

[[rule]]
name = "full"
when = "account.headroom == 0 && account.age < 30.0"
option = "B"

[default]
option = "A"
"""


@pytest.mark.parametrize(
    "figures, rule",
    [
        (None, "unknown"),
        (AccountFigures(NOW - LIVES_MS - 1, 0, 100), "unknown"),
        (AccountFigures(NOW, 0, 100), "idle"),
        (AccountFigures(NOW, 0, None), "no limit told"),
        (AccountFigures(NOW, 100, 100), "full"),
        (AccountFigures(NOW, 0, 0), "full"),
        (AccountFigures(NOW - 40_000, 100, 100), "default"),
        (AccountFigures(NOW, 5, None), "default"),
    ],
)
def test_rules_tell_unknown_from_zero(tmp_path, figures, rule):
    if figures is not None:
        write(tmp_path, main=figures)
    facts = FactsReader(tmp_path).look(NOW)[0].get("main", AccountFacts())
    passthru = Passthru()
    ruleset = load_rules(RULES, file="rules.toml")
    zone = ZoneInfo("Asia/Kolkata")
    assert decide(passthru, judge(passthru), facts, NOW, zone, ruleset).rule == rule


def test_what_flags_are_set_to_holds_until_the_file_says_otherwise(tmp_path):
    """As hands do: whatever happens to the file, and through a restart of the machine."""
    off = FlagSetting("off", FlagKind.BOOLEAN, True)
    day = FlagSetting("day", FlagKind.WINDOW, Window("21:00", "06:00"), NOW + 5, None)
    FactsFile(tmp_path, "before").tell_flags([off, day], NOW)
    reader = FactsReader(tmp_path, "after")
    assert reader.look(NOW + 10**12, 5)[1].flags == {"off": off, "day": day}
    file = tmp_path / FILE
    for damage in (b"{", b""):
        file.write_bytes(damage)
        assert reader.look(NOW)[1].flags == {"off": off, "day": day}
    file.unlink()
    assert reader.look(NOW)[1].flags == {"off": off, "day": day}
    FactsFile(tmp_path).tell_flags([], NOW)
    assert reader.look(NOW)[1] == NOTHING_KNOWN


def test_what_others_tell_leaves_the_flags_alone(tmp_path):
    off = FlagSetting("off", FlagKind.BOOLEAN, True)
    file = FactsFile(tmp_path)
    file.tell_flags([off], NOW)
    file.write({"main": AccountFigures(NOW, 1, 2)}, NOW)
    file.tell_hands([], NOW)
    file.tell_budgets(7, {"main": AdmissionBudget(3)}, NOW, 1)
    known = FactsReader(tmp_path, node=7).look(NOW)[1]
    assert known.flags == known.lasting().flags == {"off": off}


CANARY = Rollout(subject="rules/sales", number=12, hash="ab" * 32, share=500)
MINUTE = 60_000


def tell_canary(folder, boot="b", lag_ms=0):
    file = FactsFile(folder, boot)
    file.tell_rollouts([CANARY], NOW - lag_ms, MONO - lag_ms)
    return file


@pytest.mark.parametrize(
    ("lag_ms", "after_ms", "watched"),
    [
        (0, 0, True),
        (0, ROLLOUTS_LIVE_MS, True),
        (0, ROLLOUTS_LIVE_MS + 1, False),
        (4 * MINUTE, MINUTE, True),
        (4 * MINUTE, MINUTE + 1, False),
        (6 * MINUTE, 0, False),
        (-SKEW_MS, 0, True),
        (-SKEW_MS - 1, 0, False),
    ],
)
@pytest.mark.parametrize("stepped_ms", [0, 86_400_000, -86_400_000])
def test_a_rollout_lives_as_long_as_it_is_watched(tmp_path, lag_ms, after_ms, watched, stepped_ms):
    """From the moment up to which the journal was followed; whatever the system's clock does."""
    tell_canary(tmp_path, lag_ms=lag_ms)
    reader = FactsReader(tmp_path, "b", NODE)
    routing = reader.look(NOW + after_ms + stepped_ms, MONO + after_ms)[1]
    assert routing.rollouts == ({"rules/sales": CANARY} if watched else {})
    assert (reader.unwatched is None) is watched


def test_a_rollout_that_nobody_watches_is_told(tmp_path):
    tell_canary(tmp_path)
    reader = FactsReader(tmp_path, "b", NODE)
    reader.look(NOW, MONO + 312_000)
    assert reader.unwatched == (
        "the console watched the canary of release 12 312 s ago; does it run? (what was full "
        "before decides for all callers until then)"
    )
    FactsFile(tmp_path, "b").tell_rollouts([msgspec.structs.replace(CANARY, share=0)], NOW, MONO)
    reader.look(NOW, MONO + 312_000)
    assert reader.unwatched is None
    FactsFile(tmp_path, "b").tell_rollouts([], NOW, MONO + 312_000)
    assert reader.look(NOW, MONO + 312_000)[1] == NOTHING_KNOWN


@pytest.mark.parametrize("body", [b"", b'{"version": 3}', None])
def test_no_rollout_outlives_its_file(tmp_path, body):
    """Unlike what people set: the running release decides for all."""
    file = tell_canary(tmp_path)
    file.tell_hands([HAND], NOW)
    reader = FactsReader(tmp_path, "b", NODE)
    assert reader.look(NOW, MONO)[1].rollouts
    (tmp_path / FILE).unlink()
    if body is not None:
        (tmp_path / FILE).write_bytes(body)
    assert reader.look(NOW, MONO)[1] == RoutingFacts((HAND,))


def test_a_rollout_told_before_the_machine_started_anew_goes_by_the_system_clock(tmp_path):
    tell_canary(tmp_path, boot="before")
    reader = FactsReader(tmp_path, "b", NODE)
    assert reader.look(NOW + MINUTE, 5)[1].rollouts
    assert not reader.look(NOW + ROLLOUTS_LIVE_MS + 1, 5)[1].rollouts
    assert not reader.look(NOW - SKEW_MS - 1, 5)[1].rollouts


def test_a_rollout_is_told_to_every_node_and_beside_all_else(tmp_path):
    tell_canary(tmp_path)
    tell_all(tmp_path)
    for node in (NODE, NODE + 1):
        assert FactsReader(tmp_path, "b", node).look(NOW, MONO)[1].rollouts
    assert FactsReader(tmp_path, "b", NODE).look(NOW, MONO)[1].budgets

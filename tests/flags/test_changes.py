"""What people do to flags: what follows from it, and what is refused with its way out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.some_flags import FLAGS, NOW, OFF, SHARE, VENDOR, want
from switchhook.errors import FlagError
from switchhook.flags.changes import (
    FlagAct,
    FlagChange,
    change_of,
    noted,
    settings_then,
    told,
    undone,
    words_of,
)
from switchhook.rules.flags import Flag, FlagKind, FlagSetting, set_to


class Kept:
    """Changes one after the other, as the ledger keeps them."""

    def __init__(self, flags=FLAGS):
        self.flags, self.all = flags, []

    @property
    def held(self):
        return {each.flag: each for each in self.all}

    def keep(self, change):
        self.all.append(msgspec.structs.replace(change, id=len(self.all) + 1))
        return self.all[-1]

    def set(self, flag, value, for_s=None, at=NOW, reason="it fails"):
        wish = want(flag, value, for_s, reason)
        return self.keep(change_of(wish, self.flags, self.held, "asha", at))

    def undo(self, flag, at=NOW, reason=""):
        last = self.held.get(flag.name)
        target = None if last is None or last.before is None else self.all[last.before - 1]
        return self.keep(undone(flag, last, target, reason, "ravi", at))

    def now(self, flag, at=NOW):
        last = self.held.get(flag.name)
        return set_to(flag, None if last is None else last.setting, at)


def test_what_is_set_holds_until_it_is_reset():
    kept = Kept()
    change = kept.set("share", 25)
    assert (change.act, change.by, change.reason) == (FlagAct.SET, "asha", "it fails")
    assert kept.now(SHARE, NOW + 10**12) == 25
    assert kept.set("share", None).act is FlagAct.RESET
    assert kept.now(SHARE) == 10


def test_a_length_ends_it_and_what_lasted_before_holds_again():
    """However often it is set for a while, and also when it is set over one that ends."""
    kept = Kept()
    kept.set("share", 25)
    kept.set("share", 100, for_s=60)
    kept.set("share", 0, for_s=10, at=NOW + 1_000)
    assert [kept.now(SHARE, NOW + ms) for ms in (1_000, 10_999, 11_000, 10**9)] == [0, 0, 25, 25]
    kept.set("share", None, at=NOW + 12_000)
    assert kept.now(SHARE, NOW + 12_000) == 10


def test_undo_goes_back_one_change_at_a_time():
    kept = Kept()
    kept.set("share", 25)
    kept.set("share", 50)
    kept.set("share", 75)
    assert [kept.undo(SHARE).value for _ in range(3)] == [50, 25, None]
    assert kept.now(SHARE) == 10
    with pytest.raises(FlagError, match="as it is declared"):
        kept.undo(SHARE)


def test_undo_of_a_reset_brings_back_what_it_was_and_its_end():
    kept = Kept()
    kept.set("off", True, for_s=60)
    kept.set("off", None, at=NOW + 1_000)
    assert kept.undo(OFF, at=NOW + 2_000).until_ms == NOW + 60_000
    assert [kept.now(OFF, NOW + ms) for ms in (59_999, 60_000)] == [True, False]
    kept.set("off", None, at=NOW + 3_000)
    kept.undo(OFF, at=NOW + 60_000)
    assert kept.now(OFF, NOW + 60_000) is False


def test_after_an_undo_the_next_change_is_undone_to_what_held():
    kept = Kept()
    kept.set("share", 25)
    kept.set("share", 50)
    kept.undo(SHARE)
    kept.set("share", 75)
    assert kept.undo(SHARE).value == 25


@given(st.lists(st.sampled_from([0, 25, 50, None, "undo"]), max_size=12))
def test_undoing_everything_leads_to_the_default(steps):
    kept = Kept()
    for step in steps:
        try:
            if step == "undo":
                kept.undo(SHARE)
            else:
                kept.set("share", step)
        except FlagError:
            continue
    for _ in range(13):
        try:
            kept.undo(SHARE)
        except FlagError:
            break
    else:
        pytest.fail("it never ends")
    assert kept.now(SHARE) == 10


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (want("of", True), "there is no flag 'of' (did you mean 'off'?)"),
        (want("off", True, reason=" \n"),
         "it has no reason (say why, for those who read it tomorrow)"),
        (want("off", True, reason="x" * 301), "its reason is too long (at most 300 characters)"),
        (want("off", True, for_s=0),
         "its length is none (1 second to 366 days, such as 2h or 90m)"),
        (want("off", True, for_s=10**9), "its length is too long (at most 366 days: 366d)"),
        (want("off", False), "off is false already (there is nothing to change)"),
        (want("off", None), "off is false already (there is nothing to change)"),
        (want("vendor", "+91••••••3210"),
         "it holds a masked number (write the number whole)"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_to_do_instead(wish, message):
    with pytest.raises(FlagError) as refused:
        change_of(wish, FLAGS, {}, "asha", NOW)
    assert str(refused.value) == message


def test_without_flags_it_is_said_how_to_declare_one():
    with pytest.raises(FlagError, match=r"\[flags.NAME\] in the configuration declares one"):
        change_of(want("off", True), (), {}, "asha", NOW)


def test_what_ends_can_be_made_to_last():
    """The same value, no end: that is a change."""
    kept = Kept()
    kept.set("off", True, for_s=60)
    kept.set("off", True)
    assert kept.now(OFF, NOW + 10**9) is True
    with pytest.raises(FlagError, match="already"):
        kept.set("off", True)


def test_all_flags_together_have_room_in_the_facts():
    many = tuple(Flag(f"t{n}", FlagKind.TEXT, "") for n in range(100))
    kept = Kept(many)
    for flag in many[:65]:
        kept.set(flag.name, "x" * 1_000)
    with pytest.raises(FlagError, match="shorten it, or reset others"):
        kept.set("t99", "x" * 1_000)
    kept.set("t0", None)
    kept.set("t99", "x" * 1_000)


def test_a_number_in_a_reason_is_masked_where_it_is_kept():
    change = Kept().set("off", True, reason="call +919876543210 back")
    assert "9876543210" not in change.reason


def test_answer_processes_are_told_of_what_is_not_as_declared():
    kept = Kept()
    kept.set("off", True, for_s=60)
    kept.set("share", 25)
    kept.set("share", 50, for_s=60)
    kept.set("vendor", "b")
    kept.set("vendor", None)
    gone = FlagChange(
        id=9,
        flag="gone",
        kind=FlagKind.TEXT,
        act=FlagAct.SET,
        by="a",
        reason="b",
        at_ms=1,
        value="",
    )
    other_kind = msgspec.structs.replace(gone, flag="most")
    held = [*kept.held.values(), gone, other_kind]
    share = FlagSetting("share", SHARE.kind, 50, NOW + 60_000, 25)
    assert told(held, FLAGS, NOW) == (FlagSetting("off", OFF.kind, True, NOW + 60_000), share)
    assert told(held, FLAGS, NOW + 60_000) == (share,)


def test_what_was_set_at_a_moment_that_is_past():
    kept = Kept()
    for at, value in ((NOW, 25), (NOW + 1_000, 50), (NOW + 2_000, None)):
        kept.set("share", value, at=at)
    then = settings_then(kept.all)
    assert then.at(NOW - 1) == {}
    found = [then.at(NOW + ms)["share"].value for ms in (0, 999, 1_000, 5_000)]
    assert found == [25, 25, 50, None]


def test_a_clock_that_was_set_back_leaves_what_was_changed_last():
    kept = Kept()
    for at, value in ((NOW, 25), (NOW + 1_000, 50), (NOW + 500, 75)):
        kept.set("share", value, at=at)
    then = settings_then(kept.all)
    found = [then.at(NOW + ms)["share"].value for ms in (0, 499, 500, 1_000)]
    assert found == [25, 25, 75, 75]


def test_the_audit_log_says_what_was_done_without_numbers():
    kept = Kept()
    change = kept.set("lines", ["+919876543210"], for_s=60)
    what, subject, details = noted(change)
    assert (what, subject) == ("set a flag", "lines")
    assert "9876543210" not in details["said"]
    assert (details["reason"], details["for_s"]) == ("it fails", "60")
    assert noted(kept.set("lines", None))[0] == "reset a flag"
    what, _, details = noted(kept.undo(Flag("lines", FlagKind.LIST, ["a"]), reason="back"))
    assert (what, details["reason"]) == ("undid the change of a flag", "back")
    assert words_of(Kept().set("vendor", "b")) == 'vendor is "b"'
    assert VENDOR.default == "a"

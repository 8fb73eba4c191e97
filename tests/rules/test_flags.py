"""Flags: what one is for a caller at a moment, and rules that read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.cause import judge
from switchhook.exotel.passthru import Passthru
from switchhook.exotel.times import WEEKDAYS
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request
from switchhook.rules.decide import decide, flags_for
from switchhook.rules.flags import (
    NOTHING_SET,
    Flag,
    FlagKind,
    FlagSetting,
    FlagValue,
    Window,
    buckets_of,
    declared_by,
    is_open,
    moment_ms,
    salt_of_flag,
    set_to,
    value_of,
    values_of,
)
from switchhook.rules.rollout import bucket_of
from switchhook.rules.rules_file import RulesetError, load_rules
from switchhook.rules.variables import AccountFacts

INDIA = ZoneInfo("Asia/Kolkata")
MONDAY_0843_UTC = 1_795_423_380_000  # 2026-11-23T08:43:00Z, 14:13 in India
OFF = Flag("off", FlagKind.BOOLEAN, False)
SHARE = Flag("share", FlagKind.PERCENTAGE, 25)
WHOLE = Flag("most", FlagKind.NUMBER, 5)
PART = Flag("part", FlagKind.NUMBER, 0.5)
LIST = Flag("lines", FlagKind.LIST, ["+918047112233"])
TEXT = Flag("vendor", FlagKind.TEXT, "a")
DAY = Flag("day", FlagKind.WINDOW, Window("09:00", "21:00"))
ALL = (OFF, SHARE, WHOLE, PART, LIST, TEXT, DAY)


def setting(flag, value, until_ms=None, then=None):
    return FlagSetting(flag.name, flag.kind, value, until_ms, then)


def test_kinds_are_named_as_the_configuration_has_them():
    kinds = ["boolean", "text", "number", "percentage", "window", "list"]
    assert [kind.value for kind in FlagKind] == kinds


# What a flag is set to.


def test_a_setting_ends_and_what_was_before_holds_again():
    temporary = setting(OFF, True, until_ms=1_000)
    assert [set_to(OFF, temporary, at) for at in (999, 1_000)] == [True, False]
    over_a_standing_one = setting(SHARE, 100, until_ms=1_000, then=10)
    assert [set_to(SHARE, over_a_standing_one, at) for at in (999, 1_000)] == [100, 10]
    assert set_to(SHARE, setting(SHARE, None), 0) == 25


def test_a_setting_of_another_kind_means_nothing():
    """The configuration changed what the flag is."""
    assert set_to(TEXT, FlagSetting("vendor", FlagKind.BOOLEAN, True), 0) == "a"
    assert [set_to(WHOLE, setting(WHOLE, each), 0) for each in (2.5, 1e25, 7.0)] == [5, 5, 7]
    found = set_to(PART, setting(PART, 2), 0)
    assert (found, type(found)) == (2.0, float)


def test_a_setting_is_the_same_after_it_was_kept():
    whole = FlagSetting("day", FlagKind.WINDOW, Window("21:00", "06:00", ("monday",), "UTC"), 5)
    for each in (whole, setting(PART, 3.0), setting(LIST, ["a"]), setting(WHOLE, 3)):
        again = msgspec.json.decode(msgspec.json.encode(each), type=FlagSetting)
        assert again == each
        assert type(again.value) is type(each.value)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(each), type=FlagSetting) == each


# What it is for a caller.


def test_a_percentage_is_sticky_and_grows_around_those_who_have_it():
    callers = [f"+9198765{n:05}" for n in range(2_000)]
    have = [
        {each for each in callers if value_of(SHARE, percent, each, 0)}
        for percent in (0, 0.01, 5, 12.5, 50, 99.99, 100)
    ]
    assert have[0] == set()
    assert have[-1] == set(callers)
    assert all(fewer <= more for fewer, more in pairwise(have))
    assert 60 <= len(have[2]) <= 140
    assert buckets_of(12.5) == 1_250


def test_the_bucket_is_the_documented_one():
    """What a vendor can reckon with any BLAKE2b."""
    bucket = bucket_of("flag\nshare", "+919876543210")
    assert salt_of_flag("share") == "flag\nshare"
    assert value_of(SHARE, bucket / 100, "+919876543210", 0) is False
    assert value_of(SHARE, (bucket + 1) / 100, "+919876543210", 0) is True


def local(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=INDIA).timestamp() * 1000)


@pytest.mark.parametrize(
    ("window", "moments"),
    [
        (Window("09:00", "21:00"),
         {"2026-11-23T08:59:59": False, "2026-11-23T09:00": True, "2026-11-23T20:59:59": True,
          "2026-11-23T21:00": False}),
        (Window("09:00", "21:00", ("monday",)),
         {"2026-11-23T10:00": True, "2026-11-24T10:00": False}),
        # Past midnight: the day is that on which it opens.
        (Window("21:00", "06:00", ("monday",)),
         {"2026-11-23T05:59": False, "2026-11-23T21:00": True, "2026-11-24T05:59": True,
          "2026-11-24T06:00": False, "2026-11-24T21:00": False}),
        (Window("09:00", "00:00"), {"2026-11-23T23:59": True, "2026-11-23T00:00": False}),
        (Window("09:00", "10:00", zone="UTC"),
         {"2026-11-23T14:30": True, "2026-11-23T09:30": False}),
        (Window("2026-11-23T09:00:00+05:30", "2026-11-23T09:00:30+05:30"),
         {"2026-11-23T08:59:59": False, "2026-11-23T09:00": True, "2026-11-23T09:00:30": False}),
    ],
)  # fmt: skip
def test_a_window_is_open_from_its_first_moment_and_before_its_last(window, moments):
    assert {each: is_open(window, local(each)) for each in moments} == moments


_MINUTE = st.integers(0, 1439).map(lambda m: f"{m // 60:02}:{m % 60:02}")


@given(
    opens=_MINUTE,
    closes=_MINUTE,
    days=st.sets(st.sampled_from(WEEKDAYS)),
    minute=st.integers(0, 7 * 1440 - 1),
)
def test_a_window_is_open_for_its_length_after_each_opening(opens, closes, days, minute):
    """The same by counting: from each of its days' openings for as long as it is."""
    if opens == closes:
        return
    window = Window(opens, closes, tuple(day for day in WEEKDAYS if day in days), "UTC")
    first = int(opens[:2]) * 60 + int(opens[3:])
    length = (int(closes[:2]) * 60 + int(closes[3:]) - first) % 1440
    openings = [day * 1440 + first for day in range(-1, 7) if not days or WEEKDAYS[day % 7] in days]
    expected = any(0 <= minute - each < length for each in openings)
    monday = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minute)
    assert is_open(window, round(monday.timestamp() * 1000)) is expected


def test_moments_have_any_offset():
    assert moment_ms("1970-01-01T05:30:01+05:30") == moment_ms("1970-01-01T00:00:01Z") == 1_000


# Rules.


def rules(when, flags=ALL, name="one"):
    text = f"[[rule]]\nname = '{name}'\nwhen = '''{when}'''\noption = 'B'\n"
    return load_rules(text + "[default]\noption = 'A'\n", file="r.toml", strict=True, flags=flags)


def asked(query):
    return parse(Request(query.encode()))


def decided(ruleset, settings=NOTHING_SET, passthru=None, at_ms=MONDAY_0843_UTC):
    passthru = passthru or asked("CallFrom=%2B919876543210")
    flags = flags_for(ruleset, settings, passthru, at_ms)
    found = decide(passthru, judge(passthru), AccountFacts(), at_ms, INDIA, ruleset, flags)
    assert not found.defects
    return found.option.value


@pytest.mark.parametrize(
    ("when", "change", "before", "after"),
    [
        ("flags.off", setting(OFF, True), "A", "B"),
        ("flags.share", setting(SHARE, 0), "B", "A"),
        ("flags.most > 5", setting(WHOLE, 6), "A", "B"),
        ("flags.part > 0.75", setting(PART, 1.0), "A", "B"),
        ("call.from in flags.lines", setting(LIST, ["x", "+919876543210"]), "A", "B"),
        ('flags.vendor == "b"', setting(TEXT, "b"), "A", "B"),
        ("flags.day", setting(DAY, Window("15:00", "16:00")), "B", "A"),
        ("flags.day && !flags.off && local.hour == 14", setting(OFF, True), "B", "A"),
    ],
)
def test_rules_read_what_a_flag_is_set_to(when, change, before, after):
    ruleset = rules(when)
    assert decided(ruleset) == before
    assert decided(ruleset, {change.flag: change}) == after


def test_a_ruleset_knows_the_flags_that_it_reads():
    ruleset = rules('flags.off || flags . vendor == "off" // flags.share')
    assert ruleset.flags == (OFF, TEXT)
    assert ruleset.changing
    assert rules("call.sid == 'flags.off'").flags == ()
    assert not rules("call.sid == 'flags.off'").changing
    passthru = Passthru(call_sid="c1")
    assert flags_for(ruleset, NOTHING_SET, passthru, 0) == {"off": False, "vendor": "a"}


def test_values_that_were_kept_decide_and_defaults_stand_in_for_the_rest():
    ruleset = rules('flags.off && flags.vendor == "a"')
    passthru = Passthru()
    verdict, facts = judge(passthru), AccountFacts()
    cases: list[tuple[dict[str, FlagValue], str]] = [
        ({}, "A"),
        ({"off": True}, "B"),
        ({"off": True, "vendor": "b"}, "A"),
    ]
    for kept, option in cases:
        found = decide(passthru, verdict, facts, 0, INDIA, ruleset, kept)
        assert (found.option.value, found.defects) == (option, ())


def test_the_caller_is_the_customer_whichever_way_the_call_goes():
    ruleset = rules("flags.share")
    share = {"share": setting(SHARE, 50)}
    numbers = [f"%2B9198765432{n:02}" for n in range(20)]
    inbound = [
        decided(ruleset, share, asked(f"CallSid=x&CallFrom={n}&Direction=incoming"))
        for n in numbers
    ]
    assert set(inbound) == {"A", "B"}
    outbound = [
        decided(ruleset, share, asked(f"CallFrom=0804711&To={n}&Direction=outbound-api"))
        for n in numbers
    ]
    assert outbound == inbound
    for n in range(20):
        withheld = decided(ruleset, share, asked(f"CallSid=c{n}&CallFrom=anonymous"))
        assert withheld == decided(ruleset, share, asked(f"CallSid=c{n}"))


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("flags.of", 'rule "one", column 1: unknown name "flags.of" (did you mean flags.off?)'),
        ("flag.off", 'rule "one", column 1: unknown name "flag.off" (did you mean flags.off?)'),
        ("flags.zzzz", 'rule "one", column 1: unknown name "flags.zzzz" (known: flags.off, '
         "flags.share, flags.most, flags.part, flags.lines, flags.vendor, flags.day; "
         "[flags.zzzz] in the configuration declares it, with its kind and default)"),
        ("flags.vendor", 'rule "one", column 1: this gives string, and a rule must give true or '
         'false (bool) (compare it, as in stream.status == "failed")'),
        ("flags.most > 0.5", 'rule "one", column 12: > does not work on (int, double) '
         "(write the number without a point: 5)"),
        ('flags.lines == "x"', 'rule "one", column 13: == does not work on (list(string), string)'),
        ("has(flags.off)", 'rule "one", column 1: has(flags.off) does not tell whether there is '
         "one (it always has a value)"),
    ],
)  # fmt: skip
def test_a_wrong_name_or_type_is_refused_when_rules_are_loaded(when, told):
    with pytest.raises(RulesetError) as refused:
        rules(when)
    assert str(refused.value).endswith(told)


def test_without_any_declared_it_is_said_how_to_declare_one():
    with pytest.raises(RulesetError, match=r"\[flags.off\] in the configuration declares it"):
        rules("flags.off", flags=())


def test_without_a_configuration_any_flag_may_be():
    """A file by itself is checked as far as it can be."""
    for when in ("flags.x", "flags.x == 3 && flags.y in ['a']", "call.sid in flags.z"):
        ruleset = rules(when, flags=None)
        assert ruleset.changing
    with pytest.raises(RulesetError, match="unknown name"):
        rules("flags.x && call.sit", flags=None)
    passthru = Passthru()
    arguments = (passthru, judge(passthru), AccountFacts(), 0, INDIA, rules("flags.x", flags=None))
    (defect,) = decide(*arguments).defects
    assert "what flags.x is is not known here" in defect.problem
    assert decide(*arguments, {"x": True}).option.value == "B"


def test_rules_whose_flags_are_gone_can_be_loaded_by_what_receipts_kept():
    kept = values_of(ALL, NOTHING_SET, "+919876543210", MONDAY_0843_UTC)
    ruleset = rules(
        'flags.off || flags.most > 4 && flags.part < 0.6 && flags.vendor == "a" && '
        'flags.day && "x" in flags.lines == false && flags.share',
        flags=declared_by(kept),
    )
    passthru = Passthru()
    found = decide(passthru, judge(passthru), AccountFacts(), 0, INDIA, ruleset, kept)
    assert (found.option.value, found.defects) == ("B", ())

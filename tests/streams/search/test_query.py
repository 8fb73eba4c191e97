"""The search language: read and written back, clear where it is unclear, and what fits."""

from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from switchhook.exotel.number_keys import key_ranges, number_keys, number_matches
from switchhook.exotel.passthru import Passthru, Stream
from switchhook.metrics import OTHER
from switchhook.streams.facet import Facet
from switchhook.streams.names import Bot, Names
from switchhook.streams.search.query import (
    Condition,
    Query,
    StreamRow,
    asks_numbers,
    facet_may_fit,
    fits,
    like,
)
from switchhook.streams.search.syntax import KEYS, LONGEST, parse_query, query_text, with_condition
from switchhook.streams.story import ParsedReceipt, ReceiptRef, facet_of, stream_story

NOW = 1_795_000_000_000
SID = "7f31bb90c2d84e0fa6550e1d9c2b1abo"


def conditions(text):
    query = parse_query(text, NOW)
    assert not query.problems, query.problems
    return [("!" * c.excluded + c.key, *c.values) for c in query.conditions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("cause:throttled from:98765", [("cause", "throttled"), ("from", "98765")]),
        ("CAUSE:Throttled", [("cause", "throttled")]),
        ("cause:connect-failed", [("cause", "connect_failed")]),
        ("cause:throttled,bot_dropped", [("cause", "throttled", "bot_dropped")]),
        ("cause:throttled cause:bot_done", [("cause", "throttled", "bot_done")]),
        ("!bot:a.example !bot:b", [("!bot", "a.example", "b")]),
        ("status:canceled", [("status", "cancelled")]),
        ("status:Parked", [("status", "parked")]),
        ("option:b", [("option", "B")]),
        ("host:*.X.example", [("host", "*.x.example")]),
        ('from:"+91 98765-43210"', [("from", "+919876543210")]),
        ("from:*3210", [("from", "*3210")]),
        ("from:98765*", [("from", "98765*")]),
        (
            "from: +91 98765 43210 cause:throttled",
            [("from", "+919876543210"), ("cause", "throttled")],
        ),
        ("+91 98765 43210", [("number", "+919876543210")]),
        ("(0)98765-43210", [("number", "+919876543210")]),
        ("tel:+91-98765-43210", [("number", "+919876543210")]),
        ("'09876543210", [("number", "+919876543210")]),
        ("98765 43210 98765 43211", [("number", "+919876543210", "+919876543211")]),
        ("+91 98765 43210, +91 98765 43211", [("number", "+919876543210", "+919876543211")]),
        ("from:98765 43210, 98765 43211", [("from", "+919876543210", "+919876543211")]),
        ("!+91 98765 43210", [("!number", "+919876543210")]),
        ("!from: 98765 43210", [("!from", "+919876543210")]),
        ("from:98765 2026", [("from", "98765"), ("number", "2026")]),
        ("98765 43210 throttled", [("number", "+919876543210"), ("cause", "throttled")]),
        ("CallFrom=09876543210", [("from", "+919876543210")]),
        (
            f"CallSid={SID}&CallFrom=%2B919876543210&StreamUrl=wss://x",
            [("call", SID), ("from", "+919876543210")],
        ),
        ("https://wa.me/919876543210", [("number", "+919876543210")]),
        ("sip:09876543210@sip.example", [("number", "+919876543210")]),
        ("919876543210@c.us", [("number", "+919876543210")]),
        ("CustomField:Lead-7", [("custom_field", "Lead-7")]),
        ("from:withheld", [("is", "withheld")]),
        ("digits:2#", [("digits", "2#")]),
        ("103.21.124.200", [("host", "103.21.124.200")]),
        ("cause: throttled", [("cause", "throttled")]),
        ("cause : throttled", [("cause", "throttled")]),
        ("cause = throttled", [("cause", "throttled")]),
        ("cause:“throttled”", [("cause", "throttled")]),
        ("bot:“Web bot”", [("bot", "Web bot")]),
        ("duration > 30", [("duration", ">30")]),
        ("duration >= 5 s", [("duration", ">=5")]),
        ("duration ≥ 1m30s", [("duration", ">=90")]),
        ("duration>1 m 30 s is:failed", [("duration", ">90"), ("is", "failed")]),
        ("duration<1:30", [("duration", "<90")]),
        ("Duration > 30 duration<60", [("duration", ">30"), ("duration", "<60")]),
        ('bot:"Web bot",Sales', [("bot", "Web bot", "Sales")]),
        ('bot:"say \\"hi\\" \\\\"', [("bot", 'say "hi" \\')]),
        ("exophone:बिक्री", [("exophone", "बिक्री")]),
        ("duration>30", [("duration", ">30")]),
        ("duration<=5s", [("duration", "<=5")]),
        ("duration:30", [("duration", "=30")]),
        ("duration>30 duration<60", [("duration", ">30"), ("duration", "<60")]),
        ("is:late is:failed", [("is", "late"), ("is", "failed")]),
        ("!is:late !is:failed", [("!is", "late", "failed")]),
        (SID, [("sid", SID)]),
        ("09876543210", [("number", "+919876543210")]),
        ("*3210", [("number", "*3210")]),
        ("throttled", [("cause", "throttled")]),
        ("failed", [("status", "failed")]),
        ("refused", [("kind", "refused")]),
        ("a.example", [("host", "a.example")]),
        ("*.bot.example", [("host", "*.bot.example")]),
        ("wss://a.example:8080/media?x=1", [("host", "a.example")]),
        ("a.example:443", [("host", "a.example")]),
        ("sales", [("name", "sales")]),
        ("!throttled", [("!cause", "throttled")]),
        ('"no such host"', [("name", "no such host")]),
        ('error:"no such host"', [("error", "no such host")]),
        ("2026", [("number", "2026")]),
    ],
)
def test_parse_query(text, expected):
    assert conditions(text) == expected


@pytest.mark.parametrize(
    ("text", "at", "problem", "hint"),
    [
        ("x casue:throttled", 2, "there is no key 'casue'", "did you mean cause?"),
        ("cause:throtled", 0, "'throtled' is no cause", "did you mean throttled?"),
        ("kind:zzzz", 0, "'zzzz' is no kind of error", "one of refused, timeout"),
        ("option:C", 0, "'C' is no option", "A or B"),
        ("from:12", 0, "too few digits", "98765"),
        ("from:+91", 0, "too few digits", "98765"),
        ("from:abc", 0, "'abc' is no part of a number", "98765"),
        ("since:yestersday", 0, "'yestersday' is no time", "2026-11-25"),
        ("until:0000-01-01", 0, "'0000-01-01' is no time", "2026-11-25"),
        ("since:1h since:2h", 9, "there can be one since only", "once"),
        ("!until:2h", 0, "there can be one until only", "exclamation"),
        ("duration:long", 0, "'long' is no length", "duration>30"),
        ("cause:", 0, "cause has no value", "cause:throttled"),
        ("!", 0, "name has no value", "name:sales"),
        ('bot:"open', 0, "a quotation mark is not closed", '"'),
        ("bot:" + "x" * 301, 0, "the value is too long", "300"),
        ("x" * (LONGEST + 1), LONGEST, "the search is too long", "words"),
        (" ".join(f"duration:{n}" for n in range(51)), 590, "too many conditions", "50"),
    ],
)
def test_what_is_unclear_is_said_with_its_place_and_a_hint(text, at, problem, hint):
    found = next(each for each in parse_query(text, NOW).problems if problem in each.problem)
    assert found.at == at
    assert hint in found.hint
    assert 0 <= found.at < found.at + found.length <= len(text)


def test_what_is_clear_holds_beside_what_is_not():
    query = parse_query("cause:throttled casue:x", NOW)
    assert query_text(query) == "cause:throttled"
    assert len(query.problems) == 1


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2h", NOW - 7_200_000),
        ("90s", NOW - 90_000),
        ("999999w", 0),
        ("0001-01-01T00:00:00+00:01", 0),
        ("9999-12-31T23:59:59-00:01", 253_402_300_799_999),
        ("2026-11-18", 1_794_940_200_000),
        ("2026-11-18T05:30", 1_794_960_000_000),
        ("2026-11-18T00:00:00Z", 1_794_960_000_000),
        ("2026-11-18T05:30:00+05:30", 1_794_960_000_000),
        ("2026-11-18T05:30:00 05:30", 1_794_960_000_000),
        ("2026-11-18T23:59:60Z", 1_795_046_399_000),
    ],
)
def test_times(text, ms):
    query = parse_query(f'since:"{text}"', NOW)
    assert query.since.ms == ms
    assert parse_query(query_text(query), NOW) == query


def test_a_date_is_one_of_the_zone_that_is_shown():
    assert parse_query("since:2026-11-18", NOW, UTC).since.ms == 1_794_960_000_000
    east = timezone(timedelta(hours=8))
    assert parse_query("since:2026-11-18T08:00", NOW, east).since.ms == 1_794_960_000_000


anything = st.text() | st.lists(
    st.sampled_from(
        [*KEYS, ":", ",", '"', "!", " ", "\\", ">", "*", "98765", "throttled", "2h", "x", SID]
    )
).map("".join)


@given(anything)
def test_no_text_fails_and_what_is_understood_comes_back(text):
    """Total, and the round trip: whatever is typed, what was clear of it is the same again."""
    query = parse_query(text, NOW)
    again = parse_query(query_text(query), NOW)
    assert again == msgspec.structs.replace(query, problems=())
    assert query_text(again) == query_text(query)


@settings(max_examples=500)
@example("call", " ", False)
@example("host", "İ" * 300, False)
@example("bot", "a：b，c", False)
@given(st.sampled_from(sorted(KEYS)), st.text(min_size=1, max_size=50), st.booleans())
def test_a_click_on_any_value_makes_a_search_that_can_be_sent_to_a_colleague(key, value, excluded):
    if key in ("since", "until"):
        return
    query = with_condition(Query(), key, value, excluded=excluded)
    assert parse_query(query_text(query), NOW) == query


def test_a_click_adds_an_alternative():
    query = parse_query("cause:throttled since:2h", NOW)
    assert query_text(with_condition(query, "cause", "bot_done")) == (
        "cause:throttled,bot_done since:2h"
    )
    assert with_condition(query, "cause", "nonsense") == query


def row(call_sid="c1", late_ms=None, **stream):
    said: dict[str, Any] = {
        "from_raw": "09876543210",
        "to_raw": "08047112233",
        "direction_raw": "incoming",
    }
    said |= {key: stream.pop(key) for key in list(stream) if key in said or key == "flow_id"}
    passthru = Passthru(call_sid=call_sid, stream=Stream(**({"sid": "s1"} | stream)), **said)
    story = stream_story(
        ParsedReceipt(ReceiptRef("id", NOW * 1000, "sales", "B", "it failed"), passthru)
    )
    return StreamRow(7, NOW, facet_of(story), story, late_ms)


FAILED = row(
    status="failed",
    error="3009 dial tcp 10.0.0.1:50: connect: connection refused",
    url="wss://A.Bot.example:8080/x",
    flow_id="11754",
)
TALKED = row(
    status="completed",
    disconnected_by_raw="bot",
    duration_raw="64",
    url="wss://b.example/x",
    late_ms=5,
)
OUT = row(direction_raw="outbound-dial", from_raw="08047112233", to_raw="+14155550123", status="x")
NAMES = Names(
    bots=(Bot("Reception", hosts=("*.bot.example",)),),
    flows={"11754": "बिक्री"},
    exophones={"+918047112233": "Front desk"},
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "FTO"),
        ("is:failed", "F"),
        ("is:running", ""),
        ("is:ended", "FTO"),
        ("is:late", "T"),
        ("!is:late", "FO"),
        ("cause:connect_failed,bot_done", "FT"),
        ("kind:refused", "F"),
        ("!kind:refused", "TO"),
        ("status:failed", "F"),
        ("status:x", "O"),
        ("status:unknown", "O"),
        ("bot:reception", "F"),
        ("bot:b.example", "T"),
        ("!bot:rec*", "TO"),
        ("host:*.example", "FT"),
        ("!host:*", "O"),
        ("endpoint:SALES", "FTO"),
        ("option:A", ""),
        ('rule:"it failed"', "FTO"),
        ("rule:it", ""),
        ("from:98765", "FT"),
        ("from:+9198765", "FT"),
        ("from:919876543210", "FT"),
        ("from:*3210", "FT"),
        ("from:80471", "O"),
        ("to:80471", "FT"),
        ("to:415", "O"),
        ("number:8047112233", "FTO"),
        ("exophone:8047", "FTO"),
        ('exophone:"front desk"', "FTO"),
        ("name:front", "FTO"),
        ("name:bot.exa", "F"),
        ("flow:11754", "F"),
        ("flow:बिक्री", "F"),
        ("call:c1", "FTO"),
        ("call:C1", ""),
        ("sid:s1", "FTO"),
        ("stream:s2", ""),
        ("duration>30", "T"),
        ("duration>=64", "T"),
        ("duration<64", ""),
        ("duration<=64 duration>3", "T"),
        ("!duration>30", "FO"),
        ("error:REFUSED", "F"),
        ("error:*", "F"),
        ("since:1s", "FTO"),
        ("until:0s", ""),
    ],
)
def test_what_fits(text, found):
    query = parse_query(text, NOW + 500)
    if text == "until:0s":
        query = parse_query(text, NOW)
    assert not query.problems
    rows = {"F": FAILED, "T": TALKED, "O": OUT}
    assert "".join(key for key, row in rows.items() if fits(query, NAMES, row)) == found
    for row in rows.values():
        if fits(query, NAMES, row):
            assert facet_may_fit(query, NAMES, row.facet)
            blurred = msgspec.structs.replace(row.facet, host=OTHER, exophone=OTHER)
            assert facet_may_fit(query, NAMES, blurred)


def test_a_facet_tells_what_can_not_fit():
    facet = Facet("sales", "failed", "throttled", "B")
    for text in ("cause:bot_done", "!cause:throttled", "is:running", "status:completed", "!x.y"):
        said = parse_query(text, NOW)
        assert facet_may_fit(said, NAMES, facet) is (text == "!x.y")
    assert facet_may_fit(Query((Condition("is", ("late",)),)), NAMES, facet)


numbers = st.from_regex(r"\+(91[6-9][0-9]{9}|1[2-9][0-9]{9}|65[0-9]{8})", fullmatch=True) | (
    st.from_regex(r"0?[0-9]{3,12}", fullmatch=True)
)
patterns = st.from_regex(r"\+[0-9]{4,14}|\*?[0-9]{3,14}", fullmatch=True)


@given(numbers, patterns)
def test_the_keys_of_a_number_that_matches_are_where_one_looks(number, pattern):
    for each in (pattern, number, "*" + number[-4:].strip("+"), number[:6]):
        if number_matches(each, number):
            keys = number_keys(number)
            ranges = key_ranges(each)
            assert any(low <= key < high for key in keys for low, high in ranges)


@pytest.mark.parametrize("number", [None, "", "sip:a@b", "x" * 65_536, "١٢٣٤٥", "+", "\u202e1"])
def test_what_is_no_number_matches_nothing_and_harms_nothing(number):
    assert not number_matches("98765", number)
    assert all(key.isascii() for key in number_keys(number or ""))


@given(st.text(), st.text())
def test_like_takes_nothing_but_the_star_for_special(pattern, text):
    if "*" not in pattern:
        assert like(pattern, text) == (pattern.casefold() == text.casefold())
    assert like("*" + pattern.replace("*", "") + "*", text + pattern.replace("*", "") + text)


def test_the_documentation_explains_every_key():
    page = (Path(__file__).parents[3] / "docs/search.md").read_text()
    assert [key for key in KEYS if f"| `{key}` |" not in page] == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("from:98765", True),
        ("!to:*321", True),
        ("98765", True),
        ("number:+91987", True),
        ("exophone:080471", True),
        ("exophone:*71*", True),
        ('name:"+918"', True),
        ("!name:71", True),
        ("exophone:Sales*", False),
        ("name:sales2", False),
        ("cause:throttled since:2h error:refused host:10.0.0.1", False),
        ("error:98", True),
        ("flow:117*", True),
        ("host:*98*", True),
        ("call:b68e46bca0fd4e1c9a7789643f6d1abo", False),
        ("call:9876543210", True),
    ],
)
def test_what_tells_digits_of_a_number(text, asked):
    query = parse_query(text, 1_800_000_000_000)
    assert not query.problems
    assert asks_numbers(query) is asked

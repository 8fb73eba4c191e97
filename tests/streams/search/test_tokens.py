"""Words of a search: how far a number, a time or a length goes on, and what is pasted along."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from switchhook.streams.search.query import Condition
from switchhook.streams.search.syntax import parse_query, query_text
from switchhook.streams.search.tokens import plain_signs

IST = ZoneInfo("Asia/Kolkata")
NOW = int(datetime(2026, 11, 25, 18, 5, 9, tzinfo=IST).timestamp() * 1000)  # a Wednesday


def stretch(text):
    """Since and until as the page shows them."""
    query = parse_query(text, NOW, IST)
    assert not query.problems, query.problems
    assert parse_query(query_text(query), NOW, IST) == query
    return tuple(
        None
        if each is None
        else datetime.fromtimestamp(each.ms / 1000, IST).strftime("%d %H:%M:%S")
        for each in (query.since, query.until)
    )


@pytest.mark.parametrize(
    "text, since, until",
    [
        ("since:2026-11-24 until:2026-11-24", "24 00:00:00", "25 00:00:00"),
        ("since:today", "25 00:00:00", None),
        ("until:yesterday", None, "25 00:00:00"),
        ("on:yesterday", "24 00:00:00", "25 00:00:00"),
        ("on:24 Nov", "24 00:00:00", "25 00:00:00"),
        ("yesterday", "24 00:00:00", "25 00:00:00"),
        ("Monday", "23 00:00:00", "24 00:00:00"),
        ("last wed", "18 00:00:00", "19 00:00:00"),
        ("2026-11-24", "24 00:00:00", "25 00:00:00"),
        ("yesterday 21:30 to 22:00", "24 21:30:00", "24 22:00:00"),
        ("yesterday 21:30-22:00", "24 21:30:00", "24 22:00:00"),
        ("yesterday 21:30 – 22:00", "24 21:30:00", "24 22:00:00"),
        ("21:30 to 22:00 yesterday", "24 21:30:00", "24 22:00:00"),
        ("21:30-22:00 yesterday", "24 21:30:00", "24 22:00:00"),
        ("21:30 to 22:00 24 Nov is:failed", "24 21:30:00", "24 22:00:00"),
        ("21:30 to 22:00 2026-11-24", "24 21:30:00", "24 22:00:00"),
        ("between 21:30 and 22:00 yesterday", "24 21:30:00", "24 22:00:00"),
        ("yesterday between 21:30 and 22:00", "24 21:30:00", "24 22:00:00"),
        ("from 21:30 until 22:00 on 24 Nov 2026", "24 21:30:00", "24 22:00:00"),
        ("9pm-10pm on monday", "23 21:00:00", "23 22:00:00"),
        ("on monday 9 pm to 10 pm", "23 21:00:00", "23 22:00:00"),
        ("9-10pm yesterday", "24 21:00:00", "24 22:00:00"),
        ("11-1pm yesterday", "24 11:00:00", "24 13:00:00"),
        ("yesterday 9 to 10 pm", "24 21:00:00", "24 22:00:00"),
        ("23:30 to 00:30 yesterday", "24 23:30:00", "25 00:30:00"),
        ("21:30 to 22:00 yesterday IST", "24 21:30:00", "24 22:00:00"),
        ("yesterday from 21:30", "24 21:30:00", None),
        ("from yesterday", "24 00:00:00", None),
        ("16:00 to 16:30 yesterday UTC", "24 21:30:00", "24 22:00:00"),
        ("21:30 to 22:00", "24 21:30:00", "24 22:00:00"),
        ("21:30 yesterday", "24 21:30:00", None),
        ("9pm on monday", "23 21:00:00", None),
        ("since:21:30 yesterday", "24 21:30:00", None),
        ("on monday", "23 00:00:00", "24 00:00:00"),
        ("yesterday 23:30 to 00:30", "24 23:30:00", "25 00:30:00"),
        ("yesterday 9:30 pm to 10 pm", "24 21:30:00", "24 22:00:00"),
        ("yesterday 21:30 until today 08:00", "24 21:30:00", "25 08:00:00"),
        ("mon to tue", "23 00:00:00", "25 00:00:00"),
        ("since:yesterday 21:30 until:22:00", "24 21:30:00", "24 22:00:00"),
        ("until:22:00 since: yesterday 21:30", "24 21:30:00", "24 22:00:00"),
        ("since:21:30", "24 21:30:00", None),
        ("since:25 Nov 17:59:03 until:25 Nov 18:00:00", "25 17:59:03", "25 18:00:00"),
        ("since:11-24 20:00:41", "24 20:00:41", None),
        ("since: 2 hours ago", "25 16:05:09", None),
        ("after:24/11/2026 before:25/11/2026", "24 00:00:00", "26 00:00:00"),
        ("24 Nov 21:30 to 22:00 cause:throttled", "24 21:30:00", "24 22:00:00"),
    ],
)
def test_times_as_people_say_them(text, since, until):
    assert stretch(text) == (since, until)


def test_what_stands_beside_a_time_is_read_on():
    query = parse_query("yesterday 21:30 to 22:00 is:failed +91 90000 12345", NOW, IST)
    assert query.conditions == (
        Condition("is", ("failed",)),
        Condition("number", ("+919000012345",)),
    )


@pytest.mark.parametrize(
    "text, problem, hint",
    [
        ("on:21:30", "'21:30' is no day", "since"),
        ("on:today since:2h", "there can be one since only", "once"),
        ("since:noon", "'noon' is no time", "yesterday 21:30"),
        ("from:9.00001E+09", "no whole number", "a sheet has rounded this number"),
        ("9.00001E+09", "'9.00001E+09' is no number", "a sheet has rounded this number"),
        ("98\u2022\u2022\u2022\u2022\u2022\u20225", "is no number", "this number is masked"),
        ("cause:throttled OR cause:unknown", "there is no OR", "alternatives stand between commas"),
        ("is:failed AND from:*3210", "there is no AND", "leave it out: all words have to hold"),
        ("NOT cause:throttled", "there is no NOT", "an exclamation mark"),
        ("from:9••••••••45", "no whole number", "masked"),
        ("cause:failed", "'failed' is no cause", "did you mean is:failed?"),
        ("cause:refused", "'refused' is no cause", "did you mean kind:refused?"),
        ("cuase:throttled", "there is no key 'cuase'", "did you mean cause?"),
        ("calles:98765", "there is no key 'calles'", "did you mean from?"),
        ("is:faild", "'faild' is no state", "did you mean failed?"),
        ("kind:refussed", "is no kind of error", "did you mean refused?"),
    ],
)
def test_what_is_unclear_says_what_was_meant(text, problem, hint):
    found = parse_query(text, NOW, IST).problems[0]
    assert problem in found.problem
    assert hint in found.hint


NUMBERS = st.from_regex(r"[6-9][0-9]{9}", fullmatch=True)
AROUND = st.sampled_from(["", " ", "\u200b", "\u202a", "\ufeff", "\u00a0", "\u2066", "\t"])
BETWEEN = st.sampled_from(["", " ", "-", ".", "\u00a0", "\u2011", "\u200b", "\u2060", "  ", "/"])
BEFORE = st.sampled_from(
    ["", "0", "91", "+91", "0091", "+91 ", "(0)", "+91 (0) ", "0091-", "+91-0"]
)
SCRIPTS = st.sampled_from(["0", "\u0966", "\uff10", "\u09e6", "\u0be6", "\u0660"])


@st.composite
def spellings(draw):
    """A number of ten digits, and one way to write it."""
    number, before = draw(NUMBERS), draw(BEFORE)
    cut, zero = draw(st.integers(1, 9)), ord(draw(SCRIPTS))
    written = "".join(chr(zero + int(digit)) for digit in number)
    between = draw(BETWEEN)
    around = draw(AROUND), draw(AROUND)
    # Eight digits, a point and noughts are a number that a spreadsheet made a fraction of.
    assume(not (between == "." and cut >= 8 and not number[cut:].strip("0")))
    return number, f"{around[0]}{before}{written[:cut]}{between}{written[cut:]}{around[1]}"


@given(spellings(), st.sampled_from(["", "number:", "number: ", "tel:", "!"]))
def test_every_spelling_of_a_number_finds_the_same(spelling, key):
    number, written = spelling
    if key == "tel:":
        written = written.strip("\u200b\u202a\ufeff\u00a0\u2066\t ")
    query = parse_query(key + written if key != "!" else f"!number:{written.strip()}", NOW, IST)
    assert query.conditions == (Condition("number", (f"+91{number}",), key == "!"),)
    assert not query.problems


@given(st.lists(spellings(), min_size=2, max_size=4))
def test_a_list_of_numbers_finds_any_of_them(found):
    text = ", ".join(written for _, written in found)
    query = parse_query(text, NOW, IST)
    assert query.conditions == (
        Condition("number", tuple(dict.fromkeys(f"+91{number}" for number, _ in found))),
    )


@given(st.text())
def test_signs_stay_where_they_are(text):
    assert len(plain_signs(text)) == len(text)


@pytest.mark.parametrize(
    "text, plain",
    [
        ("bot:“Web bot”", 'bot:"Web bot"'),
        ("bot:«a»", 'bot:"a"'),
        ('bot:"«a» \u200e"', 'bot:"«a» \u200e"'),
        ("\u202acause:x\u202c", " cause:x "),
        ("cause：x", "cause:x"),
    ],
)
def test_plain_signs_of(text, plain):
    assert plain_signs(text) == plain


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 11, 25, 18)), st.booleans())
def test_a_time_as_the_page_shows_it_is_read_back(moment, key):
    shown = moment.strftime("%d %b %H:%M:%S")
    query = parse_query(f"since:{shown}" if key else f"{shown} to now", NOW, IST)
    assert query.since is not None
    want = moment.replace(microsecond=0, tzinfo=IST) + timedelta()
    assert query.since.ms == want.timestamp() * 1000

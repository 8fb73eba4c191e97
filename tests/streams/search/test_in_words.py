"""A search in words: what it was understood as, and what would find more."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.errors import SearchError
from switchhook.streams.names import Bot, Names
from switchhook.streams.search.in_words import count_in_words, explained, in_words, terms_of
from switchhook.streams.search.keys import KEYS
from switchhook.streams.search.query import Query, SearchPage, StreamCount
from switchhook.streams.search.syntax import parse_query, query_text

NOW = 1_795_000_000_000  # Wed 18 Nov 2026 11:06:40 UTC
NAMES = Names(bots=(Bot("Reception"),), flows={"11754": "Sales"}, accounts_of={"front": "Acme"})


@pytest.mark.parametrize(
    "text, words",
    [
        ("cause:throttled,bot_dropped", "it ended as “throttled” or “bot dropped”"),
        ("!option:B", "not so that it was answered with option “B”"),
        ("is:failed", "it failed: it was throttled, did not reach its bot, or the bot dropped it"),
        ("from:withheld", "no number of the caller was told"),
        ("from:+91 90000 12345", "the caller's number is +91 90000 12345"),
        ("to:*2345", "the number called ends in 2345"),
        (
            "90000",
            "the caller's number or the one called begins with or ends in 90000 (in any country)",
        ),
        ("from:90000*", "the caller's number begins with 90000 (in any country)"),
        ("from:+91900", "the caller's number begins with +91900"),
        ("exophone:*2233", "your number ends in 2233"),
        ("exophone:Sales", "your number is “Sales”"),
        ("duration>1:30", "it lasted more than 90 s"),
        ("duration:5", "it lasted 5 s"),
        ("error:*", "it has an error's text"),
        ("since:yesterday", "first told of from Tue 17 Nov 2026 00:00:00 UTC on"),
        ("until:1h", "first told of before Wed 18 Nov 2026 10:06:40 UTC"),
    ],
)
def test_a_term_in_words(text, words):
    query = parse_query(text, NOW, UTC)
    assert not query.problems
    assert in_words(query, UTC) == [words]


def test_every_key_has_words():
    for key in KEYS.values():
        assert all(in_words(parse_query(key.example, NOW, UTC), UTC))


def test_a_time_that_ends_before_it_begins_is_said():
    (_, until) = in_words(parse_query("since:1h until:2h", NOW, UTC), UTC)
    assert "nothing lies between" in until


def less(text):
    (term,) = terms_of(parse_query(text, NOW, UTC), UTC, NAMES)
    return {query_text(each.query): each.words for each in term.less}


def test_what_would_ask_for_less():
    assert less("from:+919000012345") == {
        "": "without it",
        "number:+919000012345": "as the caller's number or the one called",
        "number:*12345": "any number with the same last 5 digits",
    }
    assert less("bot:recepton")["bot:Reception"] == "did you mean bot:Reception?"
    assert less("status:faild")["status:failed"] == "did you mean status:failed?"
    assert less("endpoint:fornt")["endpoint:front"] == "did you mean endpoint:front?"
    assert less("since:1h") == {"": "without it"}
    assert less("!bot:recepton") == {"": "without it"}


@given(st.lists(st.sampled_from([key.example for key in KEYS.values()]), max_size=6))
def test_each_term_is_left_out_once(texts):
    query = parse_query(" ".join(texts), NOW, UTC)
    terms = terms_of(query, UTC, NAMES)
    assert " ".join(term.text for term in terms) == query_text(query)
    for term in terms:
        asked = parse_query(query_text(term.less[0].query), NOW, UTC)
        assert len(terms_of(asked, UTC, NAMES)) == len(terms) - 1


class Finding:
    """A store that finds something where nothing is said of bots."""

    def __init__(self, slow=False):
        self.asked, self.slow = 0, slow

    def search(self, query, names, *, limit):
        self.asked += 1
        if self.slow:
            raise SearchError("too long", "")
        found = not any(each.key == "bot" for each in query.conditions)
        rows: list[Any] = [object()] if found else []
        return SearchPage(rows, None if query.since is None else 3)


def finding(slow=False) -> Any:
    return Finding(slow)


def test_what_helps_is_tried():
    query = parse_query("bot:x option:B", NOW, UTC)
    bot, option = explained(query, UTC, finding(), NAMES)
    assert [each.finds for each in bot.less] == [True]
    assert [each.finds for each in option.less] == [False]
    unsure, _, _ = explained(
        parse_query("option:B bot:x since:1h", NOW, UTC), UTC, finding(), NAMES
    )
    assert [each.finds for each in unsure.less] == [None]


def test_what_takes_long_is_tried_once():
    store = finding(slow=True)
    terms = explained(parse_query("bot:x option:B is:late", NOW, UTC), UTC, store, NAMES)
    assert [each.finds for term in terms for each in term.less] == [None] * 3
    assert store.asked == 1


@pytest.mark.parametrize(
    "rows, following, count, paged, words",
    [
        (1, None, None, False, "1 stream"),
        (50, 7, None, False, "at least 50 streams"),
        (50, 7, StreamCount(1234, more=False), False, "1,234 streams"),
        (50, 7, StreamCount(10_000, more=True), True, "more than 10,000 streams"),
        (50, None, None, True, ""),
        (0, 7, None, False, ""),
    ],
)
def test_how_many_there_are(rows, following, count, paged, words):
    shown: list[Any] = [object()] * rows
    page = SearchPage(shown, following, count)
    assert count_in_words(page, paged=paged) == words


def test_nothing_asked_has_no_words():
    assert in_words(Query(), UTC) == []

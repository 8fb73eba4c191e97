"""Nobody is called into bots that take no stream; a few that failed say nothing."""

from __future__ import annotations

import pytest

from callbacks.promised import NOON
from callbacks.records import passthru, raw, talked
from switchhook.callbacks.streams_feed import LEAST, WINDOW_MS, StreamsFeed
from switchhook.streams.fold import Folded

FAILED = {"StreamSID": "s1", "Status": "failed", "Error": "3009: connection refused"}


def why(*ends, account="main", after_ms=0):
    """What is said after streams that ended so, a second apart."""
    feed = StreamsFeed({"sales": "main"}.get, lambda: NOON + len(ends) * 1_000 + after_ms)
    records = tuple(
        passthru(raw(f"c{at}", stream), NOON + at * 1_000, **more)
        for at, (stream, more) in enumerate(ends)
    )
    feed.folded(Folded(records, 1))
    return feed.why(account)


BAD, WELL = (FAILED, {}), (talked(20), {})


def test_bots_that_refuse_all_take_nobody():
    assert why(*[BAD] * LEAST) == f"the bots take no stream: the last {LEAST} all failed"


@pytest.mark.parametrize(
    "ends",
    [
        [BAD] * (LEAST - 1),
        [*[BAD] * LEAST, WELL],
        [(FAILED, {"endpoint": "other"})] * LEAST,
        [(FAILED, {"repeat_of": "01m86d88ez0000000012bcvxxx"})] * LEAST,
        [(None, {})] * LEAST,
    ],
    ids=["few", "one well", "another account's", "repeats", "no streams"],
)
def test_else_nothing_is_said(ends):
    assert why(*ends) == ""


def test_what_is_long_ago_and_of_others_counts_no_more():
    assert why(*[BAD] * LEAST, after_ms=WINDOW_MS) == ""
    assert why(*[BAD] * LEAST, account="second") == ""


@pytest.mark.parametrize(
    ("ends", "back"),
    [
        ([BAD, BAD, WELL, WELL], True),
        ([BAD, WELL, WELL, BAD], False),
        ([WELL, BAD, BAD, WELL], False),
        ([WELL, WELL, BAD, BAD], False),
    ],
)
def test_bots_are_back_once_two_streams_have_gone_well_since(ends, back):
    feed = StreamsFeed({"sales": "main"}.get, lambda: NOON)
    records = tuple(
        passthru(raw(f"c{at}", stream), NOON + at * 1_000, **more)
        for at, (stream, more) in enumerate(ends)
    )
    feed.folded(Folded(records, 1))
    assert feed.are_back("main", NOON + 2_000) == back
    assert not feed.are_back("second", NOON)

"""How flags stand in words, and which of them could go."""

from __future__ import annotations

import pytest

from flags.some_flags import DAY, FLAGS, NOW, OFF, SHARE
from switchhook.exotel.times import DAY_MS
from switchhook.flags.changes import FlagAct, FlagChange
from switchhook.flags.view import FlagRead, flags_view, gist_of
from switchhook.rules.flags import Flag, FlagKind, Window


def change(flag, value, at_ms=NOW, until_ms=None):
    return FlagChange(
        id=1,
        flag=flag.name,
        kind=flag.kind,
        act=FlagAct.SET,
        by="asha",
        reason="it fails",
        at_ms=at_ms,
        value=value,
        until_ms=until_ms,
    )


def shown(flag, last=None, read=None, readers=(), now_ms=NOW):
    view = flags_view(
        [flag],
        {} if last is None else {flag.name: last},
        {} if read is None else {flag.name: read},
        {flag.name: readers},
        now_ms,
    )
    return view.flags[0]


def test_a_flag_is_as_declared_until_it_is_set():
    before, after = shown(SHARE), shown(SHARE, change(SHARE, 50))
    assert (before.words, before.change) == ("10 % of callers", None)
    assert (after.words, after.text, after.default_words) == (
        "50 % of callers",
        "50%",
        "10 % of callers",
    )
    assert after.change is not None
    over = shown(SHARE, change(SHARE, 50, until_ms=NOW))
    assert (over.words, over.change) == ("10 % of callers", None)
    assert over.last is not None


def test_what_was_set_as_another_kind_is_said_not_to_count():
    text = Flag("share", FlagKind.TEXT, "a")
    found = shown(text, change(SHARE, 50))
    assert (found.words, found.change) == ('"a"', None)
    expected = "it was set as a percentage, which it is no more, so that its default holds"
    assert found.unused == expected


@pytest.mark.parametrize(
    ("days", "last", "read", "readers", "stale"),
    [
        (89, None, {}, (), ""),
        (90, None, {}, (), "neither rules nor bots have read it for 90 days: remove it"),
        (93, None, {"bots_ms": NOW + 4 * DAY_MS}, (),
         "it has been the same for 93 days: write it into the rules, and remove it"),
        (95, None, {"rules_ms": NOW, "bots_ms": NOW + DAY_MS}, (),
         "neither rules nor bots have read it for 94 days: remove it"),
        (100, None, {}, ("sales-in",),
         "it has been the same for 100 days: write it into the rules, and remove it"),
        (100, NOW + 50 * DAY_MS, {}, ("sales-in",), ""),
        (100, NOW + 10 * DAY_MS, {"bots_ms": NOW + 99 * DAY_MS}, (),
         "it has been the same for 90 days: write it into the rules, and remove it"),
    ],
)  # fmt: skip
def test_a_flag_that_could_go_is_named(days, last, read, readers, stale):
    """Not read for ninety days, or the same for as long."""
    made = None if last is None else change(OFF, True, last)
    found = shown(OFF, made, FlagRead("off", NOW, **read), readers, NOW + days * DAY_MS)
    assert found.stale == stale


def test_what_is_not_known_is_not_stale():
    assert shown(OFF, now_ms=NOW + 10**12).stale == ""


def test_who_reads_flags_is_told_of_ends_and_of_windows_that_open():
    held = {
        "off": change(OFF, True, until_ms=NOW + 5),
        "day": change(DAY, Window("10:00", "11:00")),
    }
    moments = [NOW, NOW + 4, NOW + 5]
    gists = [gist_of(FLAGS, held, at) for at in moments]
    assert gists[0] == gists[1] != gists[2]
    opens = 1_795_408_200_000  # 10:00 in India that day
    assert gist_of(FLAGS, held, opens - 1) != gist_of(FLAGS, held, opens)

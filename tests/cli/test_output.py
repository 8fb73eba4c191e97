"""Tables and pairs on terminals of any width: nothing is cut, and what is copied is not broken."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from switchhook.cli import output

SID = "1de0aa4c5b6f4729b8c3d2e1f0a91abt"
URL = "wss://a-very-long-host-name.of-some-bot.example.com:8443/media/stream?sample-rate=16000"
ERROR = "3009 failed to establish ws conn dial tcp 192.0.2.20:5007: connect: connection refused"
ADVICE = "the bot at 192.0.2.20:5007 refused the connection: is it running, and is it the port?"
COLUMNS = ("TIME", "CAUSE", "STREAM", "URL", "ERROR", "ADVICE")
ROW = ("11-24 09:12:34 IST", "connect_failed", SID, URL, ERROR, ADVICE)


@pytest.fixture
def printed(monkeypatch):
    """Gives what is printed on a terminal so wide."""

    def printing(width, work):
        file = io.StringIO()
        terminal = Console(file=file, width=width, soft_wrap=True, highlight=False, markup=False)
        monkeypatch.setattr(output, "out", terminal)
        work()
        return file.getvalue()

    return printing


@pytest.mark.parametrize("width", [20, 40, 80, 132, 10_000])
def test_a_table_cuts_nothing(printed, width):
    text = printed(width, lambda: output.print_table(COLUMNS, [ROW, ROW]))
    for whole in ROW[:-1]:
        assert text.count(whole) == 2
    assert text.count(["is", "it", "the", "port?"][-1]) == 2
    assert " ".join(text.split()).count(ADVICE) == 2
    assert "…" not in text


def test_what_fits_stands_in_one_line(printed):
    lines = printed(10_000, lambda: output.print_table(COLUMNS, [ROW])).splitlines()
    assert len(lines) == 2
    assert [lines[0].index(column) for column in COLUMNS] == [lines[1].index(each) for each in ROW]


def test_what_does_not_fit_stands_below_by_its_name(printed):
    lines = printed(60, lambda: output.print_table(COLUMNS, [ROW, (*ROW[:3], None, "", "x")]))
    assert lines.splitlines()[:4] == [
        "TIME                CAUSE",
        "11-24 09:12:34 IST  connect_failed",
        f"    stream  {SID}",
        f"    url     {URL}",
    ]
    assert lines.splitlines()[-3:] == [
        "11-24 09:12:34 IST  connect_failed",
        f"    stream  {SID}",
        "    advice  x",
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_pairs_wrap_prose_only(printed, width):
    pairs = [("call", SID), ("bot", URL), ("error", ERROR), ("advice", ADVICE), ("none", None)]
    lines = printed(width, lambda: output.print_pairs(pairs)).splitlines()
    assert lines[:3] == [f"call    {SID}", f"bot     {URL}", f"error   {ERROR}"]
    assert lines[3].startswith("advice  the bot at")
    assert all(len(line) <= width for line in lines[3:])
    assert not any(line.startswith("none") for line in lines)


def test_times_have_their_zone():
    for shown in (output.clock, output.day_clock, output.moment):
        zone = shown("2026-11-29T03:00:00Z").rpartition(" ")[2]
        assert zone
        assert not zone[0].isdigit()
        assert shown(None) == "–"


@pytest.mark.parametrize(
    "more, asks, gives",
    [
        ({"kind": "admit", "admitted": True}, "asks for room", "gate rule → admitted"),
        ({"kind": "admit", "admitted": False}, "asks for room", "gate rule → not admitted"),
        (
            {"kind": "voicebot", "pool": "sales", "member": "a", "address": "wss://a/"}
            | {"fallback": False},
            "asks for a bot",
            "gate rule → sales/a",
        ),
        (
            {"kind": "voicebot", "pool": "", "member": None, "address": "wss://f/"}
            | {"fallback": True},
            "asks for a bot",
            "gate rule → the fallback",
        ),
        (
            {"kind": "voicebot", "pool": "sales", "member": None, "address": None}
            | {"fallback": False},
            "asks for a bot",
            "gate rule → no address",
        ),
        ({}, "no stream", "gate rule → people"),
        (
            {"decision": {"option": "B", "rule": "gate rule", "promise": "full", "class": "vip"}},
            "no stream",
            "gate rule → a callback",
        ),
    ],
)
def test_a_line_says_what_was_asked_and_given(more, asks, gives):
    decision = {"option": "A", "rule": "gate rule"}
    if not more:
        decision["select"] = "people"
    receipt = {
        "received_at": "2026-11-29T13:37:41.000000Z",
        "endpoint": "bookings-in",
        "call_sid": "c1",
        "stream": None,
        "cause": "no_stream",
        "decision": decision,
        "defects": [],
    }
    line = output.receipt_line(receipt | more).plain
    assert asks in line
    assert ("no_stream" in line) == ("kind" not in more)
    assert line.endswith(gives)

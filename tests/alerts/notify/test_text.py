"""What a message says is shown, and does nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.message import Message, MessageKind
from switchhook.alerts.notify.text import LONGEST_BODY, LONGEST_TITLE, compose, harmless
from switchhook.exotel.phone_numbers import masked


def message(**changes):
    values = {
        "cause": "bot{bot=x}",
        "say": MessageKind.FIRST,
        "severity": Severity.CRITICAL,
        "title": "A bot is down (bot.example.com)",
        "lines": ("A bot is down (bot.example.com): 80 % of 5.", "What to do: mend it."),
        "alerts": (),
        "at_ms": 1_764_050_400_000,
    }
    return Message(**{**values, **changes})


def test_it_says_since_when_nothing_is_known_and_which_message_it_is():
    said = message(unknown_ms=1_764_050_300_000, id="0011223344556677")
    _, body = compose(said, url="", zone="UTC")
    assert "Not known since 25 Nov 05:58:20 UTC: its node is away." in body
    assert body.endswith("Switchhook, 25 Nov 06:00:00 UTC, message 0011223344556677")
    assert "message" not in compose(message(), url="", zone="UTC")[1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("all is well", "all is well"),
        ("<!channel> <@U1>", "‹!channel› ‹＠U1›"),
        ("@everyone", "＠everyone"),
        ("[click](https://evil.example/x)", "［click］(https∶//evil(.)example/x)"),
        ("**bold** `code` ~no~ |x|", "∗∗bold∗∗ 'code' ∼no∼ ¦x¦"),
        ("a\r\nBcc: x", "a＼r＼nBcc: x"),
        ("bot (bot0.sales.example, b.example:8443).", "bot (bot0.sales.example, b.example:8443)."),
        ("rules: /etc/switchhook/sales.toml:", "rules: /etc/switchhook/sales.toml:"),
        ("//evil.example/x", "//evil(.)example/x"),
        ("see bot.example/x?y=1", "see bot(.)example/x?y=1"),
        ("b\u00f6t.example", "b\u00f6t(.)example"),
        ("x\u202egnp.exe", "x＼u202egnp(.)exe"),
        ("\x1b[31mred\x00", "＼x1b［31mred＼x00"),
        ("# heading", "·# heading"),
        ("- item", "·- item"),
        ("=1+1", "=1+1"),
        ("call +919876543210 now", f"call {masked('+919876543210')} now"),
        ("0.5 of 3.25", "0.5 of 3.25"),
        ("विक्रय बॉट", "विक्रय बॉट"),
        ("क्\u200dष", "क्\u200dष"),
        ("a\ud800b", "a＼ud800b"),
        ("&lt;b&gt;", "＆lt;b＆gt;"),
    ],
)
def test_what_comes_from_outside_does_nothing(text, shown):
    assert harmless(text) == shown


@given(st.text(max_size=300))
def test_nothing_hidden_or_marked_up_is_left(text):
    shown = harmless(text)
    assert not set(shown) & set("<>&@[]*`~|\\\r\n")
    assert "://" not in shown
    hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not {c for c in shown if unicodedata.category(c) in hidden} - {"\u200c", "\u200d"}


def test_a_message_has_its_severity_its_time_and_a_link():
    title, body = compose(message(), url="https://console.example/", zone="Asia/Kolkata")
    assert title == "critical: A bot is down (bot.example.com)"
    assert body.splitlines() == [
        "A bot is down (bot.example.com): 80 % of 5.",
        "What to do: mend it.",
        "",
        "Switchhook, 25 Nov 11:30:00 IST",
        "I am on it: https://console.example/alerts",
    ]


def test_a_link_of_its_own_says_that_one_is_on_it():
    _, body = compose(message(), url="https://console.example/", zone="UTC", on_it="/on-it/x-1")
    assert body.endswith("\nI am on it: https://console.example/on-it/x-1")
    _, body = compose(
        message(say=MessageKind.RESOLVED), url="https://c.example", zone="UTC", on_it="/on-it/x"
    )
    assert body.endswith("\nhttps://c.example/alerts")


def test_without_a_console_url_there_is_no_link():
    title, body = compose(message(say=MessageKind.RESOLVED), url="", zone="UTC")
    assert title.startswith("A bot is down")
    assert body.endswith("Switchhook, 25 Nov 06:00:00 UTC")


def test_messages_are_short():
    long = message(title="x" * 70_000, lines=("y" * 70_000,) * 50)
    title, body = compose(long, url="", zone="UTC")
    assert len(title) == LONGEST_TITLE
    assert len(body) <= LONGEST_BODY + 100


def test_a_message_alone_says_what_is_broken_who_is_hit_and_what_to_do():
    """Whoever is woken has no page open; the number of whose bot it is is there to be called."""
    message = Message(
        cause="bot{bot=Sales}",
        say=MessageKind.FIRST,
        severity=Severity.CRITICAL,
        title="Bot Sales fails: 27 of 27 streams; it refuses connections",
        lines=(
            "27 callers hit. They went to the queue of people.",
            "At fault: bot Sales (10.1.76.120).",
            "Start the bot, and check its port.",
        ),
        alerts=("bot-down{bot=Sales}",),
        at_ms=1_795_000_000_000,
        since_ms=1_794_999_940_000,
        tell="Asha, +91 98765 43210",
        streams="cause:connect_failed bot:Sales",
        issue="ab12",
    )
    title, body = compose(message, url="https://console.example/", zone="Asia/Kolkata")
    assert title == "critical: Bot Sales fails: 27 of 27 streams; it refuses connections"
    assert body.splitlines() == [
        "27 callers hit. They went to the queue of people.",
        "At fault: bot Sales (10.1.76.120).",
        "Start the bot, and check its port.",
        "Tell Asha, +91 98765 43210.",
        "Since 18 Nov 16:35:40 IST.",
        "",
        "Switchhook, 18 Nov 16:36:40 IST",
        "The streams: https://console.example/streams?q=cause%3Aconnect_failed+bot%3ASales",
        "The issue: https://console.example/causes/ab12",
        "I am on it: https://console.example/alerts",
    ]


def test_no_address_in_a_message_has_a_number_in_it():
    """A bot's host may hold one; where the streams can't be named, the page of alerts can."""
    hit = "cause:connect_failed host:9876543210.bot.example since:2026-11-25T06:00"
    _, body = compose(message(streams=hit), url="https://console.example", zone="UTC")
    assert "9876543210" not in body
    assert "/alerts" in body
    hit = "cause:connect_failed host:bot.example since:2026-11-25T06:00"
    _, body = compose(message(streams=hit), url="https://console.example", zone="UTC")
    assert "The streams: https://console.example/streams?q=cause" in body


def test_whom_to_tell_stands_as_the_operator_wrote_it():
    said = message(tell="Ravi, on-call@bots.example.com, +91 98765 43210")
    _, body = compose(said, url="", zone="Asia/Kolkata")
    assert "Tell Ravi, on-call@bots.example.com, +91 98765 43210." in body


def test_what_is_late_says_of_when_it_is():
    _, body = compose(message(), url="", zone="Asia/Kolkata", late_s=61)
    assert body.startswith("Late: so it was at 25 Nov 11:30:00 IST.")
    assert "Late" not in compose(message(), url="", zone="Asia/Kolkata", late_s=59)[1]

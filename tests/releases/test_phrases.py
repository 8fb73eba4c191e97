"""Whom a rule is about, in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.releases.phrases import callers_words

SAID = [
    ("true", "all callers"),
    (
        'stream.cause == "throttled" && call.flow_id == "12"',
        "throttled callers from flow 12",
    ),
    ('call.flow_id == "12" && stream.cause == "throttled"', "throttled callers from flow 12"),
    (
        'stream.cause in ["throttled", "connect_failed"]',
        "callers who were throttled or whose bot was not reached",
    ),
    (
        'stream.disconnected_by == "bot" && stream.duration < 5',
        "callers whom the bot left after less than 5 s of stream",
    ),
    ("5 > stream.duration", "callers after less than 5 s of stream"),
    ("local.hour < 6", "callers when the hour is less than 6"),
    ("account.headroom < 3", "callers while less than 3 streams are left"),
    ('call.flow_id in ["12","13"]', "callers from flow 12 or 13"),
    ('call.digits == ""', "callers who pressed nothing"),
    ('stream.cause != "throttled"', "callers but not those who were throttled"),
    ('call.from.startsWith("+9140")', "callers from numbers beginning with +9140"),
    ('call.to.endsWith("44")', "callers who called numbers ending in 44"),
    ("!stream.present", "callers who had no stream"),
    ("stream.present == false", "callers who had no stream"),
    ("!(account.known)", "callers while they are not known"),
    ("flags.night", "callers while flag night is on"),
    ('!flags.x && flags.y == "a"', 'callers while flag x is off and while flag y is "a"'),
    ("flags.most > 3", "callers while flag most is more than 3"),
    # What binds stronger, and brackets.
    (
        '!stream.present || call.digits == "2" && local.hour >= 9',
        "callers who had no stream or who pressed 2 when the hour is at least 9",
    ),
    (
        '(call.digits == "1" || call.digits == "2") && local.weekday in ["saturday", "sunday"]',
        "callers who pressed 1 or who pressed 2 on Saturday or Sunday",
    ),
    # What has no words stands as it is written, after what has.
    (
        'call.digits.matches(r"^[1-3]$") && stream.present',
        'callers who had a stream for whom `call.digits.matches(r"^[1-3]$")`',
    ),
    (
        'call.direction == "inbound" ? local.hour < 9 : local.hour < 7',
        'callers for whom `call.direction == "inbound" ? local.hour < 9 : local.hour < 7`',
    ),
    ('extra["x"] == "y"', 'callers for whom `extra["x"] == "y"`'),
    ('stream.cause == "throttled" // so\n && call.flow_id == "3"', "throttled callers from flow 3"),
    ('stream.error.contains("a && b")', 'callers for whom `stream.error.contains("a && b")`'),
    ("(1 < 2) == (3 < 4)", "callers for whom `(1 < 2) == (3 < 4)`"),
]


@pytest.mark.parametrize(("when", "words"), SAID)
def test_a_rule_in_words(when, words):
    assert callers_words(when) == words


def test_numbers_are_masked():
    said = callers_words('call.from in ["+919876543210"] && extra["vip"] == "+919876543210"')
    assert "98765" not in said
    assert said.startswith("callers from +91")


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["()", "&&", "||", "!", ",", "[", "]", '"a"', "call.to", "==", "in", "5", "<"]
        )
    )
)
def test_any_text_has_words(text):
    """Also what is no expression: drafts are shown, too."""
    assert callers_words(text if isinstance(text, str) else " ".join(text))

"""Text from outside does nothing on a page, and everything in it can be seen."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.web.escaping import escaped, may_link, visible

CASES = {
    "plain": ("वाणी தமிழ்", "<bdi>वाणी தமிழ்</bdi>"),
    "markup": ("<b>&\"'", "<bdi>&lt;b&gt;&amp;&#34;&#39;</bdi>"),
    "direction": ("a\u202eb", '<bdi>a<span class="ctl">\\u202e</span>b</bdi>'),
    "control": ("\x1b[31m", '<bdi><span class="ctl">\\x1b</span>[31m</bdi>'),
    "line": ("a\nb", '<bdi>a<span class="ctl">\\n</span>b</bdi>'),
    "half a character": ("\ud800", '<bdi><span class="ctl">\\ud800</span></bdi>'),
    "joiners of Indian scripts": ("क्\u200dष", "<bdi>क्\u200dष</bdi>"),
    "tag characters": ("\U000e0041", '<bdi><span class="ctl">\\ue0041</span></bdi>'),
}


@pytest.mark.parametrize(("text", "shown"), CASES.values(), ids=CASES)
def test_what_would_act_is_shown_as_its_code(text, shown):
    assert visible(text) == shown


def test_a_long_text_is_cut():
    assert visible("a" * 600) == "<bdi>" + "a" * 500 + "…</bdi>"
    assert visible("\x00" * 600, 1) == '<bdi><span class="ctl">\\x00</span>…</bdi>'


def test_our_own_lines_stay_lines():
    assert visible("a\nb\x00", lines=True) == '<bdi>a\nb<span class="ctl">\\x00</span></bdi>'


@given(st.text())
def test_no_text_acts(text):
    shown = str(visible(text, 10_000))
    inside = html.unescape(re.sub(r"</?(bdi|span)[^>]*>", "", shown))
    assert "<" not in re.sub(r"</?bdi>|</?span( class=\"ctl\")?>", "", shown)
    assert not [c for c in inside if unicodedata.category(c) in ("Cc", "Cs")]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", inside)
    assert escaped(text) == inside


def test_towers_of_marks_are_cut_down():
    tower = "a" + "\u0301" * 50
    assert sum(c == "\u0301" for c in visible(tower)) <= 4


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://recordings.example/a.mp3", True),
        ("https://RECORDINGS.example:443/a", True),
        ("https://a.cdn.example/x", True),
        ("https://cdn.example/x", False),
        ("http://recordings.example/a", False),
        ("https://recordings.example:8443/a", False),
        ("https://recordings.example@evil.example/", False),
        ("https://user@recordings.example/", False),
        ("https://recordings.example\\@evil.example/", False),
        ("https://recordings.example\n.evil.example/", False),
        ("javascript:alert(1)//recordings.example", False),
        ("https://recordings.example.evil.example/", False),
        ("https://[broken", False),
        ("", False),
        (None, False),
    ],
)
def test_only_addresses_of_the_operators_list_can_be_clicked(url, allowed):
    assert may_link(url, ("recordings.example", "*.cdn.example")) is allowed

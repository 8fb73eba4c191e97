"""The page of a load: whole, plain, and of one piece."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape
from html.parser import HTMLParser

import pytest

from switchhook.emulator.runs.load import Figures, LoadPlan, table
from switchhook.emulator.runs.load_report import page
from switchhook.exotel.times import IST

PLAN = LoadPlan(calls=100, rate_s=2, for_s=20)


def measured(*, wrong=0):
    figures = Figures()
    for number in range(1, 1001):
        figures.passthru.add(number / 1000)
        figures.set_up.add(number / 100_000)
        figures.first_audio.add(0.5)
        figures.late.add(1e-7 * 10 ** (number // 100))  # over ten powers of ten
    figures.placed = figures.ended = 1000
    figures.outcomes["bot_done"] = 1000
    figures.options["bot_done", "A"] = figures.right = 1000 - wrong
    if wrong:
        figures.options["bot_done", "B"] = figures.wrong["bot_done: Option B"] = wrong
    return figures


class Tags(HTMLParser):
    """Start tags, and the attributes that could lead elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.leads = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.leads += [name for name, _ in attrs if name in ("src", "href", "action")]


def test_the_page_holds_the_figures_and_nothing_from_elsewhere():
    figures = measured()
    text = page(figures, PLAN)
    tags = Tags(text)
    assert tags.seen.count("svg") == 4
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert not tags.leads
    assert "http" not in text
    assert "url(" not in text
    for row in table(figures):
        assert all(escape(cell) in text for cell in row)


def test_it_is_for_telephones_and_for_the_dark_too():
    text = page(measured(), PLAN)
    assert "width=device-width" in text
    assert "prefers-color-scheme:dark" in text
    # Words in plots are as large as they say only where a unit of theirs is a pixel.
    assert all(int(width) <= 360 for width in re.findall(r'viewBox="0 0 (\d+)', text))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [(0, "1,000 answers were right"), (7, "7 of 1,000 answers were not what was expected")],
)
def test_the_verdict_comes_first(wrong, told):
    text = page(measured(wrong=wrong), PLAN)
    assert text.index(told) < text.index("<table>")
    assert ("class=bad" in text) == bool(wrong)
    assert ("Unexpected answers" in text) == bool(wrong)


def test_calls_that_were_left_out_are_told():
    figures = measured()
    assert "Left out" not in page(figures, PLAN)
    figures.left_out = 1234
    assert "too many at once: 1,234." in page(figures, PLAN)


def test_what_was_not_measured_has_no_plot():
    text = page(Figures(), PLAN)
    assert "<svg" not in text
    assert "0 answers were right" in text


def test_words_of_others_are_no_markup():
    figures = measured()
    figures.problems["<script>alert(1)</script>"] = 1
    assert "<script>" not in page(figures, PLAN)


def test_it_says_whom_it_called_and_when():
    at = datetime(2026, 1, 5, 10, 0, tzinfo=IST)
    text = page(measured(), PLAN, to=["bot.example", "<b>"], at=at)
    assert "Called bot.example, &lt;b&gt;, ended 2026-01-05 10:00:00 IST." in text
    assert "Called" not in page(measured(), PLAN)

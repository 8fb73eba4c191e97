"""Whose a stream is that tells no host."""

from __future__ import annotations

from switchhook.streams.facet import Facet
from switchhook.streams.names import Bot, Names
from switchhook.troubles import bots_met
from switchhook.troubles.bots_met import BotsMet

NAMES = Names(bots=(Bot("Sales", hosts=("a.example",)), Bot("Night", exophones=("+918047112299",))))


def at(host, number="+918047112233", endpoint="sales"):
    cause = "bot_done" if host else "caller_left_early"
    return Facet(endpoint, "", cause, "A", host=host, exophone=number)


def names_of(*facets):
    met = BotsMet()
    return [met.bot_of(facet, NAMES) for facet in facets]


def test_it_is_the_bot_s_that_the_others_of_its_number_met():
    assert names_of(at(""), at("a.example"), at("")) == ["", "Sales", "Sales"]
    assert names_of(at("b.example"), at("")) == ["b.example", "b.example"], "named or not"


def test_another_number_s_or_endpoint_s_bot_tells_nothing():
    assert names_of(at("a.example"), at("", number="+918047112244")) == ["Sales", ""]
    assert names_of(at("a.example"), at("", endpoint="night")) == ["Sales", ""]


def test_what_may_be_one_of_several_is_nobody_s():
    assert names_of(at("a.example"), at("b.example"), at(""))[-1] == ""


def test_only_the_last_ones_count():
    moved = [at("b.example")] * bots_met._LATEST
    assert names_of(at("a.example"), *moved, at(""))[-1] == "b.example"


def test_what_the_operator_said_of_a_number_counts_more():
    number = "+918047112299"
    assert names_of(at("a.example", number), at("", number)) == ["Sales", "Night"]


def test_numbers_are_forgotten_rather_than_piled_up(monkeypatch):
    monkeypatch.setattr(bots_met, "_MOST_NUMBERS", 2)
    met = BotsMet()
    for number in ("+911", "+912", "+913"):
        met.bot_of(at("a.example", number), NAMES)
    assert [met.bot_of(at("", number), NAMES) for number in ("+911", "+912", "+913")] == [
        "",
        "Sales",
        "Sales",
    ]

"""Whose hits are shown of which rule: those of the release that runs, apart from those before."""

import msgspec
import pytest

from switchhook.rules.decide import EndpointKind, Option, Rule
from switchhook.streams.endpoints import (
    EndpointShown,
    RulesShown,
    endpoint_use,
    rule_uses,
    share_chart,
)
from switchhook.streams.facet import Facet, RuleHits, Tally
from switchhook.streams.names import Names
from switchhook.web.chart import Mark

NOW, OLD = "n" * 64, "o" * 64
POINT = EndpointShown(
    name="sales",
    mode="sync",
    auth="enforce",
    safe_option="B",
    deadline_ms=1000,
    secret=True,
    rules=RulesShown(
        release=NOW,
        since_us=None,
        by="start",
        file="sales.toml",
        rules=(Rule("full", "account.full", Option.B), Rule("late", "hour > 20", Option.A)),
        default=Rule("default", "no rule matched", Option.A),
    ),
)


def hits(rule, release=NOW, option="B", count=1, last=1000):
    return RuleHits("sales", release, rule, option, count, last, 1)


def uses(*found):
    return {each.name: each for each in rule_uses(POINT, found)}


def test_every_rule_is_there_in_its_order_with_what_stands_in_where_none_decides():
    found = rule_uses(POINT, [])
    assert [(each.name, each.option, each.stands_in) for each in found] == [
        ("full", "B", False),
        ("late", "A", False),
        ("default", "A", True),
        ("safe option", "B", True),
        ("repeat", "", True),
    ]
    assert {(each.hits, each.before, each.last_ms) for each in found} == {(0, 0, None)}


def test_what_rules_of_each_kind_give_is_told():
    rules = msgspec.structs.replace(
        POINT.rules,
        rules=(Rule("hindi", "true", Option.A, pool="sales-hindi"),),
        default=Rule("default", "no rule matched", Option.A, pool="sales"),
    )
    point = msgspec.structs.replace(POINT, rules=rules, kind=EndpointKind.VOICEBOT)
    found = rule_uses(point, [])
    assert [(each.name, each.option, each.pool) for each in found[:3]] == [
        ("hindi", "", "sales-hindi"),
        ("default", "", "sales"),
        ("safe option", "", ""),
    ]
    assert found[2].when == "deciding failed: the fallback address"
    rules = msgspec.structs.replace(
        POINT.rules,
        rules=(
            Rule("people", "true", Option.A, select="people"),
            Rule("vip", "true", Option.A, class_="vip"),
        ),
    )
    people, vip, *_ = rule_uses(msgspec.structs.replace(POINT, rules=rules), [])
    assert (people.option, people.select, vip.option, vip.class_) == ("A", "people", "A", "vip")


def test_hits_of_releases_before_stand_apart():
    full = uses(hits("full", count=3, last=5000), hits("full", OLD, count=40, last=9000))["full"]
    assert (full.hits, full.before, full.last_ms, full.last_before) == (3, 40, 5000, False)
    late = uses(hits("late", OLD, count=2, last=7000))["late"]
    assert (late.hits, late.before, late.last_ms, late.last_before) == (0, 2, 7000, True)


def test_both_options_of_one_name_count_together():
    """A repeat's, and the safe option's once another was configured."""
    found = uses(hits("repeat", option="A", count=2), hits("repeat", option="B", count=3))
    assert found["repeat"].hits == 5


@pytest.mark.parametrize(("count", "shown"), [(4, True), (0, False)])
def test_a_rule_that_is_gone_shows_as_long_as_it_hit_in_the_time(count, shown):
    found = uses(hits("gone", OLD, count=count))
    assert ("gone" in found) is shown
    if shown:
        assert (found["gone"].written, found["gone"].before) == (False, 4)


def test_streams_are_counted_by_the_hour_and_by_option():
    hour = 3_600_000
    tallies = [
        Tally(0, Facet("sales", "completed", "bot_done", "A"), 3),
        Tally(0, Facet("sales", "failed", "throttled", "B"), 1),
        Tally(23 * hour, Facet("sales", "failed", "throttled", "B"), 2),
    ]
    use = endpoint_use("sales", POINT, [], tallies, [], (), Names(), 0)
    assert (use.streams, use.options) == (6, (("A", 3), ("B", 3)))
    assert (use.hours[0], use.hours[23]) == (4, 2)
    assert endpoint_use("sales", POINT, [], [], [], (), Names(), 0).hours == (0,) * 24


def test_shares_are_told_stretch_by_stretch_with_the_marks_of_the_endpoint():
    minute = 60_000
    tallies = [
        Tally(0, Facet("sales", "completed", "bot_done", "A"), 3),
        Tally(6 * minute, Facet("sales", "failed", "throttled", "B"), 1),
        Tally(9 * minute, Facet("sales", "failed", "throttled", "B"), 1),
        Tally(9 * minute, Facet("support", "failed", "throttled", "B"), 7),
    ]
    marks = [
        Mark(1, "rules of sales changed", "/endpoints", "rules", "sales"),
        Mark(2, "rules of support changed", "/endpoints", "rules", "support"),
        Mark(3, "Bot down", "/alerts", "incident"),
    ]
    chart = share_chart("sales", tallies, 0, 15 * minute, 5 * minute, marks)
    assert chart.columns == [(0, 3, 0), (300, 0, 2), (600, 0, 0)]
    assert [each.at_ms for each in chart.marks] == [1, 3]
    assert chart.q == "endpoint:sales"

"""What all are told, as rows have it: what is encoded is read, and moments go by the database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.capacity.facts_document import (
    LIVES_MS,
    NOTHING,
    AccountFigures,
    Moment,
    Node,
    facts_at,
    routing_at,
)
from switchhook.cluster import told
from switchhook.rules.flags import FlagKind, FlagSetting
from switchhook.rules.rollout import Rollout
from switchhook.rules.routing import AdmissionBudget, HandAct, HandSetting, MemberFacts

HAND = HandSetting(id=3, act=HandAct.SAFE, endpoint="sales", by="asha")
FLAG = FlagSetting(flag="off", kind=FlagKind.BOOLEAN, value=True)
SHARE = Rollout(subject="rules/sales", number=4, hash="ab" * 32, share=500)
# The leader's clocks, those of the database, and those of a node; none knows anything of another.
LEADER = told.Clocks(database_ms=9_000_000, now_ms=500_000, mono_ms=70_000)
NODE = told.Clocks(database_ms=9_002_000, now_ms=123_000, mono_ms=5_000_000)


def told_to_node(topic, content, at=NODE, node=7):
    return told.taken(NOTHING, topic, told.encoded(content, LEADER), at, node)


def test_figures_are_as_old_on_a_node_as_they_are():
    figures = told.Figures({"main": AccountFigures(499_000, 71, 100, 69_000)})
    document = told_to_node(told.ACCOUNTS, figures)
    known = facts_at(document.accounts["main"], NODE.now_ms, NODE.mono_ms)
    assert known is not None
    assert (known.active, known.allowed, known.age_s) == (71, 100, 3.0)


@given(
    age_ms=st.integers(0, 100_000),
    later_ms=st.integers(0, 100_000),
    node_ms=st.integers(0, 2**41),
    mono_ms=st.integers(0, 2**41),
)
def test_no_clock_of_a_node_keeps_dead_facts_alive(age_ms, later_ms, node_ms, mono_ms):
    """Whatever a node's own clocks say, a member's health is as old as the database says."""
    moment = Moment(LEADER.now_ms - age_ms, LEADER.mono_ms - age_ms)
    content = Node(members={"p": {"m": MemberFacts(0.5)}}, members_told=moment)
    at = told.Clocks(LEADER.database_ms + later_ms, node_ms, mono_ms)
    document = told_to_node(told.topic_of_node(7), content, at)
    known = routing_at(document, 7, at.now_ms, at.mono_ms).members
    assert bool(known) == (age_ms + later_ms <= LIVES_MS)


def test_what_was_never_told_to_a_node_is_dead():
    document = told_to_node(told.topic_of_node(7), Node(budgets={"main": AdmissionBudget(5)}))
    assert not routing_at(document, 7, NODE.now_ms, NODE.mono_ms).budgets


def test_each_topic_changes_its_own_part_alone():
    document = NOTHING
    for topic, content in (
        (told.HANDS, told.encode((HAND,))),
        (told.FLAGS, told.encode((FLAG,))),
        (told.ROLLOUTS, told.Shares((SHARE,), Moment(LEADER.now_ms, LEADER.mono_ms))),
        (told.topic_of_node(7), Node(budgets={"main": AdmissionBudget(5, 12)})),
        (told.topic_of_node(8), Node(budgets={"main": AdmissionBudget(6, 12)})),
        (told.topic_of_text("pools"), b"{}"),
    ):
        document = told.taken(document, topic, told.encoded(content, LEADER), NODE, 7)
    assert document.hands == (HAND,)
    assert document.flags == {"off": FLAG}
    assert document.rollouts == (SHARE,)
    assert document.rollouts_told == Moment(NODE.now_ms - 2_000, NODE.mono_ms - 2_000)
    assert document.nodes.keys() == {7}
    assert document.nodes[7].budgets == {"main": AdmissionBudget(5, 12)}


@pytest.mark.parametrize(
    ("topic", "node", "text", "candidate"),
    [
        (told.topic_of_node(7), 7, None, None),
        (told.topic_of_text("rules/sales"), None, "rules/sales", None),
        (told.topic_of_candidate("pools"), None, None, "pools"),
        (told.HANDS, None, None, None),
        ("facts/node/x", None, None, None),
    ],
)
def test_topics_say_what_they_are_of(topic, node, text, candidate):
    assert told.node_of(topic) == node
    assert told.subject_of_text(topic) == text
    assert told.subject_of_candidate(topic) == candidate
    assert told.is_text(topic) == bool(text or candidate)


def test_texts_and_candidates_go_both_ways():
    text = told.ToldText("x", "y", "asha", "2026-11-29T10:00:00+00:00", 4)
    assert told.read_text(told.encode(text)) == text
    candidate = told.ToldCandidate(5, "h", "t", "b")
    assert told.read_candidate(told.encode(candidate)) == candidate
    assert told.read_candidate(b"") is None

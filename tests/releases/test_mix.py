"""What a decision counts as in a mix."""

from __future__ import annotations

import pytest

from switchhook.releases.mix import mix_word
from switchhook.rules.decide import Decision, Option
from switchhook.rules.outcome import EndpointKind as Kind
from switchhook.rules.routing import Route

A, B = Option.A, Option.B


def decision(option=A, rule="default", **more):
    return Decision(option, rule, "0" * 64, "because", **more)


@pytest.mark.parametrize(
    ("subject", "kind", "given", "word"),
    [
        ("rules/sales", Kind.PASSTHRU, decision(), 'A by "default"'),
        ("rules/sales", Kind.PASSTHRU, decision(B, "late"), 'B by "late"'),
        ("rules/sales", Kind.PASSTHRU, decision(select="vip"), 'A vip by "default"'),
        ("rules/gate", Kind.ADMIT, decision(A, "vip"), 'by "vip"'),
        ("rules/gate", Kind.ADMIT, decision(B, "vip"), 'by "vip"'),
        ("rules/bots", Kind.VOICEBOT, decision(pool="sales"), 'sales by "default"'),
        ("rules/bots", Kind.VOICEBOT, decision(B, pool="sales"), 'sales by "default"'),
        ("rules/sales", Kind.PASSTHRU, decision(rule="safe option"), ""),
        ("rules/sales", Kind.PASSTHRU, decision(rule="set by hand"), ""),
        ("rules/sales", Kind.PASSTHRU, decision(rule="repeat"), ""),
    ],
)
def test_room_and_health_are_no_part_of_it(subject, kind, given, word):
    assert mix_word(subject, kind, given) == word


def test_of_pools_it_is_the_member():
    route = Route(pool="sales", key="c1", member="vendor-a")
    assert mix_word("pools", Kind.VOICEBOT, decision(pool="sales"), route) == "sales/vendor-a"
    nobody = Route(pool="sales", key="c1")
    by_hand = Route(pool="sales", key="c1", member="vendor-a", hands=(3,))
    for other in (None, nobody, by_hand):
        assert mix_word("pools", Kind.VOICEBOT, decision(pool="sales"), other) == ""

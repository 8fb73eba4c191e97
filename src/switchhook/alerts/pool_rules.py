"""The rules of alerts about pools and room that are on unless somebody turns them off."""

from __future__ import annotations

from switchhook.alerts.alert_rule import AlertRule, Comparison, Severity

POOL_RULES = (
    AlertRule(
        name="refusals",
        title="Callers are refused for want of room",
        figure="admission.refused_now",
        comparison=Comparison.ABOVE,
        threshold=0,
        clear_for_s=60,
        group_by=("account",),
        topic="limit",
        advice="hold campaigns back, or ask Exotel to raise the limit; the page Capacity says what"
        " takes the room",
    ),
    AlertRule(
        name="room-unknown",
        title="Callers get the safe option, as nothing is known of room",
        figure="admission.unknown_now",
        comparison=Comparison.ABOVE,
        threshold=0,
        clear_for_s=60,
        group_by=("account",),
        advice="see on the page Capacity whether Exotel can be asked, and its key and token",
    ),
    AlertRule(
        name="member-out",
        title="A member of a pool fails",
        figure="member.out",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear_for_s=0,
        group_by=("pool", "member"),
        topic="member",
        advice="the page Routes says what its streams, the probe and its bot tell, and whether its"
        " name leads into a network of your own; drain it, or mend it",
    ),
    AlertRule(
        name="pool-degraded",
        title="All members of a pool fail",
        figure="pool.degraded",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear_for_s=0,
        severity=Severity.CRITICAL,
        group_by=("pool",),
        topic="pool",
        advice="move its calls, or send callers to people: the page Routes offers it, and the first"
        " line names the command",
    ),
    AlertRule(
        name="certificate-ends",
        title="A member's certificate ends soon",
        figure="member.certificate_days",
        comparison=Comparison.BELOW,
        threshold=14,
        clear=14,
        clear_for_s=0,
        group_by=("pool", "member"),
        topic="certificate",
        advice="have whoever runs the bot renew it; Exotel refuses one that has ended",
    ),
    AlertRule(
        name="bot-silent",
        title="A bot is connected and silent",
        figure="member.silent_calls",
        comparison=Comparison.AT_LEAST,
        threshold=3,
        clear_for_s=0,
        severity=Severity.CRITICAL,
        group_by=("pool", "member"),
        topic="silent",
        advice="take it out on the page Routes, and look in its log: does its voice work?",
    ),
)

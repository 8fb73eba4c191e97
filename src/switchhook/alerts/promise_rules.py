"""The rules of alerts about promises that are on unless somebody turns them off."""

from __future__ import annotations

from switchhook.alerts.alert_rule import AlertRule, Comparison, Severity

PROMISE_RULES = (
    AlertRule(
        name="promises-late",
        title="Promises will miss their time",
        figure="promises.late",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        for_s=60,
        clear=1,
        clear_for_s=60,
        group_by=("account",),
        topic="promises-late",
        inhibited_by="dialling",
        advice="free streams, or ask Exotel for more; hold campaigns back; what is paused counts,"
        " too: the page Promises has them",
    ),
    AlertRule(
        name="dialling-off",
        title="Promises wait, and nobody may be dialled",
        figure="dialling.off",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        for_s=60,
        clear_for_s=0,
        group_by=("account",),
        topic="dialling",
        advice="an administrator allows it: switchhook promises allow-dialling ACCOUNT --reason"
        " WHY; or cancel what waits",
    ),
    AlertRule(
        name="dialling-refused",
        title="Exotel refuses to call anybody back",
        figure="dialling.refused",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear_for_s=0,
        severity=Severity.CRITICAL,
        group_by=("account",),
        topic="dialling",
        advice="mend what it says (key, money, the account's rights), then: switchhook promises"
        " allow-dialling ACCOUNT --reason WHY",
    ),
    AlertRule(
        name="callbacks-abandoned",
        title="People were called back, and nobody talked to them",
        figure="callbacks.abandoned",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear=1,
        clear_for_s=0,
        group_by=("account",),
        topic="callbacks-abandoned",
        advice="call the flow that callbacks lead into, and listen; until it works: switchhook"
        " promises stop-dialling",
    ),
    AlertRule(
        name="promises-refuted",
        title="Callbacks are asked for of calls that Exotel does not know",
        figure="promises.refuted",
        comparison=Comparison.AT_LEAST,
        threshold=3,
        clear=1,
        clear_for_s=0,
        group_by=("account",),
        topic="promises-refuted",
        advice="nobody was dialled; whoever sends them has an endpoint's secret: make another, and"
        " see where the requests come from",
    ),
)

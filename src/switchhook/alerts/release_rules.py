"""The rules of alerts about releases that are on unless somebody turns them off."""

from __future__ import annotations

from switchhook.alerts.alert_rule import AlertRule, Comparison, Severity

RELEASE_RULES = (
    AlertRule(
        name="release-harmed",
        title="A release harmed callers, and was taken back",
        figure="release.harmed",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear_for_s=0,
        group_by=("release", "subject"),
        topic="release",
        advice="see its page: it has the evidence and the callers behind it",
    ),
    AlertRule(
        name="release-damaged",
        title="A canary was stopped, as its copy was damaged",
        figure="release.damaged",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear_for_s=0,
        group_by=("release", "subject"),
        topic="release-damaged",
        advice="look at the disk, and begin the canary again; what ran before decides for all",
    ),
    AlertRule(
        name="release-unwatched",
        title="Nobody watches a canary",
        figure="release.unwatched",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear_for_s=0,
        group_by=("release", "subject"),
        topic="release-unwatched",
        advice="see whether the console keeps up with the journal; after 5 minutes what ran before"
        " decides for all callers",
    ),
    AlertRule(
        name="release-waits",
        title="A canary waits for a person",
        figure="release.ready",
        comparison=Comparison.AT_LEAST,
        threshold=1,
        clear_for_s=0,
        severity=Severity.INFO,
        group_by=("release", "subject"),
        topic="release-waits",
        advice="take it to its next stage on its page, or end it there",
    ),
)

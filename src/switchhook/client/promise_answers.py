"""What the API says of promises: who is owed a callback, and how calling back goes."""

from __future__ import annotations

import msgspec


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """Part of an answer."""


class Promise(_Answer, frozen=True, kw_only=True):
    """A callback that is owed to somebody, or was; `said` is how it stands, in words."""

    id: int
    account: str
    number: str
    class_: str | None
    reason: str
    origin: str
    endpoint: str | None
    call_sid: str | None
    receipt: str | None
    made_by: str | None
    made_at: str | None
    due_at: str | None
    until_at: str | None
    state: str
    event: str | None
    since: str | None
    why: str | None
    said: str
    attempts: int
    doubts: int
    ending: str | None
    acts: list[str]


class Promises(_Answer, frozen=True, kw_only=True):
    """A page of promises, newest first; `next` is the cursor of the one after it."""

    promises: list[Promise]
    next: int | None


class PromiseStep(_Answer, frozen=True, kw_only=True):
    """Something that happened to a promise; `event` is None at its beginning."""

    at: str | None
    event: str | None
    state: str
    why: str | None
    attempt: int | None
    by: str | None


class PromiseCall(_Answer, frozen=True, kw_only=True):
    """A request to call somebody back, and what became of it."""

    attempt: int
    asked_at: str | None
    exophone: str
    state: str
    call_sid: str | None
    outcome: str | None
    talk_s: int | None
    price: float | None
    over_at: str | None
    problem: str | None


class PromiseStory(Promise, frozen=True, kw_only=True):
    """A promise with what happened to it and its calls, oldest first."""

    steps: list[PromiseStep]
    calls: list[PromiseCall]


class PromisesLately(_Answer, frozen=True, kw_only=True):
    """How promises ended in 24 hours; `in_time` is the share of those owed that was kept."""

    since: str | None
    kept: int
    broken: int
    served: int
    expired: int
    cancelled: int
    refuted: int
    owed: int
    in_time: float | None
    median_s: float | None
    p90_s: float | None


class Dialling(_Answer, frozen=True, kw_only=True):
    """Whether an account may dial; `why_not` is None while it may."""

    allowed: bool
    why_not: str | None
    by: str | None
    since: str | None
    stopped: str | None
    stopped_by: str | None
    stopped_at: str | None
    held_until: str | None
    held_why: str | None


class CampaignPace(_Answer, frozen=True, kw_only=True):
    """At how many answered calls a minute a campaign may run."""

    allowed: int | None
    reserve: int
    mean_s: float | None
    calls_a_minute: float | None
    words: str


class CallingAccount(_Answer, frozen=True, kw_only=True):
    """How an account calls back: into the flow `flow_id`, or straight to a `bot`.

    `waits` is why nobody who is due is called though it may dial.
    """

    account: str
    exophone: str | None
    flow_id: str | None
    bot: bool
    hours: str
    states: dict[str, int]
    due: int
    dialling: Dialling
    waits: str | None
    calls_in_hour: int
    most_calls_in_hour: int
    spent_in_hour: float
    most_spent_in_hour: float
    lately: PromisesLately
    campaign_pace: CampaignPace


class PromisesSummary(_Answer, frozen=True, kw_only=True):
    """How calling back stands; `states` counts promises that are not over."""

    at: str | None
    states: dict[str, int]
    due: int
    on_their_way: int
    over: int
    refused: int
    owed_already: int
    do_not_call: int
    lately: PromisesLately
    accounts: list[CallingAccount]

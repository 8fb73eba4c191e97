"""What the API answers, as frozen structs; their fields are those of docs/api.md.

Times are RFC 3339 texts in UTC, as they were sent: `datetime.fromisoformat` reads them. None is
what is not known. What a later release adds is left out.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Answer(
    msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from", "class_": "class"}
):
    """Part of an answer."""


class Evidence(_Answer, frozen=True, kw_only=True):
    """A text that a verdict rests on, and which field it stood in."""

    field: str
    text: str


class ErrorDetail(_Answer, frozen=True, kw_only=True):
    """The text of `Stream[Error]` taken apart."""

    code: int | None
    kind: str
    host: str | None
    port: int | None
    close_code: int | None


class Stream(_Answer, frozen=True, kw_only=True):
    """One media session of a call; `cause` is how it ended, `option` what was answered."""

    id: str
    call_sid: str | None
    endpoint: str
    from_: str | None
    to: str | None
    sid: str | None
    status: str | None
    status_raw: str | None
    duration_s: int | None
    duration_raw: str | None
    url: str | None
    recording_url: str | None
    disconnected_by: str | None
    disconnected_by_raw: str | None
    detailed_status: str | None
    error: str | None
    disposition: str | None
    error_detail: ErrorDetail | None
    cause: str | None
    advice: str | None
    evidence: list[Evidence] | None
    option: str
    settled_by: str
    first_received_at: str | None
    last_received_at: str | None


class Streams(_Answer, frozen=True, kw_only=True):
    """A page of streams, newest first; `next` is the cursor of the one after it."""

    streams: list[Stream]
    next: str | None


class StreamStory(Stream, frozen=True, kw_only=True):
    """A stream with the ids of the receipts that tell of it."""

    receipts: list[str]
    more: bool


class Call(_Answer, frozen=True, kw_only=True):
    """One telephone call. `passthrus`, `before` and `reports` are as docs/api.md has them."""

    call_sid: str
    first_received_at: str | None
    last_received_at: str | None
    from_: str | None
    from_raw: str | None
    to: str | None
    to_raw: str | None
    direction: str | None
    direction_raw: str | None
    account_sid: str | None
    status: str | None
    type: str | None
    dial_status: str | None
    flow_id: str | None
    custom_field: str | None
    recording_url: str | None
    passthrus: list[dict[str, Any]]
    before: list[dict[str, Any]] = []
    reports: list[dict[str, Any]] = []
    streams: list[Stream]
    more: bool


class Verdict(_Answer, frozen=True, kw_only=True):
    """How things are, in words: the first line of every page."""

    level: str
    what: str
    since: str | None
    callers: str
    went: str
    fault: str
    todo: str
    tell: str
    stale: list[str]
    more: list[str]
    streams: str
    issue: str
    page: str
    press: dict[str, Any] | None = None


class NowAccount(_Answer, frozen=True, kw_only=True):
    """How an account stands, in short."""

    account: str
    active: int | None
    allowed: int | None
    headroom: int | None
    age_s: float | None
    problem: str | None
    forecast: dict[str, Any] | None


class FailedCause(_Answer, frozen=True, kw_only=True):
    """How many streams failed of one cause."""

    cause: str
    streams: int


class Failed(_Answer, frozen=True, kw_only=True):
    """How many of the streams of the last 15 minutes failed."""

    share: float | None
    failed: int
    streams: int
    causes: list[FailedCause]


class Answers(_Answer, frozen=True, kw_only=True):
    """How fast callers were answered in the last 15 minutes."""

    answers: int
    p50_ms: int | None
    p99_ms: int | None
    slower: bool


class IssueMark(_Answer, frozen=True, kw_only=True):
    """What somebody said of an issue."""

    at: str | None
    state: str
    by: str
    note: str


class Issue(_Answer, frozen=True, kw_only=True):
    """Failures with the same cause, kind of error, host and endpoint."""

    id: str
    cause: str
    kind: str
    host: str
    endpoint: str
    state: str
    reopened: bool
    first_at: str | None
    last_at: str | None
    streams: int
    recent: int
    trend: list[int]
    mark: IssueMark | None


class Issues(_Answer, frozen=True, kw_only=True):
    """All issues."""

    issues: list[Issue]


class KeptPromises(_Answer, frozen=True, kw_only=True):
    """How calling back goes: kept within their time in 24 hours, and what waits now."""

    kept: int
    owed: int
    in_time: float | None
    median_s: float | None
    waiting: int
    due: int
    dials: bool


class Now(_Answer, frozen=True, kw_only=True):
    """What the first page shows."""

    at: str | None
    accounts: list[NowAccount]
    running: int
    waiting: int | None
    promises: KeptPromises | None = None
    failed: Failed
    answers: Answers
    causes: list[str]
    minutes: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    issues: list[Issue]
    open_issues: int


class Alert(_Answer, frozen=True, kw_only=True):
    """An alert: pending, firing or resolved."""

    id: str
    rule: str
    title: str
    state: str
    severity: str
    labels: dict[str, str]
    members: list[dict[str, str]]
    figure: str
    value: float
    cases: int | None
    since: str | None
    unknown_since: str | None = None
    fired_at: str | None
    resolved_at: str | None
    lapsed: bool
    acknowledged_by: str | None
    advice: str


class Silence(_Answer, frozen=True, kw_only=True):
    """What is not told for a while."""

    id: int
    matcher: dict[str, str]
    since: str | None
    until: str | None
    reason: str
    by: str


class Alerts(_Answer, frozen=True, kw_only=True):
    """What is pending or fires, what is over, what was sent to whom, and by which rules."""

    alerts: list[Alert]
    resolved: list[Alert]
    silences: list[Silence]
    sent: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    destinations: list[dict[str, Any]]
    policies: list[dict[str, Any]]
    evaluated_at: str | None
    problems: list[str]
    heartbeat: dict[str, Any] | None


class Forecast(_Answer, frozen=True, kw_only=True):
    """When an account's limit is likely reached."""

    made_at: str | None
    words: str
    chance: float
    earliest_at: str | None
    likely_at: str | None
    latest_at: str | None
    arrivals_per_minute: float
    mean_length_s: float
    expected: list[dict[str, Any]]


class CapacityNow(_Answer, frozen=True, kw_only=True):
    """The streams that an account has in use and left."""

    account: str
    active: int | None
    allowed: int | None
    headroom: int | None
    at: str | None
    age_s: float | None
    problem: str | None
    unread: int
    forecast: Forecast | None


class Capacity(_Answer, frozen=True, kw_only=True):
    """All accounts, and what could not be read."""

    accounts: list[CapacityNow]
    problems: list[str]


class Rule(_Answer, frozen=True, kw_only=True):
    """A rule that an endpoint runs, and how often it decided in the last 24 hours."""

    name: str
    when: str
    option: str | None
    select: str | None = None
    pool: str | None = None
    class_: str | None = None
    promise: str | None = None
    written: bool
    stands_in: bool
    hits: int
    hits_before: int
    last_hit_at: str | None
    last_hit_before: bool


class ConfiguredEndpoint(_Answer, frozen=True, kw_only=True):
    """An endpoint as it is configured and runs."""

    kind: str = "passthru"
    mode: str
    auth: str
    safe_option: str
    deadline_ms: int
    release: str
    running_since: str | None
    by: str
    file: str | None
    file_problem: str | None


class Endpoint(_Answer, frozen=True, kw_only=True):
    """An endpoint in the last 24 hours; `configured` is None of one that is so no more."""

    name: str
    account: str
    streams: int
    options: dict[str, int]
    configured: ConfiguredEndpoint | None
    rules: list[Rule]


class Endpoints(_Answer, frozen=True, kw_only=True):
    """All endpoints."""

    since: str | None
    until: str | None
    endpoints: list[Endpoint]

"""A client of the console's API, typed: what comes back are frozen structs.

    from switchhook.client import Client

    with Client("https://console.example.com", "shk_…") as console:
        for stream in console.all_streams(q="is:failed since:1h"):
            print(stream.call_sid, stream.cause, stream.advice)

It knows nothing of the server: what it reads is held against the API's own description by a test.
"""

from __future__ import annotations

from switchhook.client.answers import (
    Alert,
    Alerts,
    Answers,
    Call,
    Capacity,
    CapacityNow,
    ConfiguredEndpoint,
    Endpoint,
    Endpoints,
    ErrorDetail,
    Evidence,
    Failed,
    FailedCause,
    Forecast,
    Issue,
    IssueMark,
    KeptPromises,
    Now,
    NowAccount,
    Rule,
    Silence,
    Stream,
    Streams,
    StreamStory,
    Verdict,
)
from switchhook.client.client import Client
from switchhook.client.errors import (
    ApiError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    UnauthorizedError,
    UnavailableError,
    UnreadableError,
)
from switchhook.client.pool_answers import Hand, Pool, PoolMember, Routes
from switchhook.client.promise_answers import (
    CallingAccount,
    CampaignPace,
    Dialling,
    Promise,
    PromiseCall,
    Promises,
    PromisesLately,
    PromisesSummary,
    PromiseStep,
    PromiseStory,
)

__all__ = [
    "Alert",
    "Alerts",
    "Answers",
    "ApiError",
    "Call",
    "CallingAccount",
    "CampaignPace",
    "Capacity",
    "CapacityNow",
    "Client",
    "ConfiguredEndpoint",
    "Dialling",
    "Endpoint",
    "Endpoints",
    "ErrorDetail",
    "Evidence",
    "Failed",
    "FailedCause",
    "ForbiddenError",
    "Forecast",
    "Hand",
    "Issue",
    "IssueMark",
    "KeptPromises",
    "NotFoundError",
    "Now",
    "NowAccount",
    "Pool",
    "PoolMember",
    "Promise",
    "PromiseCall",
    "PromiseStep",
    "PromiseStory",
    "Promises",
    "PromisesLately",
    "PromisesSummary",
    "RefusedError",
    "Routes",
    "Rule",
    "Silence",
    "Stream",
    "StreamStory",
    "Streams",
    "UnauthorizedError",
    "UnavailableError",
    "UnreadableError",
    "Verdict",
]

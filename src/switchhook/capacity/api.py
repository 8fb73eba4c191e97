"""The API of accounts: how they stand, stood and will."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from starlette.routing import BaseRoute, Route

from switchhook.exotel.times import DAY_MS
from switchhook.web.endpoint import json_endpoint
from switchhook.web.json import Json, time_of
from switchhook.web.json_schema import (
    COUNT,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    list_of,
    object_of,
    or_null,
)
from switchhook.web.openapi import Operation
from switchhook.web.parameters import STRETCH, read_filters, read_none

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from switchhook.capacity.forecast import Forecast
    from switchhook.capacity.readings import Span
    from switchhook.capacity.status import CapacityNow

_TIMES = {name: parameter for name, parameter in STRETCH.items() if name != "by"}


class AccountsStatus(Protocol):
    """How the accounts stand; any thread may call it."""

    def now(self, now_ms: int) -> list[CapacityNow]: ...

    def complaints(self) -> list[str]: ...


class CapacityHistorySource(Protocol):
    """How they stood. Raises LedgerError."""

    def history(self, account: str, since_ms: int, until_ms: int) -> list[Span]: ...

    def accounts(self) -> list[str]: ...


class CapacityApi:
    """`/api/v1/capacity`, `/api/v1/capacity/{account}`."""

    def __init__(
        self,
        watch: AccountsStatus,
        history: CapacityHistorySource,
        now_ms: Callable[[], int],
    ) -> None:
        self._watch, self._history, self._now_ms = watch, history, now_ms
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="capacity-api")

    def routes(self) -> Sequence[BaseRoute]:
        addresses = {
            "/api/v1/capacity": self._now,
            "/api/v1/capacity/{account}": self._of,
        }
        return [
            Route(path, json_endpoint(find, self._threads), methods=["GET"])
            for path, find in addresses.items()
        ]

    def _now(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        return {
            "accounts": [now_json(each) for each in self._watch.now(self._now_ms())],
            "problems": self._watch.complaints(),
        }

    def _of(self, request: Request) -> Json | None:
        account, now_ms = request.path_params["account"], self._now_ms()
        values = read_filters(request.query_params.multi_items(), now_ms, _TIMES)
        until: int = values.get("until", now_ms + 1)
        since: int = values.get("since", until - DAY_MS)
        now = next((each for each in self._watch.now(now_ms) if each.account == account), None)
        if now is None and account not in self._history.accounts():
            return None
        spans = self._history.history(account, since, until)
        return {
            "account": account,
            "now": None if now is None else now_json(now),
            "spans": [span_json(each) for each in spans],
        }


def now_json(now: CapacityNow) -> Json:
    """How an account stands; null is unknown, and no zero."""
    return {
        "account": now.account,
        "active": now.active,
        "allowed": now.allowed,
        "headroom": now.headroom,
        "at": None if now.at_ms is None else time_of(now.at_ms * 1000),
        "age_s": now.age_s,
        "problem": now.problem or None,
        "unread": now.unread,
        "forecast": None if now.forecast is None else forecast_json(now.forecast),
    }


def forecast_json(forecast: Forecast) -> Json:
    """A forecast; a null time is not within the hour."""
    return {
        "made_at": time_of(forecast.made_ms * 1000),
        "words": forecast.words,
        "chance": forecast.chance,
        "earliest_at": _time(forecast.earliest_ms),
        "likely_at": _time(forecast.likely_ms),
        "latest_at": _time(forecast.latest_ms),
        "arrivals_per_minute": round(forecast.arrivals_per_minute, 3),
        "mean_length_s": round(forecast.mean_length_s, 1),
        "expected": [
            {
                "at": time_of(at_ms * 1000),
                "low": round(low, 1),
                "middle": round(middle, 1),
                "high": round(high, 1),
            }
            for at_ms, low, middle, high in forecast.expected
        ],
    }


def span_json(span: Span) -> Json:
    """A stretch of the history; `width_s` 0 is a single reading."""
    return {
        "at": time_of(span.at_ms * 1000),
        "width_s": span.width_ms // 1000,
        "lowest": span.lowest,
        "mean": None if span.mean is None else round(span.mean, 2),
        "highest": span.highest,
        "allowed": span.allowed,
        "readings": span.readings,
        "unread": span.unread,
        "problem": span.problem or None,
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else time_of(at_ms * 1000)


# The description.


_NUMBER: Schema = {"type": "number", "minimum": 0}

SCHEMAS: dict[str, Schema] = {
    "Forecast": object_of(
        made_at=TIME,
        words=STRING,
        chance={"type": "number", "minimum": 0, "maximum": 1},
        earliest_at=TIME,
        likely_at=TIME,
        latest_at=TIME,
        arrivals_per_minute=_NUMBER,
        mean_length_s=_NUMBER,
        expected=list_of(object_of(at=TIME, low=_NUMBER, middle=_NUMBER, high=_NUMBER)),
    ),
    "CapacityNow": object_of(
        account=STRING,
        active=WHOLE,
        allowed=WHOLE,
        headroom=WHOLE,
        at=TIME,
        age_s={"type": ["number", "null"], "minimum": 0},
        problem=TEXT,
        unread=COUNT,
        forecast=or_null({"$ref": "#/components/schemas/Forecast"}),
    ),
    "Capacity": object_of(
        accounts=list_of({"$ref": "#/components/schemas/CapacityNow"}), problems=list_of(STRING)
    ),
    "CapacityHistory": object_of(
        account=STRING,
        now=or_null({"$ref": "#/components/schemas/CapacityNow"}),
        spans=list_of(
            object_of(
                at=TIME,
                width_s=COUNT,
                lowest=WHOLE,
                mean={"type": ["number", "null"], "minimum": 0},
                highest=WHOLE,
                allowed=WHOLE,
                readings=COUNT,
                unread=COUNT,
                problem=TEXT,
            )
        ),
    ),
}

OPERATIONS = (
    Operation("/api/v1/capacity", "capacity", "How the accounts stand, and will", "Capacity"),
    Operation(
        "/api/v1/capacity/{account}",
        "account_capacity",
        "How one account stood",
        "CapacityHistory",
        _TIMES,
        identifier="account",
    ),
)
"""The addresses of `CapacityApi`."""

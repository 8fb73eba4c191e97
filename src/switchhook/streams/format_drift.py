"""The form of requests, and what changed in it: a dialect, defect or key that is new or gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.facet import Form

LEAST_REQUESTS = 20
"""What fewer requests lacked may just not have come up: nothing is gone for them."""
_GONE_SHARE = 0.05
_MUCH = 4.0
"""A share that is so many times another has changed."""


class Change(msgspec.Struct, frozen=True):
    """One value of one aspect (dialect, defect or key) that became different.

    `what` is new, gone, more or less; `before` and `after` are how often it was seen.
    """

    endpoint: str
    aspect: str
    value: str
    what: str
    before: int
    after: int


def changes(before: Iterable[Form], after: Iterable[Form]) -> list[Change]:
    """What differs in the form of requests, by endpoint; nothing for one with no past.

    A value is gone only where enough came since that it should have been seen.
    """
    old, new = _sums(before), _sums(after)
    old_all, new_all = _requests(old), _requests(new)
    found = []
    for key in sorted(old.keys() | new.keys()):
        endpoint, aspect, value = key
        was, had = old.get(key, 0), old_all.get(endpoint, 0)
        now, has = new.get(key, 0), new_all.get(endpoint, 0)
        what = _judge(was, had, now, has) if had else None
        if what is not None:
            found.append(Change(endpoint, aspect, value, what, was, now))
    return found


def _judge(was: int, had: int, now: int, has: int) -> str | None:
    if not was:
        return "new"
    if not now:
        expected = was / had >= _GONE_SHARE and has >= LEAST_REQUESTS
        return "gone" if expected else None
    if min(had, has) < LEAST_REQUESTS:
        return None
    times = (now / has) / (was / had)
    if times >= _MUCH and now >= LEAST_REQUESTS:
        return "more"
    return "less" if times <= 1 / _MUCH and was >= LEAST_REQUESTS else None


def _sums(forms: Iterable[Form]) -> dict[tuple[str, str, str], int]:
    sums: dict[tuple[str, str, str], int] = {}
    for form in forms:
        key = form.endpoint, form.aspect, form.value
        sums[key] = sums.get(key, 0) + form.count
    return sums


def _requests(sums: dict[tuple[str, str, str], int]) -> dict[str, int]:
    """Requests by endpoint: each has one dialect."""
    requests: dict[str, int] = {}
    for (endpoint, aspect, _), count in sums.items():
        if aspect == "dialect":
            requests[endpoint] = requests.get(endpoint, 0) + count
    return requests

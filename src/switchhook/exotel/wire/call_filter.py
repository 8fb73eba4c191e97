"""Which calls a list is asked for: the filters of Bulk Calls (exotel-platform E.4)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.wire.ist_time import ist_text, parse_ist
from switchhook.exotel.wire.query import build_pairs
from switchhook.exotel.wire.rest_error import RestError, invalid
from switchhook.exotel.wire.scalar import whole_number

if TYPE_CHECKING:
    from switchhook.exotel.wire.query import Pairs

LARGEST_PAGE = 100
MOST_NUMBERS = 5
_LONGEST_RANGE = timedelta(days=31)


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls a list holds (exotel-platform E.4); times in IST.

    `from_`, `to` and `phone_number` (the ExoPhone) are numbers in E.164, at most five, with commas.
    """

    created_from: datetime | None = None
    created_to: datetime | None = None
    status: str | None = None
    direction: str | None = None
    from_: str | None = None
    to: str | None = None
    phone_number: str | None = None
    before: str | None = None
    after: str | None = None
    page_size: int = 50


_NUMBERS = {"From": "from_", "To": "to", "PhoneNumber": "phone_number"}
_RANGE = re.compile(r"(gte|lte):(.+)\Z")


def read_filter(pairs: Pairs) -> CallFilter | RestError:
    """The filters of a list; a refusal names the one that is wrong."""
    said = dict(pairs)
    times: dict[str, datetime] = {}
    for part in (said.get("DateCreated") or "").split(";"):
        if not part:
            continue
        found = _RANGE.match(part.strip())
        at = parse_ist(found[2]) if found else None
        if found is None or at is None:
            return invalid("DateCreated", repr(part[:60]), "gte:2026-01-05 10:00:00;lte:…")
        times[found[1]] = at
    first, last = times.get("gte"), times.get("lte")
    if first and last and last - first > _LONGEST_RANGE:
        return invalid("DateCreated", "a longer range", "at most one month")
    text = said.get("PageSize") or "50"
    size = whole_number(text)
    if size is None or not 1 <= size <= LARGEST_PAGE:
        return invalid("PageSize", repr(text[:20]), f"1 to {LARGEST_PAGE}")
    for name in _NUMBERS:
        if (count := (said.get(name) or "").count(",") + 1) > MOST_NUMBERS:
            return invalid(name, f"{count} numbers", f"at most {MOST_NUMBERS}")
    return CallFilter(
        created_from=first,
        created_to=last,
        status=said.get("Status") or None,
        direction=said.get("Direction") or None,
        **{field: said.get(name) or None for name, field in _NUMBERS.items()},
        before=said.get("Before") or None,
        after=said.get("After") or None,
        page_size=size,
    )


def build_filter(wanted: CallFilter) -> bytes:
    """The query of a list, without `?`."""
    created = ";".join(
        f"{operator}:{ist_text(at)}"
        for operator, at in (("gte", wanted.created_from), ("lte", wanted.created_to))
        if at is not None
    )
    said = {
        "DateCreated": created,
        "Status": wanted.status,
        "Direction": wanted.direction,
        "From": wanted.from_,
        "To": wanted.to,
        "PhoneNumber": wanted.phone_number,
        "Before": wanted.before,
        "After": wanted.after,
        "PageSize": str(wanted.page_size),
    }
    return build_pairs([(name, value) for name, value in said.items() if value])

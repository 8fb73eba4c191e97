"""The Retry-After header, in either of its forms (RFC 9110, section 10.2.3). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile("[0-9]{1,9}")


def read_retry_after(text: str | None, now_ms: int) -> float | None:
    """Seconds to wait by a Retry-After header, in either of its forms; None where it says none."""
    said = (text or "").strip()
    if _SECONDS.fullmatch(said):
        return float(said)
    try:
        at = parsedate_to_datetime(said)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        wait = (at - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, wait)

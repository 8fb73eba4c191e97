"""The times of Exotel's API: texts of naive IST, in both directions."""

from __future__ import annotations

from datetime import datetime

_FORM = "%Y-%m-%d %H:%M:%S"


def ist_text(at: datetime | None) -> str | None:
    """`2026-01-05 10:00:00`."""
    return None if at is None else at.strftime(_FORM)


def parse_ist(text: str) -> datetime | None:
    """A time as `ist_text` writes it; None where it is none."""
    try:
        return datetime.strptime(text.strip(), _FORM)
    except ValueError:
        return None

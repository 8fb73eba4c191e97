"""Two accidents of pasting that the `&` and `?` of a query show, undone by `mend`."""

from __future__ import annotations

import json
import re

from switchhook.exotel.wire.keys import slot_of
from switchhook.exotel.wire.query import decode

_SECOND_QUESTION_MARK = re.compile(rb"\?([A-Za-z_.%-]{1,40})=")


def mend(query: bytes, problems: list[str]) -> bytes:
    """The query as it was meant; `problems` gets what was undone."""
    if b"={" in query and b"&" in query:
        query = _shield_json(query, problems)
    if b"?" in query and (found := _SECOND_QUESTION_MARK.search(query)) is not None:
        # A configured URL that had a query already, to which the sender appended with `?`.
        first = slot_of(decode(found[1], []))
        if first.name == "call_sid" and b"&" + found[1] + b"=" not in query:
            problems.append("a second '?' where '&' was meant; read as '&'")
            return query[: found.start()] + b"&" + query[found.start() + 1 :]
    return query


def _shield_json(query: bytes, problems: list[str]) -> bytes:
    """Escape the `&` inside a JSON value that nobody percent-encoded, so that it isn't cut."""
    start = query.find(b"={") + 1
    # Latin-1 keeps every byte at its place.
    text = query[start:].decode("latin-1")
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return query
    value = query[start : start + end]
    if b"&" not in value or query[start + end : start + end + 1] not in (b"", b"&"):
        return query
    problems.append("an '&' in JSON that was not percent-encoded; mended")
    return query[:start] + value.replace(b"&", b"%26") + query[start + end :]

"""A request that was found, and whether it is a passthru."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.wire.keys import ParameterKind, fold, slot_of
from switchhook.exotel.wire.query import Pairs, build_pairs, parse_pairs
from switchhook.exotel.wire.request import Request, body_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable

_OWN = {"callsid", "streamsid", "streamurl", "disconnectedby", "detailedstatus"}
"""Names that only Exotel's requests have; `status` or `from` may be anybody's."""
_SHORTEST_SECRET = 16


class Found(msgspec.Struct, frozen=True):
    """A request, in which form it stood, and in which line that began."""

    request: Request
    form: str
    line: int = 0
    path: str = ""


def of_pairs(pairs: Iterable[tuple[str, str]], form: str, method: str = "GET") -> Found:
    """A request with these parameters."""
    return Found(Request(build_pairs(list(pairs)), method), form)


def known_pairs(request: Request) -> Pairs:
    """The parameters that say something of a call or a stream, in query and body."""
    problems: list[str] = []
    pairs = parse_pairs(request.query, problems)
    if request.body:
        pairs = [*pairs, *body_pairs(request, problems)]
    return [pair for pair in pairs if slot_of(pair[0]).kind is not ParameterKind.EXTRA]


def is_passthru(request: Request) -> bool:
    """Whether it has a parameter that only a passthru has."""
    return any(is_own(key, value) for key, value in known_pairs(request))


def is_own(key: str, value: str) -> bool:
    """Whether a parameter can't be anybody else's."""
    kind = slot_of(key).kind
    if kind is ParameterKind.STREAM_JSON:
        return value.lstrip().startswith(("{", '"{', "%7B", "%7b"))
    return kind is ParameterKind.STREAM or fold(key) in _OWN


def shown_path(found: Found) -> str:
    """Method and path, without what may be a secret in it."""
    parts = found.path.partition("?")[0].split("/")
    shown = ("…" if len(part) >= _SHORTEST_SECRET else part for part in parts)
    return f"{found.request.method} {'/'.join(shown)}".strip()

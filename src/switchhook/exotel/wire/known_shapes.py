"""Requests in the shapes that Exotel really sends, read in a fraction of the time of `parse`.

`read` gives exactly what `parse` gives, or None where it isn't sure: then `parse` reads. It takes a
plain query, as `plain_query` has it, whose keys came before in the same order. All else is left, so
that nothing here knows what is odd. Without this module every request is read by `parse`.

    QuickReader(log.warning).read(request, "IN")    # either way
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.passthru import Dialect, Passthru, Stream
from switchhook.exotel.wire.keys import ParameterKind, find_slot
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.plain_query import SIGN, take_apart

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.exotel.wire.request import Request

MOST = 256
"""So many shapes are remembered; with one more they are learnt anew."""

_NUMBERS = (("from_raw", "callfrom", "from"), ("to_raw", "callto", "to"))
"""The better of two names for one number is chosen; the other stays among the rest."""
_CALL_FIELDS = Passthru.__struct_fields__[: Passthru.__struct_fields__.index("legs")]

_make: Callable[..., Passthru] = Passthru  # its fields in their order are of several types
_Pick = Callable[[Sequence[str | None]], tuple[str | None, ...]]
_PickRest = Callable[[Sequence[str]], tuple[str, ...]]


class _Shape(msgspec.Struct, frozen=True, gc=False):
    """Which of the values are the fields of the call and of the stream, in their order.

    A field that is not in such a request has the place behind the last value, where None stands.
    `rest` are the values of the other `keys`, and perhaps more; `filled` the places of numbers,
    without which the request would be another.
    """

    call: _Pick
    stream: _Pick | None
    keys: tuple[str, ...]
    rest: _PickRest
    filled: tuple[int, ...]


class KnownShapes:
    """The shapes that came before; `MOST` of them at most. Any thread may read."""

    def __init__(self) -> None:
        self._shapes: dict[str, _Shape | None] = {}

    def read(self, request: Request, region: str) -> Passthru | None:
        """The passthru in a request; None where `parse` has to say."""
        raw = request.query
        if request.body or request.method == "POST":
            return None
        apart = take_apart(raw)
        if apart is None:
            return None
        keys, values = apart
        try:
            shape = self._shapes[keys]
        except KeyError:
            shape = self._learnt(keys)
        if shape is None:
            return None
        return _read(shape, values, _RAW_BRACKET if ord("[") in raw else _FLAT, region)

    def _learnt(self, keys: str) -> _Shape | None:
        if len(self._shapes) >= MOST:
            self._shapes.clear()
        shape = self._shapes[keys] = _shape_of(tuple(keys.split(SIGN)))
        return shape


class QuickReader:
    """Reads by known shapes, else by `parse`; once the quick way failed, always by `parse`.

    `warn` is told of that, in words: by the answer side, which reads each request first.
    """

    def __init__(self, warn: Callable[[str], object] = str) -> None:
        self._shapes: KnownShapes | None = KnownShapes()
        self._warn = warn

    def read(self, request: Request, region: str) -> Passthru:
        """What `parse` gives."""
        known, shapes = None, self._shapes
        if shapes is not None:
            try:
                known = shapes.read(request, region)
            except Exception as error:  # noqa: BLE001 - what it can't read, the other can
                self._shapes = None
                kind = type(error).__name__
                self._warn(f"reading known shapes failed with {kind}; off until a restart")
        return parse(request, region=region) if known is None else known


_KEPT_AS_SAID = frozenset({ParameterKind.NUMBER, ParameterKind.EXTRA})
_FLAT, _RAW_BRACKET = Dialect.FLAT, Dialect.RAW_BRACKET


def _read(shape: _Shape, values: list[str], dialect: Dialect, region: str) -> Passthru | None:
    texts: list[str | None] = [*values, None]
    if "" in values:
        if not all(values[place] for place in shape.filled):
            return None
        texts = [text or None for text in texts]
    stream = None
    if shape.stream is not None:
        said = shape.stream(texts)
        stream = Stream(*said) if any(said) else None
    extra = tuple(zip(shape.keys, shape.rest(values), strict=False))
    return _make(*shape.call(texts), (), stream, extra, dialect, region)


def _shape_of(keys: tuple[str, ...]) -> _Shape | None:
    """Where the values of such a request go; None where that takes more than their places."""
    call: dict[str, int] = {}
    stream: dict[str, int] = {}
    numbers: dict[str, int] = {}
    extra: list[tuple[str, int]] = []
    by_kind = {
        ParameterKind.CALL: call,
        ParameterKind.STREAM: stream,
        ParameterKind.NUMBER: numbers,
    }
    for place, key in enumerate(keys):
        slot = find_slot(key)
        if slot.odd or slot.key != key or " " in key or "=" in key:
            return None
        if slot.kind in _KEPT_AS_SAID:
            extra.append((key, place))
            if key and slot.kind is ParameterKind.EXTRA:
                continue
        fields = by_kind.get(slot.kind)
        if fields is None or slot.name in fields:
            return None
        fields[slot.name] = place
    chosen = {field: _first(numbers, names) for field, *names in _NUMBERS}
    call |= {field: place for field, place in chosen.items() if place is not None}
    rest = {place: key for key, place in extra if place not in chosen.values()}
    nowhere = len(keys)
    return _Shape(
        itemgetter(*(call.get(field, nowhere) for field in _CALL_FIELDS)),
        itemgetter(*(stream.get(field, nowhere) for field in Stream.__struct_fields__))
        if stream
        else None,
        tuple(rest.values()),
        itemgetter(*rest, 0, 0),  # of one place it would give no tuple
        tuple(numbers.values()),
    )


def _first(places: dict[str, int], names: Iterable[str]) -> int | None:
    return next((places[name] for name in names if name in places), None)

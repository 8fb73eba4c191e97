"""Requests in the shapes that Exotel really sends, read in a fraction of the time of `parse`.

`read` gives exactly what `parse` gives, or None where it isn't sure: then `parse` reads. It takes a
query whose keys came before in the same order, and whose values are plain: each with its `=`, in
printable ASCII, encoded once, neither quoted nor the word for nothing. All else is left, so that
nothing here knows what is odd. Without this module every request is read by `parse`.

    QuickReader(log.warning).read(request, "IN")    # either way
"""

from __future__ import annotations

from binascii import a2b_qp
from itertools import product
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.passthru import Dialect, Passthru, Stream
from switchhook.exotel.wire.keys import ParameterKind, find_slot
from switchhook.exotel.wire.passthru import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from switchhook.exotel.wire.request import Request

LONGEST = 4096
"""Bytes of a query that is looked at; real ones have about 1,000."""
MOST = 256
"""So many shapes are remembered; with one more they are learnt anew."""

_PAIR, _VALUE = "\x1e", "\x1f"
"""What stands for `&` and `=` while escapes are undone."""
_MARKS = {"&": _PAIR, "=": _VALUE, "+": " ", "%": "="}
"""a2b_qp undoes all escapes in one go, where they begin with `=`."""
_PRINTABLE = bytes(range(0x20, 0x7F))
_MARKED = bytes(
    ord(_MARKS.get(chr(byte), chr(byte))) if 0x21 <= byte < 0x7F else 0 for byte in range(256)
)
_SIGNS = f"{_PAIR}{_VALUE}".encode()
_NOTHING = frozenset(map("".join, product("nN", "uU", "lL", "lL")))
_NUMBERS = (("from_raw", "callfrom", "from"), ("to_raw", "callto", "to"))
"""The better of two names for one number is chosen; the other stays among the rest."""

_Places = tuple[tuple[str, int], ...]
"""Names, each with the place of its value among the values."""


class _Shape(msgspec.Struct, frozen=True, gc=False):
    """Where the fields of the call and the stream stand in such a request, and its other keys.

    `filled` are numbers, without which the request would be another.
    """

    call: _Places
    stream: _Places
    extra: _Places
    filled: tuple[int, ...]


_UNKNOWN = _Shape((), (), (), ())
"""Stands for the shape of keys that did not come before."""


class KnownShapes:
    """The shapes that came before; `MOST` of them at most. Any thread may read."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, ...], _Shape | None] = {}

    def read(self, request: Request, region: str) -> Passthru | None:
        """The passthru in a request; None where `parse` has to say."""
        raw = request.query
        if request.body or request.method == "POST" or len(raw) > LONGEST or ord("?") in raw:
            return None
        data = a2b_qp(raw.translate(_MARKED))
        pairs = raw.count(b"&") + 1
        if (
            pairs == 1
            or len(raw) - len(data) != 2 * raw.count(b"%")
            or data.translate(None, _PRINTABLE) != (_SIGNS[::-1] * pairs)[:-1]
        ):
            return None
        text = data.decode("ascii")
        if "%" in text or '"' in text or "{" in text:  # encoded twice, quoted, JSON
            return None
        said = text.replace(_PAIR, _VALUE).split(_VALUE)
        keys, values = tuple(said[::2]), said[1::2]
        shape = self._shapes.get(keys, _UNKNOWN)
        if shape is _UNKNOWN:
            shape = self._learnt(keys)
        if shape is None or not _NOTHING.isdisjoint(values) or values != [*map(str.strip, values)]:
            return None
        return _read(shape, values, _RAW_BRACKET if ord("[") in raw else _FLAT, region)

    def _learnt(self, keys: tuple[str, ...]) -> _Shape | None:
        if len(self._shapes) >= MOST:
            self._shapes.clear()
        shape = self._shapes[keys] = _shape_of(keys)
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
    for place in shape.filled:
        if not values[place]:
            return None
    call: dict[str, Any] = {name: values[place] or None for name, place in shape.call}
    said = {name: values[place] for name, place in shape.stream if values[place]}
    return Passthru(
        **call,
        stream=Stream(**said) if said else None,
        extra=tuple([(key, values[place]) for key, place in shape.extra]),
        dialect=dialect,
        region=region,
    )


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
    rest = tuple(each for each in extra if each[1] not in chosen.values())
    return _Shape(tuple(call.items()), tuple(stream.items()), rest, tuple(numbers.values()))


def _first(places: dict[str, int], names: Iterable[str]) -> int | None:
    return next((places[name] for name in names if name in places), None)

"""The tree of a checked expression, read from what the runtime gives out of it.

The runtime shows no tree, but writes one: `cel.expr.CheckedExpr` of the CEL specification
(checked.proto, syntax.proto), in the protocol-buffer wire format, with every name resolved to the
variable it means and every node's place in the text.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPR, _SOURCE = 4, 5  # of CheckedExpr
_ID, _CONST, _IDENT, _SELECT, _CALL, _LIST, _COMPREHENSION = 2, 3, 4, 5, 6, 7, 9  # of Expr
_OPERAND, _FIELD, _TEST_ONLY = 1, 2, 3  # of Select
_POSITIONS = 4  # of SourceInfo
_BOOL, _INT, _UINT, _DOUBLE, _STRING = 2, 3, 4, 5, 6  # of Constant

Constant = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression; `at` counts characters of the text from 0.

    `kind` is `constant`, `name`, `call`, `list`, `select` or `other`. `name` is a variable's, a
    field's, or a function's in CEL's form, such as `_&&_`; `parts` are what it is applied to, the
    receiver first. The `value` of a select is whether it only asks if there is such a field.
    """

    kind: str
    at: int
    name: str = ""
    value: Constant | None = None
    parts: tuple[Node, ...] = ()

    def all(self) -> Iterator[Node]:
        """It and everything in it."""
        yield self
        for part in self.parts:
            yield from part.all()


def read_tree(checked: bytes) -> Node:
    """The tree of a serialised expression.

    Raises ValueError for what is none.
    """
    try:
        message = dict(_fields(dict(_fields(checked))[2]))  # of an Any, its value
        places = {}
        for key, value in _fields(message[_SOURCE]):
            if key == _POSITIONS:
                pair = dict(_fields(value))
                places[pair.get(1, 0)] = pair.get(2, 0)
        return _node(message[_EXPR], places)
    except (LookupError, TypeError, struct.error) as error:
        raise ValueError("not a checked expression") from error


def _node(message: bytes, places: dict[int, int]) -> Node:
    id, kind, body = 0, 0, b""
    for key, value in _fields(message):
        if key == _ID:
            id = value
        else:
            kind, body = key, value
    at = places.get(id, 0)
    if kind == _CONST:
        return Node("constant", at, value=_constant(body))
    if kind == _IDENT:
        return Node("name", at, name=next(_fields(body))[1].decode())
    if kind == _CALL:
        return _call(body, at, places)
    if kind == _LIST:
        items = tuple(_node(value, places) for key, value in _fields(body) if key == 1)
        return Node("list", at, parts=items)
    if kind == _SELECT:
        said = dict(_fields(body))
        name, asked = said[_FIELD].decode(), bool(said.get(_TEST_ONLY))
        return Node("select", at, name, asked, (_node(said[_OPERAND], places),))
    if kind == _COMPREHENSION:
        # Range, start, condition, step and result: all but the names of its own variables.
        parts = tuple(_node(value, places) for key, value in _fields(body) if key in range(2, 8)
                      and key != 3)  # fmt: skip
        return Node("other", at, parts=parts)
    return Node("other", at)


def _call(body: bytes, at: int, places: dict[int, int]) -> Node:
    name, receiver, given = "", [], []
    for key, value in _fields(body):
        if key == 1:
            receiver.append(_node(value, places))
        elif key == 2:
            name = value.decode()
        else:
            given.append(_node(value, places))
    return Node("call", at, name=name, parts=(*receiver, *given))


def _constant(body: bytes) -> Constant | None:
    for key, value in _fields(body):
        if key == _BOOL:
            return bool(value)
        if key == _INT:
            return int(value) - 2**64 if value >= 2**63 else int(value)
        if key == _UINT:
            return int(value)
        if key == _DOUBLE:
            return float(struct.unpack("<d", value)[0])
        if key == _STRING:
            return str(value.decode())
    return None


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message by number: whole numbers, or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        length = {1: 8, 5: 4}.get(wire)
        if length is None:
            length, at = _varint(message, at)
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at

"""Small XML documents, as Exotel's older answers are: built, and read without any of XML's tricks.

A document with a DTD is refused, so no entity is ever expanded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

Tree = dict[str, Any]
"""Element names → text, a tree below, or a list of either for repeated names."""

_DEEPEST = 16
_LONGEST = 1024 * 1024
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class XmlError(ValueError):
    """A text that is no XML, or more of it than is read."""


def build(name: str, value: object) -> bytes:
    """A document whose root is `name`; None is an empty element, a sequence repeats its element."""
    return (_HEAD + _element(name, value)).encode()


def _element(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_element(key, x) for key, x in value.items())}</{name}>"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element(name, each) for each in value)
    if value is None:
        return f"<{name}/>"
    text = escape("".join(c for c in str(value) if c.isprintable() or c in "\t\n\r"))
    return f"<{name}>{text}</{name}>"


def parse(text: bytes) -> Tree:
    """A document as a tree, its root first. Raises XmlError."""
    if len(text) > _LONGEST:
        raise XmlError("longer than 1 MB")
    reading = _Reading()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reading.refuse
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise XmlError(str(error)) from None
    return reading.root


class _Reading:
    def __init__(self) -> None:
        self.root: Tree = {}
        self._open: list[tuple[str, Tree, list[str]]] = [("", self.root, [])]

    def refuse(self, *_: object) -> None:
        raise XmlError("a document type, which no answer of Exotel's has")

    def start(self, name: str, _: object) -> None:
        if len(self._open) > _DEEPEST:
            raise XmlError(f"nested more than {_DEEPEST} deep")
        self._open.append((name, {}, []))

    def end(self, _: str) -> None:
        name, below, texts = self._open.pop()
        value: Any = below or "".join(texts).strip()
        around = self._open[-1][1]
        if name not in around:
            around[name] = value
        elif isinstance(around[name], list):
            around[name].append(value)
        else:
            around[name] = [around[name], value]

    def text(self, text: str) -> None:
        self._open[-1][2].append(text)

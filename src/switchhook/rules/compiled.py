"""Rules as one Python function, where that is sure to mean what CEL means; the rest is CEL's.

What is compiled is the checked tree, whose names are resolved and whose calls fit their types. In
CEL an absent number, or an entry that `extra` lacks, is an error. Under && and || an error acts as
false, for it makes nothing true; so the comparison asks first whether there is a value. Under ! and
as a condition of ?: it doesn't, and such rules are left to CEL.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from switchhook.rules.variables import FLAGS, SOMETIMES_ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from switchhook.rules.checked_tree import Node
    from switchhook.rules.variables import RuleInput, Variable

NONE, LEFT = -1, -2
"""What a function gives where no rule matches, and where CEL has to say."""

_SIGNS = {"_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">="}
_AND = "_&&_"
_JOINS = {_AND: " and ", "_||_": " or "}
_DEEPEST = 8
"""So many conditions stand within each other: Python has a limit, and most rules have two."""
_TEXT_TESTS = {
    "startsWith": "{0}.startswith({1})",
    "endsWith": "{0}.endswith({1})",
    "contains": "({1} in {0})",
}
_COMPARED = ("string", "int", "double", "bool")
_KNOWN = (*_COMPARED, "list(string)", "map(string, string)")
_FLAG_TYPES = ("bool", "string", "list(string)")  # a number's may be set to one of another type
_ITEM = (
    r"(?:[A-Za-z0-9 _:;,@#%&=!<>~/'\"-]|\\[.+*?()|\[\]{}^$/-]|\\[dw]|\.|\[[A-Za-z0-9 _:,@#.-]+\])"
)
_TIMES = r"(?:\?|\{[0-9]{1,2}(?:,[0-9]{1,2})?\})?"
_WORDS = r"\((?:\?:)?[A-Za-z0-9 _-]+(?:\|[A-Za-z0-9 _-]+)*\)"
_PIECES = rf"(?:{_ITEM}{_TIMES}|{_WORDS}\??)*"
_PATTERN = re.compile(rf"\^?{_PIECES}\$?|\^{_PIECES}{_ITEM}[*+]{_PIECES}\$?")
"""What both RE2 and `re` read alike, and `re` in time that grows no faster than the text."""


class Condition(msgspec.Struct, frozen=True):
    """An expression of Python, its `source`, over `names` that stand for variables, by name."""

    source: str
    names: tuple[tuple[str, str], ...]


class Compiled(msgspec.Struct, frozen=True):
    """One rule: it is true where all of its conditions are, each asked if those before it hold.

    `given` are the constants in them that have no source of their own: patterns, by name.
    """

    conditions: tuple[Condition, ...]
    given: tuple[tuple[str, Callable[[str], object]], ...] = ()

    @property
    def source(self) -> str:
        """The whole of it."""
        if len(self.conditions) == 1:
            return self.conditions[0].source
        return f"({' and '.join(each.source for each in self.conditions)})"


class _Value(NamedTuple):
    """A part that gives a value: its source, its type, and what has to hold for there to be one."""

    source: str
    type: str
    given: tuple[str, ...] = ()


class _Unsure(Exception):  # noqa: N818  it is no error: CEL decides
    """A part whose meaning in Python is not known to be CEL's."""


def compile_rule(tree: Node, variables: Mapping[str, Variable], place: int = 0) -> Compiled | None:
    """The rule of a checked tree; None where it is left to CEL. `place` keeps names apart."""
    rule = _Rule(variables, place)
    parts = [*_flat(tree, _AND)] if tree.kind == "call" and tree.name == _AND else [tree]
    groups = [[part] for part in parts[:_DEEPEST]]
    groups[-1] += parts[_DEEPEST:]
    try:
        conditions = tuple([rule.condition(group) for group in groups])
    except _Unsure:
        return None
    return Compiled(conditions, tuple(rule.given.items()))


def function_of(
    rules: Sequence[Compiled], start: int, variables: Mapping[str, Variable]
) -> Callable[[RuleInput], int]:
    """A function that gives the place of the first rule that matches, counted from `start`.

    A variable is read when it is first asked for, for many rules are over with their first
    condition, and then once.
    """
    space: dict[str, Any] = {"__builtins__": {"len": len}, "unread": object()}
    lines, known, perhaps, again = list[str](), frozenset[str](), set[str](), set[str]()
    for place, rule in enumerate(rules, start):
        space.update(rule.given)
        read = known
        for depth, condition in enumerate(rule.conditions, 1):
            indent = depth * " "
            for name, variable in condition.names:
                if name in read:
                    continue
                space[f"read_{name}"] = variables[variable].read
                unread = ""
                if name in perhaps:  # an earlier rule has read it, if it came so far
                    again.add(name)
                    unread = f"if {name} is unread: "
                lines.append(f"{indent}{unread}{name} = read_{name}(seen)")
                if variable.startswith(FLAGS):
                    lines.append(f"{indent}if {name} is None: return {LEFT}")
            read |= {name for name, _ in condition.names}
            known = read if depth == 1 else known
            lines.append(f"{indent}if {condition.source}:")
        perhaps |= read
        lines.append(f"{indent} return {place}")
    begun = ["def first(seen):", *(f" {name} = unread" for name in sorted(again))]
    text = "\n".join([*begun, *lines, f" return {NONE}"])
    exec(text, space)  # noqa: S102 - made of known names and repr'd constants
    made: Callable[[RuleInput], int] = space["first"]
    return made


class _Rule:
    """One rule on its way to Python."""

    def __init__(self, variables: Mapping[str, Variable], place: int) -> None:
        self.names: dict[str, str] = {}
        self.given: dict[str, Callable[[str], object]] = {}
        self._variables, self._place = variables, place

    def condition(self, nodes: Sequence[Node]) -> Condition:
        """Parts that all have to hold for the rule to match."""
        self.names.clear()
        source = _JOINS[_AND].join([self.truth(node, positive=True) for node in nodes])
        return Condition(source, tuple(sorted(self.names.items())))

    def truth(self, node: Node, *, positive: bool) -> str:
        """The source of a part that is true or false; `positive`: an error acts as false there."""
        name, parts = node.name, node.parts
        if node.kind == "call" and name in _JOINS:
            each = [self.truth(part, positive=positive) for part in _flat(node, name)]
            return f"({_JOINS[name].join(each)})"
        if node.kind == "call" and name == "!_":
            return f"(not {self.truth(parts[0], positive=False)})"
        if node.kind == "call" and name == "_?_:_":
            asked = self.truth(parts[0], positive=False)
            then, other = (self.truth(part, positive=positive) for part in parts[1:])
            return f"({then} if {asked} else {other})"
        if node.kind == "call" and name in _SIGNS:
            return self._compared(_SIGNS[name], parts, positive)
        if node.kind == "call" and name == "@in":
            return self._among(parts, positive)
        if node.kind == "call" and name in (*_TEXT_TESTS, "matches"):
            return self._text_test(name, parts, positive)
        if node.kind == "call":
            raise _Unsure
        if node.kind == "select" and node.value is True:
            where = self._value(node.parts[0])
            return _guarded(f"{node.name!r} in {_entries(where)}", positive=positive)
        value = self._value(node)
        if value.type != "bool":
            raise _Unsure
        return value.source

    def _compared(self, sign: str, parts: Sequence[Node], positive: bool) -> str:
        left, right = map(self._value, parts)
        if left.type != right.type or left.type not in _COMPARED:
            raise _Unsure
        return _guarded(f"{left.source} {sign} {right.source}", left, right, positive=positive)

    def _among(self, parts: Sequence[Node], positive: bool) -> str:
        value, where = self._value(parts[0]), parts[1]
        if where.kind == "list":
            items = [self._value(item) for item in where.parts]
            constant = all(item.kind == "constant" for item in where.parts)
            if not constant or any(item.type != value.type for item in items):
                raise _Unsure
            listed = "".join(f"{item.source}, " for item in items)
            return _guarded(f"{value.source} in ({listed})", value, positive=positive)
        found = self._value(where)
        if value.type != "string" or found.type not in {"list(string)", "map(string, string)"}:
            raise _Unsure
        return _guarded(f"{value.source} in {found.source}", value, positive=positive)

    def _text_test(self, name: str, parts: Sequence[Node], positive: bool) -> str:
        value, given = self._value(parts[0]), parts[1]
        if value.type != "string" or given.kind != "constant" or type(given.value) is not str:
            raise _Unsure
        if name != "matches":
            source = _TEXT_TESTS[name].format(value.source, repr(given.value))
        else:
            source = f"{self._pattern(given.value)}({value.source}) is not None"
        return _guarded(source, value, positive=positive)

    def _pattern(self, text: str) -> str:
        if _PATTERN.fullmatch(text) is None:
            raise _Unsure
        # To `re`, $ is also before a last line break.
        whole = text[:-1] + r"\Z" if text.endswith("$") and not text.endswith(r"\$") else text
        name = f"p{self._place}_{len(self.given)}"
        self.given[name] = re.compile(whole, re.ASCII).search
        return name

    def _value(self, node: Node) -> _Value:
        if node.kind == "constant":
            return _constant(node.value)
        if node.kind == "name":
            return self._variable(node.name)
        if node.kind == "call" and node.name == "size" and len(node.parts) == 1:
            of = self._value(node.parts[0])
            if of.type not in {"string", "list(string)", "map(string, string)"}:
                raise _Unsure
            return _Value(f"len({of.source})", "int", of.given)
        if node.kind == "call" and node.name == "_[_]" and node.parts[1].kind == "constant":
            return _entry(self._value(node.parts[0]), node.parts[1].value)
        if node.kind == "select" and node.value is False:
            return _entry(self._value(node.parts[0]), node.name)
        if node.kind == "call":
            return _Value(self.truth(node, positive=False), "bool")
        raise _Unsure

    def _variable(self, name: str) -> _Value:
        variable = self._variables.get(name)
        if variable is None or variable.type not in _KNOWN:
            raise _Unsure
        if name.startswith(FLAGS) and variable.type not in _FLAG_TYPES:
            raise _Unsure
        local = "v_" + name.replace(".", "_")
        self.names[local] = name
        given = (f"{local} is not None",) if name in SOMETIMES_ABSENT else ()
        return _Value(local, variable.type, given)


def _entries(where: _Value) -> str:
    if where.type != "map(string, string)":
        raise _Unsure
    return where.source


def _entry(where: _Value, key: object) -> _Value:
    source = _entries(where)
    return _Value(f"{source}[{key!r}]", "string", (f"{key!r} in {source}",))


def _constant(value: object) -> _Value:
    for kind, name in ((bool, "bool"), (int, "int"), (float, "double"), (str, "string")):
        if type(value) is kind:
            return _Value(f"({value!r})" if kind in {int, float} else repr(value), name)
    raise _Unsure


def _guarded(source: str, *values: _Value, positive: bool) -> str:
    given = [each for value in values for each in value.given]
    if given and not positive:
        raise _Unsure
    return f"({' and '.join((*given, source))})"


def _flat(node: Node, name: str) -> Iterator[Node]:
    """What is joined by the same sign, however it is nested: the runtime balances long chains."""
    for part in node.parts:
        if part.kind == "call" and part.name == name:
            yield from _flat(part, name)
        else:
            yield part

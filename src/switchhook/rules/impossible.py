"""Rules that can't be what was meant: comparisons with what a variable never is, contradictions.

An expression is gone through once, when it is loaded or checked. Of every part is kept for which
values of each variable it may be true, and for which false; a part that is true for none can't be
what was meant, nor one that is true for all. Only what is sure counts: where a variable meets
another, a function or an entry of `extra`, all is possible.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from switchhook.rules.expression_text import ExpressionProblem
from switchhook.rules.possible import OF_TIME, SIZE, elsewhere, values_of
from switchhook.rules.value_sets import OTHER, Exact, fits, same_in_python
from switchhook.rules.variables import SOMETIMES_ABSENT, VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.rules.checked_tree import Node
    from switchhook.rules.value_sets import Samples, Values

_COMPARED: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "_==_": ("==", "==", operator.eq),
    "_!=_": ("!=", "!=", operator.ne),
    "_<_": ("<", ">", operator.lt),
    "_<=_": ("<=", ">=", operator.le),
    "_>_": (">", "<", operator.gt),
    "_>=_": (">=", "<=", operator.ge),
}
"""By the function: the sign, the sign with its sides changed, and what it asks."""
_ASKS = {sign: asks for sign, _, asks in _COMPARED.values()}
_TEXT_TESTS = ("startsWith", "endsWith", "contains", "matches")
_LONGEST_TOLD = 40

Cases = dict[str, "Samples"] | None
"""For which values of which variables something may be; None is for none at all."""


@dataclass(frozen=True, slots=True)
class _Atom:
    """A variable, or a part of one, and the constants that it is compared with."""

    name: str
    values: Values
    test: str
    constants: tuple[tuple[object, int], ...]  # each with its place in the text
    at: int

    def __str__(self) -> str:
        told = [_literal(value) for value, _ in self.constants]
        if self.test in _TEXT_TESTS:
            return f"{self.name}.{self.test}({told[0]})"
        if self.values is _TRUTH:
            return self.name if (self.test == "==") == self.constants[0][0] else f"!{self.name}"
        listed = f"[{', '.join(told)}]" if self.test == "in" else told[0]
        return f"{self.name} {self.test} {listed}"

    @property
    def named(self) -> list[object]:
        return [value for value, _ in self.constants]

    @property
    def always_there(self) -> bool:
        return self.name not in SOMETIMES_ABSENT

    def cases(self, samples: Samples) -> tuple[Samples, Samples]:
        """For which of the samples it may be true, and for which false."""
        given = [(sample, self._ask(sample)) for sample in samples]
        true = frozenset(sample for sample, answer in given if answer is not False)
        return true, frozenset(sample for sample, answer in given if answer is not True)

    def _ask(self, sample: object) -> bool | None:
        if self.test == "in":
            return sample in self.named
        first = self.named[0]
        if self.test in _TEXT_TESTS:
            if not self.values.fits(self.test, str(first)):
                return False
            sure = isinstance(sample, str) and self.values.whole and same_in_python(str(first))
            return fits(self.test, str(sample), str(first)) if sure else None
        if sample is OTHER:
            return {"==": False, "!=": True}.get(self.test)
        return _ASKS[self.test](sample, first)


_TRUTH = Exact((True, False))


def impossible(tree: Node, text: str) -> list[ExpressionProblem]:
    """What can't be what was meant in a checked expression, in the order of the text."""
    return _Analysis(tree, text).problems()


class _Analysis:
    """One expression: its comparisons, and what was found."""

    def __init__(self, tree: Node, text: str) -> None:
        self._tree, self._text = tree, text
        self._atoms = {id(node): atom for node in tree.all() if (atom := _atom(node, text))}
        self._samples = {
            atom.name: atom.values.samples(
                [value for each in self._atoms.values() if each.name == atom.name
                 for value in each.named]
            )
            for atom in self._atoms.values()
        }  # fmt: skip
        self._found: list[tuple[int, str, str]] = []

    def problems(self) -> list[ExpressionProblem]:
        self._judge(self._tree, joined=False)
        return [_placed(self._text, *found) for found in sorted(set(self._found))]

    def _judge(self, node: Node, *, joined: bool) -> tuple[Cases, Cases]:
        """For what a part is true, and for what false.

        `joined` is whether it stands beside others that all have to be true, where one that always
        is does no harm: `local.hour >= 0 && local.hour < 6`.
        """
        before = len(self._found)
        atom = self._atoms.get(id(node))
        if atom is not None:
            return self._judge_atom(atom, joined=joined)
        if node.name == "_&&_":
            return self._judge_all(_flat(node, "_&&_"), sure=before)
        if node.name == "_||_":
            return self._judge_any(_flat(node, "_||_"), sure=before)
        if node.name == "!_":
            true, false = self._judge(node.parts[0], joined=False)
            return false, true
        if node.name == "_?_:_":
            chosen, then = self._judge(node.parts[0], joined=False), node.parts[1:]
            first, second = (self._judge(part, joined=True) for part in then)
            return (
                _either(_both(chosen[0], first[0]), _both(chosen[1], second[0])),
                _either(_both(chosen[0], first[1]), _both(chosen[1], second[1])),
            )
        for part in node.parts:
            self._judge(part, joined=True)
        return {}, {}

    def _judge_atom(self, atom: _Atom, *, joined: bool) -> tuple[Cases, Cases]:
        samples = self._samples[atom.name]
        true, false = atom.cases(samples)
        wrong = [(value, at) for value, at in atom.constants if _never(atom, value, not true)]
        for value, at in wrong:
            said = f"{atom} is never true"
            if atom.test in _TEXT_TESTS:
                said = f"{atom.name} never {_VERBS[atom.test]} {_literal(value)}"
            elif atom.test in ("==", "!=", "in"):
                said = f"{atom.name} is never {_literal(value)}"
            hints = (elsewhere(atom.name, value), atom.values.meant(value, atom.test))
            self._found.append((at, said, "; ".join(filter(None, hints))))
        if wrong:
            return {}, {}  # told once
        if not false and not joined and atom.always_there:
            self._found.append((atom.at, f"{atom} is always true", atom.values.told()))
        return {atom.name: true} if true else None, {atom.name: false} if false else None

    def _judge_all(self, parts: Sequence[Node], *, sure: int) -> tuple[Cases, Cases]:
        true: Cases = {}
        false: Cases = None
        for place, part in enumerate(parts):
            both = self._judge(part, joined=True)
            false = _either(false, both[1])
            if true is None:
                continue
            seen, true = true, _both(true, both[0])
            if true is None and both[0] is not None and len(self._found) == sure:
                self._contradiction(seen, both[0], parts[: place + 1])
        return true, false

    def _judge_any(self, parts: Sequence[Node], *, sure: int) -> tuple[Cases, Cases]:
        true: Cases = None
        false: Cases = {}
        for place, part in enumerate(parts):
            both = self._judge(part, joined=False)
            true = _either(true, both[0])
            if false is None:
                continue
            seen, false = false, _both(false, both[1])
            if false is None and both[1] is not None and len(self._found) == sure:
                self._tautology(seen, both[1], parts[: place + 1])
        return true, false

    def _contradiction(self, seen: Cases, added: Cases, parts: Sequence[Node]) -> None:
        name = _emptied(seen or {}, added or {})
        atoms = self._of(name, parts)
        said = list(dict.fromkeys(map(str, atoms)))
        problem = f"{' and '.join(said)} are never true together"
        if len(said) == 1:
            problem = f"{said[0]} can't be both true and false"
        self._found.append((atoms[-1].at, problem, _one_of(atoms, said)))

    def _tautology(self, seen: Cases, added: Cases, parts: Sequence[Node]) -> None:
        name = _emptied(seen or {}, added or {})
        atoms = self._of(name, parts)
        if not all(atom.always_there for atom in atoms):
            return
        said, hint = list(dict.fromkeys(map(str, atoms))), ""
        if all(atom.test == "!=" for atom in atoms):
            hint = f"none of them is {' && '.join(said)}"
        elif all(atom.test in ("<", "<=", ">", ">=") for atom in atoms) and _apart(atoms):
            hint = f"between both is {' && '.join(said)}"
        self._found.append((atoms[-1].at, f"{' or '.join(said)} is always true", hint))

    def _of(self, name: str, parts: Sequence[Node]) -> list[_Atom]:
        found = [self._atoms.get(id(node)) for part in parts for node in part.all()]
        return [atom for atom in found if atom is not None and atom.name == name]


_VERBS = {
    "startsWith": "starts with",
    "endsWith": "ends with",
    "contains": "contains",
    "matches": "matches",
}


def _never(atom: _Atom, value: object, empty: bool) -> bool:
    """Whether a constant is one that the variable can't meet that way."""
    if atom.test in ("==", "!=", "in"):
        return not atom.values.holds(value)
    if atom.test in _TEXT_TESTS:
        return not atom.values.fits(atom.test, str(value))
    return empty or not atom.values.bounds(value)


def _one_of(atoms: Sequence[_Atom], said: Sequence[str]) -> str:
    if len(said) == 1:
        return ""
    if all(atom.test == "==" and atom.values is not _TRUTH for atom in atoms):
        listed = ", ".join(dict.fromkeys(_literal(atom.named[0]) for atom in atoms))
        return f"one of them is {atoms[0].name} in [{listed}]"
    low = [atom.named[0] for atom in atoms if atom.test in (">", ">=")]
    high = [atom.named[0] for atom in atoms if atom.test in ("<", "<=")]
    if atoms[0].name == "local.weekday" and (low or high):
        return 'weekdays are compared as texts: local.weekday in ["monday", "tuesday"]'
    if len(atoms) == len(low) + len(high) == 2 and low and high:
        if _ASKS["<"](low[0], high[0]):
            return "nothing lies between"
        clock = atoms[0].name == "local.hour" or ".getHours" in atoms[0].name
        return f"{'overnight' if clock else 'either'} is {' || '.join(said)}"
    return "one or the other is joined by ||"


def _apart(atoms: Sequence[_Atom]) -> bool:
    return len({atom.named[0] for atom in atoms}) == len(atoms)


def _flat(node: Node, name: str) -> list[Node]:
    if node.name != name:
        return [node]
    return [each for part in node.parts for each in _flat(part, name)]


def _both(first: Cases, second: Cases) -> Cases:
    if first is None or second is None:
        return None
    joined = dict(first)
    for name, values in second.items():
        joined[name] = joined[name] & values if name in joined else values
    return joined if all(joined.values()) else None


def _either(first: Cases, second: Cases) -> Cases:
    if first is None or second is None:
        return second if first is None else first
    return {name: first[name] | second[name] for name in first.keys() & second.keys()}


def _emptied(first: dict[str, Samples], second: dict[str, Samples]) -> str:
    return next(name for name in second if name in first and not first[name] & second[name])


def _atom(node: Node, text: str) -> _Atom | None:
    if node.kind == "name":
        known = VARIABLES.get(node.name)
        if known is None or known.type != "bool":
            return None
        return _Atom(node.name, _TRUTH, "==", ((True, node.at),), _start(node, text))
    if node.kind != "call" or len(node.parts) != 2:
        return None
    left, right = node.parts
    test, turned, _ = _COMPARED.get(node.name, (node.name.removeprefix("@"), "", None))
    if left.kind == "constant" and turned:
        left, right, test = right, left, turned
    if not (turned or test == "in" or test in _TEXT_TESTS):
        return None
    constants = right.parts if test == "in" and right.kind == "list" else (right,)
    term = _term(left, text)
    if term is None or not constants or any(each.kind != "constant" for each in constants):
        return None
    given = tuple((each.value, each.at) for each in constants)
    return None if any(value is None for value, _ in given) else _Atom(
        *term, test, given, _start(left, text)
    )  # fmt: skip


def _term(node: Node, text: str) -> tuple[str, Values] | None:
    """What is compared, by its name, and what it can be."""
    if node.kind == "name":
        known = VARIABLES.get(node.name)
        values = _TRUTH if known is not None and known.type == "bool" else values_of(node.name)
        return None if values is None else (node.name, values)
    of = node.parts[0] if node.kind == "call" and node.parts else None
    if of is None or of.kind != "name" or of.name not in VARIABLES:
        return None
    if node.name == "size":
        return f"size({of.name})", SIZE
    if node.name in OF_TIME and all(part.kind == "constant" for part in node.parts[1:]):
        zone = ", ".join(_literal(part.value) for part in node.parts[1:])
        return f"{of.name}.{node.name}({zone})", OF_TIME[node.name]
    return None


def _start(node: Node, text: str) -> int:
    """Where a name begins: the runtime points at its last dot, or at a function's bracket."""
    while node.kind == "call" and node.parts:
        if text[node.at - len(node.name) : node.at] == node.name and node.parts[0].at > node.at:
            return node.at - len(node.name)
        node = node.parts[0]
    before = node.name.rpartition(".")[0]
    begins = node.at - len(before)
    return begins if before and text[begins : node.at] == before else node.at


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return str(value)
    cut = value if len(value) <= _LONGEST_TOLD else value[:_LONGEST_TOLD] + "…"
    return '"' + cut.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _placed(text: str, at: int, problem: str, hint: str) -> ExpressionProblem:
    line = text.count("\n", 0, at) + 1
    return ExpressionProblem(line, at - text.rfind("\n", 0, at), problem, hint)

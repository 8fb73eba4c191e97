"""Sets of values that a variable of rules can have: words, numbers in a range.

Each tells whether a value is in it, which few values stand for all, and what to write instead.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

OTHER = object()
"""Stands for all texts that an expression does not name."""

Samples = frozenset[object]


class Values(ABC):
    """The values that something can have.

    `whole` is whether the samples answer tests of a text for all values.
    """

    whole: ClassVar[bool] = True

    @abstractmethod
    def holds(self, value: object) -> bool:
        """Whether it can ever be this value."""

    def bounds(self, value: object) -> bool:
        """Whether values can be compared by size with it."""
        return True

    @abstractmethod
    def samples(self, named: Iterable[object]) -> Samples:
        """Values that stand for all: between two that are named none differs from the next."""

    def fits(self, test: str, text: str) -> bool:
        """Whether any value can begin with, end with, contain or match a text."""
        return True

    @abstractmethod
    def told(self) -> str:
        """What it can be, in words."""

    def meant(self, value: object, test: str = "==") -> str:
        """What to write instead."""
        return self.told()


def fits(test: str, value: str, text: str) -> bool:
    """One of CEL's tests of a text; a pattern that is not the same in Python fits."""
    if test == "startsWith":
        return value.startswith(text)
    if test == "endsWith":
        return value.endswith(text)
    if test == "contains":
        return text in value
    pattern = _pattern(text)
    return pattern is None or pattern.search(value) is not None


def same_in_python(pattern: str) -> bool:
    """Whether a text is surely the same pattern in Python; any that isn't special is."""
    return _pattern(pattern) is not None


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    if "[[:" in text or re.search(r"\\[pPQCzA]", text):
        return None  # RE2 has these otherwise
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return None


@dataclass(frozen=True)
class Words(Values):
    """A closed set of words. `others` are words people take for one of them, in small letters."""

    words: tuple[str, ...]
    others: dict[str, str]
    sent: frozenset[str] = frozenset()  # those of `others` that Exotel sends

    def holds(self, value: object) -> bool:
        """Whether it is one of the words."""
        return value in self.words

    def samples(self, named: Iterable[object]) -> Samples:
        """All of them."""
        return frozenset(self.words)

    def fits(self, test: str, text: str) -> bool:
        """Whether the test is true for any of the words."""
        return any(fits(test, word, text) for word in self.words)

    def told(self) -> str:
        """All of them."""
        return "it is " + listed([word or '""' for word in self.words])

    def meant(self, value: object, test: str = "==") -> str:
        """The nearest word and all of them, or the variable that has such a word."""
        if not isinstance(value, str):
            return self.told()
        near = self.near(_bare(value) if test == "matches" else value)
        if not near:
            return self.told()
        sent = f'Exotel sends "{value}", rules see "{near}": ' if value.lower() in self.sent else ""
        return f'{sent}did you mean "{near}"? {self.told()}'

    def near(self, value: str) -> str:
        """The word that was probably meant; empty where none is near."""
        said = value.strip().lower()
        known = {folded(word): word for word in self.words if word}
        if said in self.others or folded(said) in known:
            return self.others.get(said) or known[folded(said)]
        begun = [word for key, word in known.items() if key.startswith(folded(said)[:3])]
        parts = [known[part] for part in re.split(r"[^a-z]+", said) if part in known]
        close = get_close_matches(folded(said), known, n=1, cutoff=0.6)
        if close:
            return known[close[0]]
        if parts:
            return parts[0]
        return begun[0] if len(begun) == 1 and len(folded(said)) > 2 else ""


def folded(word: str) -> str:
    """A word without what spellings differ in."""
    return re.sub(r"[\s_-]+", "", word.lower())


def _bare(pattern: str) -> str:
    return re.sub(r"\A\^|\(\?i\)|\$\Z", "", pattern)


def listed(words: list[str]) -> str:
    """Words as a sentence has them."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


@dataclass(frozen=True)
class Exact(Values):
    """Values of which there are few."""

    values: tuple[object, ...]

    def holds(self, value: object) -> bool:
        """Whether it is one of them."""
        return value in self.values

    def samples(self, named: Iterable[object]) -> Samples:
        """All of them."""
        return frozenset(self.values)

    def told(self) -> str:
        """All of them."""
        return f"it is {listed([str(value).lower() for value in self.values])}"


@dataclass(frozen=True)
class Numbers(Values):
    """Numbers from `low` to `high`; whole ones, or any between."""

    low: float
    high: float = math.inf
    integers: bool = True
    why: str = ""

    def holds(self, value: object) -> bool:
        """Whether it lies within."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def samples(self, named: Iterable[object]) -> Samples:
        """Those named, their neighbours, and both ends."""
        numbers = [number for number in named if isinstance(number, int | float)]
        found: set[float] = {self.low}
        for number in numbers:
            found |= {number, self._next(number, math.inf), self._next(number, -math.inf)}
        found.add(self.high if self.high < math.inf else max([self.low, *numbers]) + 1)
        return frozenset(number for number in found if self.holds(number))

    def _next(self, number: float, towards: float) -> float:
        if self.integers:
            return number + (1 if towards > 0 else -1)
        return math.nextafter(number, towards)

    def told(self) -> str:
        """The range."""
        if self.high == math.inf:
            return f"it is never below {self.low:g}"
        return f"it is {self.low:,.0f} to {self.high:,.0f}"

    def meant(self, value: object, test: str = "==") -> str:
        """The range, and what starts at its low end."""
        return f"{self.told()}{'; ' if self.why else ''}{self.why}"

"""How both programs are, check by check: what `/healthz` says, with since when and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.overview.health_checks import (
    ANSWERING,
    OF_ANSWER,
    OF_CONSOLE,
    OTHER,
    Check,
    Meaning,
)
from switchhook.overview.health_messages import meaning_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_REMEMBERED = 1000


class Said(msgspec.Struct, frozen=True):
    """What a program's `/healthz` said, when: `status` is empty where none did, for `problem`."""

    at_ms: int
    status: str = ""
    problems: tuple[str, ...] = ()
    problem: str = ""
    fold_lag: int | None = None
    version: str = ""


class Complaint(msgspec.Struct, frozen=True):
    """One sentence, since when it is said, and what it means."""

    text: str
    since_ms: int
    meaning: Meaning


class Checked(msgspec.Struct, frozen=True):
    """A check with what is complained of; well where that is nothing. Since Unix ms.

    It is not `known` of a program that does not answer.
    """

    check: Check
    since_ms: int
    complaints: tuple[Complaint, ...] = ()
    known: bool = True


class ProgramHealth(msgspec.Struct, frozen=True):
    """A program: what it said, and its checks in order, those first that are not well."""

    said: Said
    since_ms: int
    checks: tuple[Checked, ...]


class NodeHealth(msgspec.Struct, frozen=True):
    """Another node of a cluster, by what it said last, `seen_ago_s` ago; `away` is long ago."""

    node: int
    name: str
    away: bool
    seen_ago_s: float
    problems: tuple[str, ...] = ()

    @property
    def told(self) -> list[tuple[str, Meaning]]:
        """What it complains of, with what that means."""
        return [(text, meaning_of(text)) for text in self.problems]


class NodesHealth(msgspec.Struct, frozen=True):
    """The nodes of a cluster, as the one knows them that leads: its own name, and the others."""

    name: str
    others: tuple[NodeHealth, ...]

    def called(self, node: int | None) -> str:
        """The name of another node; empty where there is none such."""
        return next((each.name for each in self.others if each.node == node), "")


class Memory:
    """Since when something is said; what is no longer said is forgotten.

    Times in Unix ms. Counts in a sentence don't make it another one.
    """

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], int] = {}

    def since(self, kind: str, texts: Sequence[str], now_ms: int) -> list[int]:
        """The first moment of each text of a kind; all others of that kind are over."""
        keys = [(kind, re.sub(r"\d+", "#", text)) for text in texts[:MOST_REMEMBERED]]
        before = self._since
        over = {key for key in before if key[0] == kind} - {*keys}
        self._since = {key: at for key, at in before.items() if key not in over}
        return [self._since.setdefault(key, now_ms) for key in keys]


def health_of(name: str, said: Said, memory: Memory) -> ProgramHealth:
    """A program's checks; `name` is `answer` or `console`."""
    checks = OF_ANSWER if name == "answer" else OF_CONSOLE
    problems = said.problems if said.status else (said.problem or "nobody has asked it yet",)
    since = memory.since(f"{name} problem", problems, said.at_ms)
    found = [
        Complaint(text, at, _meaning(text, checks, said))
        for text, at in zip(problems, since, strict=False)
    ]
    by_check = {
        check: tuple(each for each in found if each.meaning.check is check) for check in checks
    }
    well = "well" if said.status else "unknown"
    states = [f"{check.name} {'bad' if some else well}" for check, some in by_check.items()]
    times = memory.since(f"{name} check", states, said.at_ms)
    rows = [
        Checked(check, min((each.since_ms for each in some), default=at), some, bool(said.status))
        for (check, some), at in zip(by_check.items(), times, strict=True)
    ]
    (status_since,) = memory.since(f"{name} status", [said.status], said.at_ms)
    ordered = sorted(rows, key=lambda row: not row.complaints)
    return ProgramHealth(said, status_since, tuple(ordered))


def _meaning(text: str, checks: Sequence[Check], said: Said) -> Meaning:
    if not said.status:
        return Meaning(
            ANSWERING if ANSWERING in checks else OTHER,
            "It was asked on this machine, and does not answer; nor does it answer callers."
            if said.problem
            else "Whether callers are answered is not known.",
            "Look whether the program runs and where it listens; its log says why it ended.",
        )
    meaning = meaning_of(text)
    return meaning if meaning.check in checks else Meaning(OTHER, meaning.why, meaning.todo)

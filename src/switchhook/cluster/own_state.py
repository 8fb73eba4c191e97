"""A node by itself, while the database that all nodes share is of no use to it: in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import sentence
from switchhook.metrics import duration_text
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from switchhook.web.json import Json

MORE = "on a node `switchhook cluster doctor` says more"


class OwnFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has by itself, from its own disk.

    `answers` is whether its answer side answers callers, None where nobody can tell. Its journal
    has `journal_bytes`, and may grow by `room_bytes`; `waiting` of its records are not handed over,
    at most so many where not `sure`. `one_copy` of them mark an answer that left with one copy of
    its receipt; so many or more where not `counted`.
    """

    answers: bool | None = None
    journal_bytes: int = 0
    room_bytes: int = 0
    waiting: int = 0
    sure: bool = True
    one_copy: int = 0
    counted: bool = True

    @property
    def waiting_text(self) -> str:
        return f"{self.waiting:,}" if self.sure else f"up to {self.waiting:,}"

    @property
    def one_copy_text(self) -> str:
        return f"{self.one_copy:,}" if self.counted else f"{self.one_copy:,} or more"

    @property
    def size_text(self) -> str:
        return f"{size_text(self.journal_bytes)}, with room for {size_text(self.room_bytes)} more"

    @property
    def answers_text(self) -> str:
        return {True: "yes", False: "no", None: "not known"}[self.answers]


class OwnState(msgspec.Struct, frozen=True, kw_only=True):
    """Why a node is by itself, and how it is.

    `problem` is in words that name no machine and no user, as anybody may hear them, `hint` what to
    do. `away` is whether the database's server is not reached or lets nobody in, else something in
    it is wrong. It is so since `since_ms`, by the node's clock; None where nobody noted it.
    """

    name: str
    problem: str
    hint: str
    now_ms: int
    away: bool = True
    since_ms: int | None = None
    figures: OwnFigures

    @property
    def heading(self) -> str:
        """The same in a few words."""
        how = "is away" if self.away else "can't be used"
        return f"The database that the nodes share {how}"

    @property
    def lasts(self) -> str:
        """For how long it is so; empty where nobody noted it."""
        if self.since_ms is None:
            return ""
        return f"for {duration_text(max(self.now_ms - self.since_ms, 0) / 1000)}"

    @property
    def said(self) -> str:
        """What is wrong, in one sentence of `/healthz` and the API."""
        how = "is away" if self.away else "can't be used"
        lasts = f" {self.lasts}" if self.lasts else ""
        return f"the cluster's database {how}{lasts}: {self.problem}; {self._callers}"

    @property
    def _callers(self) -> str:
        if self.figures.answers is False:
            return (
                "this node's answer side does not answer, and the other nodes do so by themselves"
            )
        return "callers notice nothing, and no receipt is lost"

    @property
    def callers(self) -> str:
        """What callers notice."""
        if self.figures.answers is False:
            return (
                "This node's answer side does not answer: who comes here takes Option B. Look at"
                " its log. The other nodes answer by themselves."
            )
        return "Nothing: each node answers by itself, with the rules that it has."

    @property
    def lost(self) -> str:
        """What is lost."""
        return (
            "Nothing: receipts wait on the disk of the node that answered, and are handed over once"
            " the database is back. Until then that disk has the only copy."
        )

    @property
    def waits(self) -> str:
        """What does not go on meanwhile."""
        return "Pages, alerts and callbacks, on all nodes. Nobody can sign in."

    @property
    def todo(self) -> str:
        """What to do."""
        return f"{sentence(self.hint)} {sentence(MORE)}"


def size_text(size: int) -> str:
    """Bytes as people say them."""
    for unit, bytes in (("GB", 1e9), ("MB", 1e6)):
        if size >= bytes:
            return f"{size / bytes:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"


def own_json(state: OwnState) -> Json:
    """The node's own figures, for programs."""
    figures = state.figures
    return {
        "name": state.name,
        "since": None if state.since_ms is None else time_of(state.since_ms * 1000),
        "answers": figures.answers,
        "journal_bytes": figures.journal_bytes,
        "room_bytes": figures.room_bytes,
        "behind": figures.waiting,
        "behind_at_most": not figures.sure,
        "one_copy": figures.one_copy,
        "one_copy_at_least": not figures.counted,
    }

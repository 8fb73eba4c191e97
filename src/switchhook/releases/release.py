"""A release: what it is, which states it can be in, and what leads from one to another. Pure.

A release is one immutable text: the rules of an endpoint, or all pools with their weights. Its
number counts over all of them. At most one release of a subject is full, and at most one is a
candidate: in shadow, or in canary at a share.

| From | Act | To |
| --- | --- | --- |
| draft | check | checked |
| checked, retired, rolled back | shadow | shadow |
| checked, shadow, canary, retired, rolled back | canary | canary |
| checked, shadow, canary, retired, rolled back | promote | full |
| shadow, canary | stop | checked |
| full | supersede | retired |
| full, canary | roll back | rolled back |
| canary | freeze | frozen |

Frozen is what harmed callers in its canary: its text can be released anew, by a new number, with a
reason.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class ReleaseState(StrEnum):
    """Where a release is on its way to all callers."""

    DRAFT = "draft"
    CHECKED = "checked"
    SHADOW = "shadow"
    """Decides beside the running release; nobody is answered by it."""
    CANARY = "canary"
    """Decides for a share of the callers."""
    FULL = "full"
    RETIRED = "retired"
    """Was full, until another was."""
    ROLLED_BACK = "rolled back"
    FROZEN = "frozen"
    """Harmed callers in its canary, and was taken back by itself."""


class ReleaseAct(StrEnum):
    """What can be done to a release."""

    CHECK = "check"
    SHADOW = "shadow"
    CANARY = "canary"
    PROMOTE = "promote"
    STOP = "stop"
    SUPERSEDE = "supersede"
    ROLL_BACK = "roll back"
    FREEZE = "freeze"


_S, _A = ReleaseState, ReleaseAct

NEXT: dict[tuple[ReleaseState, ReleaseAct], ReleaseState] = {
    (_S.DRAFT, _A.CHECK): _S.CHECKED,
    (_S.CHECKED, _A.SHADOW): _S.SHADOW,
    (_S.RETIRED, _A.SHADOW): _S.SHADOW,
    (_S.ROLLED_BACK, _A.SHADOW): _S.SHADOW,
    (_S.CHECKED, _A.CANARY): _S.CANARY,
    (_S.SHADOW, _A.CANARY): _S.CANARY,
    (_S.CANARY, _A.CANARY): _S.CANARY,
    (_S.RETIRED, _A.CANARY): _S.CANARY,
    (_S.ROLLED_BACK, _A.CANARY): _S.CANARY,
    (_S.CHECKED, _A.PROMOTE): _S.FULL,
    (_S.SHADOW, _A.PROMOTE): _S.FULL,
    (_S.CANARY, _A.PROMOTE): _S.FULL,
    (_S.RETIRED, _A.PROMOTE): _S.FULL,
    (_S.ROLLED_BACK, _A.PROMOTE): _S.FULL,
    (_S.SHADOW, _A.STOP): _S.CHECKED,
    (_S.CANARY, _A.STOP): _S.CHECKED,
    (_S.FULL, _A.SUPERSEDE): _S.RETIRED,
    (_S.FULL, _A.ROLL_BACK): _S.ROLLED_BACK,
    (_S.CANARY, _A.ROLL_BACK): _S.ROLLED_BACK,
    (_S.CANARY, _A.FREEZE): _S.FROZEN,
}
"""Every step that there is; another is refused by name."""

CANDIDATE = frozenset({_S.SHADOW, _S.CANARY})
"""The states of which a subject has one release at most."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of an endpoint's rules, or of the pools.

    `subject` is `rules/<endpoint>` or `pools`; `hash` the SHA-256 of `text` in hex, by which
    receipts name it. `parent` is the number of the release that was full when it was made, None for
    the first. `by_file` is whether an operator's file that was edited in place brought it.
    """

    number: int
    subject: str
    text: str
    hash: str
    author: str
    reason: str
    made_ms: int
    parent: int | None = None
    by_file: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """In which state a release is, since when, and by whom.

    `share` counts in parts of 10,000 and is above 0 in canary only; `problems` are those of a
    draft, or of a canary, that doesn't check out, one line each. `evidence` is what its state
    rests on, in words, where Switchhook brought it there. `flaw` is why its text can't be run any
    more, whatever its state: what was kept of it is damaged, or was masked by an erasure.
    """

    release: Release
    state: ReleaseState
    since_ms: int
    by: str = ""
    reason: str = ""
    share: int = 0
    problems: tuple[str, ...] = ()
    evidence: str = ""
    flaw: str = ""

    @property
    def can_be_used(self) -> bool:
        """Whether its text is a release any more: a frozen or damaged one gets another number."""
        return not self.flaw and self.state is not ReleaseState.FROZEN


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One act on a release, as the history tells it; `by` a person, a token or Switchhook itself.

    `evidence` is what it rested on, in words: of a freeze, or of a step that Switchhook took.
    """

    number: int
    at_ms: int
    act: ReleaseAct
    to: ReleaseState
    by: str
    reason: str = ""
    share: int = 0
    evidence: str = ""


DONE = {
    ReleaseAct.CHECK: "checked",
    ReleaseAct.SHADOW: "put in shadow",
    ReleaseAct.CANARY: "put in canary",
    ReleaseAct.PROMOTE: "promoted",
    ReleaseAct.STOP: "stopped",
    ReleaseAct.SUPERSEDE: "superseded",
    ReleaseAct.ROLL_BACK: "rolled back",
    ReleaseAct.FREEZE: "frozen",
}
"""What was done to a release by each act."""


def ran_before(steps: Iterable[Step]) -> list[int]:
    """Which releases of a subject ran, as a rollback goes back through them; the last runs.

    What was rolled back is no longer among them.
    """
    ran: list[int] = []
    for step in steps:
        if step.act is ReleaseAct.ROLL_BACK and ran[-1:] == [step.number]:
            ran.pop()
        elif step.to is ReleaseState.FULL and ran[-1:] != [step.number]:
            ran.append(step.number)
    return ran

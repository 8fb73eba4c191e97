"""What runs, as releases know it: told by the data folder, and changed there. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchhook.releases.release import Release


class RunningText(msgspec.Struct, frozen=True, kw_only=True):
    """What decides all callers of a subject that no candidate decides.

    `by` says who brought it, `at_ms` when, 0 for what is built in. `release` is the number that it
    was put in place as, 0 where a file brought it.
    """

    subject: str
    text: str
    hash: str
    by: str = ""
    at_ms: int = 0
    release: int = 0


class Running(Protocol):
    """What runs on a data folder. Any process that has the folder may ask and change it.

    Raises ConfigError and DataFolderError, no OSError.
    """

    def subjects(self) -> tuple[str, ...]:
        """What there can be releases of, by the configuration: each endpoint's rules, and pools."""

    def texts(self) -> tuple[RunningText, ...]:
        """What runs, of every subject where that is known."""

    def ran(self, subject: str) -> Iterator[RunningText]:
        """What ran before what runs, as undos would go back through it, the nearest first."""

    def built_in(self) -> Mapping[str, str]:
        """The text that an endpoint's rules have where it has none of its own, by subject.

        One that can't be without is left out.
        """

    def candidates(self) -> Mapping[str, int]:
        """What can decide for a share of the callers, by subject; 0 is a damaged one."""

    def whole(self, subject: str, text: str) -> str:
        """A text as a release has it: of pools also what it doesn't say, as it is now."""

    def check(self, release: Release, *, strict: bool) -> tuple[str, ...]:
        """Why a text can't run now, a line each: it doesn't check out, or its subject is gone.

        If `strict`, what can't be what was meant is a reason too; what ran before may run again.
        """

    def run(self, release: Release, by: str) -> None:
        """Let all callers be decided by it."""

    def propose(self, subject: str, candidate: Release | None) -> None:
        """Have it stand beside what runs, or nothing."""

    def close(self) -> None:
        """Let go of what is held open."""

"""Releases as tests want them."""

from __future__ import annotations

from collections.abc import Iterator

from switchhook.releases.acts import ActWanted
from switchhook.releases.ledger import LedgerReleases, NewRelease, hash_of
from switchhook.releases.release import Release, ReleaseAct, ReleaseState, Standing
from switchhook.releases.running import RunningText

NOW = 1_700_000_000_000
DEFAULT = "rules/default"


def text(of: str = "A") -> str:
    return f'# {of}\n[default]\noption = "{of[:1]}"\n'


def new(said: str | None = None, subject: str = DEFAULT, **more) -> NewRelease:
    return NewRelease(
        **{
            "subject": subject,
            "text": text() if said is None else said,
            "author": "asha",
            "reason": "try it",
            **more,
        }
    )


def release(number: int, of: str = "A", subject: str = DEFAULT, **more) -> Release:
    said = text(of)
    return Release(
        **{
            "number": number,
            "subject": subject,
            "text": said,
            "hash": hash_of(said),
            "author": "asha",
            "reason": "try it",
            "made_ms": NOW,
            **more,
        }
    )


def standing(number: int, state: ReleaseState, of: str = "", **more) -> Standing:
    made = {k: more.pop(k) for k in ("subject", "text", "by_file") if k in more}
    return Standing(
        release=release(number, of or f"A {number}", **made),
        state=state,
        **{"since_ms": NOW, **more},
    )


def wanted(act: ReleaseAct, **more) -> ActWanted:
    return ActWanted(**{"act": act, "by": "asha", **more})


def fits(_release: Release) -> tuple[str, ...]:
    return ()


def do(releases: LedgerReleases, number: int, act: ReleaseAct, now_ms: int = NOW, **more):
    kept = {k: more.pop(k) for k in ("apply", "deed", "check") if k in more}
    kept.setdefault("check", fits)
    return releases.act(number, wanted(act, **more), now_ms, **kept)


class InMemory:
    """`Running`, without a data folder."""

    def __init__(self, *runs: RunningText) -> None:
        self.runs = {each.subject: each for each in runs}
        self.proposed: dict[str, int] = {}
        self.before: dict[str, tuple[RunningText, ...]] = {}
        self.doubts: set[str] = set()
        self.problems: dict[str, tuple[str, ...]] = {}

    def close(self) -> None:
        """Nothing is held open."""

    def texts(self) -> tuple[RunningText, ...]:
        return tuple(self.runs.values())

    def ran(self, subject: str) -> Iterator[RunningText]:
        return iter(self.before.get(subject, ()))

    def built_in(self) -> dict[str, str]:
        return {each: text("A") for each in self.runs if each.startswith("rules/")}

    def candidates(self) -> dict[str, int]:
        return dict(self.proposed)

    def subjects(self) -> tuple[str, ...]:
        return tuple(self.runs)

    def whole(self, subject: str, text: str) -> str:
        return text

    def check(self, release: Release, *, strict: bool) -> tuple[str, ...]:
        if strict and release.text in self.doubts:
            return ("it can't be what was meant",)
        return self.problems.get(release.text, ())

    def run(self, release: Release, by: str) -> None:
        self.runs[release.subject] = runs(release.text, release.subject, by, release.number)

    def propose(self, subject: str, candidate: Release | None) -> None:
        self.proposed.pop(subject, None)
        if candidate is not None:
            self.proposed[subject] = candidate.number

    def edit(self, said: str, subject: str = DEFAULT) -> None:
        """As an operator does, in place."""
        self.runs[subject] = runs(said, subject, "changed file")


def runs(
    said: str, subject: str = DEFAULT, by: str = "start", release: int = 0, at_ms: int = NOW
) -> RunningText:
    return RunningText(
        subject=subject, text=said, hash=hash_of(said), by=by, at_ms=at_ms, release=release
    )

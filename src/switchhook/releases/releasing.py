"""Releasing: what is wanted is decided, put in place in the data folder, and kept in the ledger.

Commands, API and page all go by this, beside each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import ReleaseError
from switchhook.releases.acts import ActWanted, ReleaseChange, Situation, change_of, share_words
from switchhook.releases.candidates_keeper import CandidatesKeeper
from switchhook.releases.doubts import SWITCHHOOK, doubts_of, unfinished_words
from switchhook.releases.ledger import NewRelease, hash_of
from switchhook.releases.reconcile import taken_of
from switchhook.releases.release import Release, ReleaseAct, ReleaseState, Standing
from switchhook.rules.rollout import POOLS, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.access.audit import Deed
    from switchhook.releases.ledger import LedgerReleases
    from switchhook.releases.running import Running, RunningText

    Note = Callable[[str, str, dict[str, str]], Deed]
    """A deed of whoever acts: what, of what, details."""

MADE = "made a release"
DEEDS = {
    ReleaseAct.CHECK: "checked a release",
    ReleaseAct.SHADOW: "put a release in shadow",
    ReleaseAct.CANARY: "put a release in canary",
    ReleaseAct.PROMOTE: "promoted a release",
    ReleaseAct.STOP: "stopped a release",
    ReleaseAct.SUPERSEDE: "superseded a release",
    ReleaseAct.ROLL_BACK: "rolled a release back",
    ReleaseAct.FREEZE: "froze a release",
}
"""What the audit log says of each act."""
_NEVER_RAN = (ReleaseState.DRAFT, ReleaseState.CHECKED)


class Releasing:
    """Makes releases and acts on them. Any thread.

    Raises ReleaseError for what can't be done, which changes nothing; LedgerError, ConfigError and
    DataFolderError where something can't be read or written.
    """

    def __init__(
        self, releases: LedgerReleases, running: Running, now_ms: Callable[[], int]
    ) -> None:
        self.releases, self.running, self._now_ms = releases, running, now_ms
        self._seen: object = None

    def reconcile(self) -> tuple[Standing, ...]:
        """Record what runs without having been released; cheap where nothing changed."""
        texts, candidates = self.running.texts(), dict(self.running.candidates())
        seen = (self.releases.newest(), {each.subject: each.hash for each in texts}, candidates)
        if seen == self._seen:
            return ()
        changed = self.releases.reconcile(
            # Asked anew within the transaction, where nobody else is about to change it.
            lambda standings: taken_of(
                self.running.texts(), self.running.candidates(), standings, self.running.ran
            ),
            self._now_ms(),
            self._withdraw_others,
        )
        if not changed:
            self._seen = seen
        return changed

    def add(
        self, subject: str, text: str, by: str, reason: str, note: Note
    ) -> tuple[Standing, bool]:
        """The release of a text, and whether it is new; a draft where it doesn't check out."""
        self.reconcile()
        self._check_subject(subject)
        text = self.running.whole(subject, text)
        draft = Release(
            number=0, subject=subject, text=text, hash="", author=by, reason=reason, made_ms=0
        )
        new = NewRelease(
            subject=subject,
            text=text,
            author=by,
            reason=reason,
            problems=self.running.check(draft, strict=True),
        )
        return self.releases.add(new, self._now_ms(), lambda made: _deed_of_new(made, note))

    def act(self, number: int, wanted: ActWanted, note: Note) -> ReleaseChange:
        """Do what is wanted of a release."""
        self.reconcile()
        standing = self.releases.standing(number)
        fresh = standing is not None and standing.state in _NEVER_RAN

        def check(release: Release) -> tuple[str, ...]:
            return self.running.check(release, strict=fresh and release.number == number)

        unfinished = self._unfinished(standing, wanted)
        change = self.releases.act(
            number,
            wanted,
            self._now_ms(),
            check=check,
            apply=self._apply,
            deed=lambda change: _deed_of(number, change, note),
        )
        return msgspec.structs.replace(change, warnings=(*change.warnings, *unfinished))

    def try_out(self, subject: str, text: str, wanted: ActWanted) -> None:
        """Whether a text could be acted on so, once it is a release. Raises ReleaseError if not."""
        self.reconcile()
        there, hash = self.releases.situation(subject), hash_of(text)
        same = [each for each in there.standings if each.release.hash == hash]
        if same and same[-1].can_be_used:
            number = same[-1].release.number
        else:
            number = 0
            release = Release(
                number=0,
                subject=subject,
                text=text,
                hash=hash,
                author=wanted.by,
                reason=wanted.reason,
                made_ms=0,
            )
            new = Standing(release=release, state=ReleaseState.CHECKED, since_ms=0)
            there = Situation((*there.standings, new), there.steps)
        change_of(number, wanted, there, lambda each: self.running.check(each, strict=not number))

    def as_it_decides(self, standing: Standing) -> Standing:
        """The same, with why a canary can't decide as the configuration is now."""
        if standing.state is not ReleaseState.CANARY:
            return standing
        problems = tuple(self.running.check(standing.release, strict=False))
        return msgspec.structs.replace(standing, problems=problems)

    def doubts(self, release: Release) -> tuple[str, ...]:
        """What speaks against a text, a sentence each; also of one that is no release yet."""
        there = self.releases.situation(release.subject)
        release = msgspec.structs.replace(release, hash=hash_of(release.text))
        return doubts_of(release, there.standings, there.steps)

    def _unfinished(self, standing: Standing | None, wanted: ActWanted) -> tuple[str, ...]:
        """That a person promotes a canary whose stage is not done."""
        if standing is None or standing.state is not ReleaseState.CANARY:
            return ()
        if wanted.act is not ReleaseAct.PROMOTE or wanted.by == SWITCHHOOK:
            return ()
        rollout, _ = CandidatesKeeper(self.releases).shown(standing.release.number)
        said = unfinished_words(rollout, self._now_ms())
        return (said,) if said else ()

    def texts(self) -> tuple[RunningText, ...]:
        """What runs, of each subject."""
        return self.running.texts()

    def _apply(self, change: ReleaseChange) -> None:
        """What is new runs before the candidate goes, so that nobody is sent back in between."""
        if change.runs is not None:
            self.running.run(change.runs, change.wanted.by)
        if change.proposes is not None:
            self.running.propose(change.subject, change.proposes)
        elif change.withdraws:
            self.running.propose(change.subject, None)

    def _withdraw_others(self, candidates: Sequence[Standing]) -> None:
        """What stands in the data folder as a candidate, and is none, goes."""
        known = {each.release.subject: each.release.number for each in candidates}
        for subject, number in self.running.candidates().items():
            if known.get(subject) != number:
                self.running.propose(subject, None)

    def _check_subject(self, subject: str) -> None:
        known = self.running.subjects()
        if subject not in known:
            raise ReleaseError(no_subject(subject), f"known: {', '.join(map(short, known))}")


def subject_said(said: str, known: Iterable[str]) -> str | None:
    """The subject that is said as an endpoint's name, as `rules/NAME`, or as `pools`."""
    known = set(known)
    return next((each for each in (said, subject_of(said)) if each in known), None)


def short(subject: str) -> str:
    """A subject as people say it: an endpoint's name, or `pools`."""
    name = subject.removeprefix("rules/")
    return subject if name == POOLS else name


def no_subject(said: str) -> str:
    """That something is neither an endpoint nor the pools."""
    return f"there is no endpoint {said.removeprefix('rules/')[:80]!r} in the configuration"


def _deed_of_new(made: Standing, note: Note) -> Deed:
    release = made.release
    details = {"reason": release.reason, "hash": release.hash[:16], "state": made.state.value}
    return note(MADE, f"release {release.number} of {release.subject}", details)


def _deed_of(number: int, change: ReleaseChange, note: Note) -> Deed:
    wanted = change.wanted
    details = {"said": change.said}
    if wanted.reason:
        details["reason"] = wanted.reason
    if wanted.act is ReleaseAct.CANARY:
        details["share"] = share_words(wanted.share)
    if wanted.again:
        details["again"] = "; ".join(change.warnings) or "said"
    if wanted.evidence:
        details["evidence"] = wanted.evidence
    return note(DEEDS[wanted.act], f"release {number} of {change.subject}", details)

"""What the commands about releases share: opening them, and finding what is meant."""

from __future__ import annotations

import difflib
import os
import re
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.data import (
    config_or_last,
    data_folder,
    found_config,
    steady_now_ms,
    store_in,
)
from switchhook.cli.ledger import deed
from switchhook.errors import DataFolderError, ReleaseError
from switchhook.flags.ledger import LedgerFlags
from switchhook.releases.ledger import hash_of
from switchhook.releases.release import Release
from switchhook.releases.releasing import short, subject_said
from switchhook.releases.stages import plan
from switchhook.releases.volume_reader import volume_of
from switchhook.rules.rollout import BUCKETS, POOLS, subject_of
from switchhook.server.places import has_ledger, journal_of, ledger_of, running_of
from switchhook.server.releasing import releasing_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchhook.access.audit import Deed
    from switchhook.config import Config
    from switchhook.releases.acts import ActWanted
    from switchhook.releases.ledger import LedgerReleases
    from switchhook.releases.release import Standing
    from switchhook.releases.releasing import Releasing

REASON = Annotated[
    str, Parameter(name="--reason", help="Why; a file that is recorded has to have it.")
]
AGAIN = Annotated[
    bool, Parameter(name="--again", negative="", help="Also if its text harmed callers before.")
]
OF = Annotated[
    str | None, Parameter(name="--of", help="Of what it is a release: an endpoint, or pools.")
]

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)\s*%", re.ASCII)
_LARGEST = 1_000_000
_MOST_DIGITS = 1_000  # Python reads no text of many more


class OpenReleases(NamedTuple):
    """The releases of a data folder, beside programs that may run; `file` is the configuration."""

    folder: Path
    config: Config
    file: str | None
    releasing: Releasing
    flags: LedgerFlags

    @property
    def ledger(self) -> LedgerReleases:
        return self.releasing.releases

    def now_ms(self) -> int:
        return steady_now_ms(self.folder)


@contextmanager
def opened(config: str | None, data: str | None) -> Iterator[OpenReleases]:
    """The releases of a data folder, with what runs on it recorded."""
    folder = data_folder(config, data)
    if not has_ledger(folder) and folder.stat().st_uid != os.geteuid():
        problem = "it has no ledger yet, and belongs to another user"
        raise DataFolderError(str(folder), problem, "run this as the user that owns it")
    found = config_or_last(folder, config)
    ledger, running = ledger_of(folder), running_of(folder, lambda: found)
    try:
        releasing = releasing_of(ledger, running, lambda: steady_now_ms(folder))
        releasing.reconcile()
        yield OpenReleases(
            folder, found, found_config(config, data), releasing, LedgerFlags(ledger)
        )
    finally:
        running.close()
        ledger.close()


def by() -> str:
    """Who runs the command."""
    return deed("").who


def note(what: str, subject: str, details: dict[str, str]) -> Deed:
    """A deed of whoever runs the command."""
    return deed(what, subject, **details)


def plan_words(subject: str, first: int | None, at: OpenReleases) -> str:
    """The stages that a canary would go through, by the callers of late; `first` is its share."""
    store, journal = store_in(at.folder), journal_of(at.folder)
    kinds = {each.name: each.kind for each in at.config.endpoints}
    with closing(journal), closing(store):
        volume = volume_of(subject, kinds, store, journal, at.now_ms())
    return plan(at.config.releases, volume=volume, first=first).words


def share_said(said: str) -> int:
    """A share in parts of 10,000. Raises ReleaseError for what is none."""
    found = _SHARE.fullmatch(said.strip())
    if found:
        return round(float(found[1]) * BUCKETS / 100)
    if re.fullmatch(r"[0-9.]+", said.strip()):
        raise ReleaseError(f"{said.strip()} of what? a share is a part of 100", f"say {said}%")
    raise ReleaseError(f"{output.short(said, 40)!r} is no share", "such as 5%, or 0.5%")


def is_share(said: str) -> bool:
    """Whether somebody means a share by it, rather than a release."""
    return said.strip().endswith("%")


def meant(
    said: str, of: str | None, reason: str, at: OpenReleases, act: ActWanted | None = None
) -> Standing:
    """The release that is said by its number, by what it is a candidate of, or by a file.

    A file's text is recorded first, for the `reason`, unless it is a release already; not where
    `act` would be refused of it.
    Raises ReleaseError, OSError.
    """
    known = at.releasing.running.subjects()
    if is_number(said):
        return numbered(said, at, of)
    subject = subject_said(said, known)
    if subject is not None:
        return _of_that(candidate_of(subject, at), of, at)
    if not Path(said).exists() and not re.search(r"[./\\]", said):
        near = difflib.get_close_matches(said, [short(each) for each in known], 1)
        hint = f"did you mean {near[0]}?" if near else "a number, an endpoint, pools, or a file"
        raise ReleaseError(
            f"{output.short(said, 40)!r} is no release, no endpoint and no file", hint
        )
    return recorded(said, of, reason, at, act)


def is_number(said: str) -> bool:
    """Whether somebody means a release's number by it, of however many digits."""
    return said.isascii() and said.isdigit()


def numbered(said: str, at: OpenReleases, of: str | None = None) -> Standing:
    """The release of a number, which has to be `of` that. Raises ReleaseError."""
    standing = at.ledger.standing(int(said)) if len(said) < _MOST_DIGITS else None
    if standing is None:
        problem = f"there is no release {output.short(said, 40)}"
        raise ReleaseError(problem, "see: switchhook release list")
    return _of_that(standing, of, at)


def _of_that(standing: Standing, of: str | None, at: OpenReleases) -> Standing:
    """The same. Raises ReleaseError where it is of something else than was said."""
    release = standing.release
    if of is not None and said_subject(of, at.releasing.running.subjects()) != release.subject:
        problem = f"release {release.number} is of {short(release.subject)}, not of {of}"
        raise ReleaseError(problem, "see: switchhook release list")
    return standing


def the_candidate(of: str | None, at: OpenReleases) -> Standing:
    """The candidate where none is named: `of` what is said, else the only one."""
    known = at.releasing.running.subjects()
    return candidate_of(None if of is None else said_subject(of, known), at)


def candidate_of(subject: str | None, at: OpenReleases) -> Standing:
    """The candidate of a subject, or the only one there is. Raises ReleaseError."""
    found = [
        each
        for each in at.ledger.candidates()
        if subject is None or each.release.subject == subject
    ]
    if len(found) == 1:
        return found[0]
    if found:
        said = ", ".join(f"{e.release.number} of {short(e.release.subject)}" for e in found)
        raise ReleaseError(f"{len(found)} releases are candidates", f"say which: {said}")
    of = "" if subject is None else f" of {short(subject)}"
    hint = "say which release is meant, by its number or its file"
    raise ReleaseError(f"no release{of} is in shadow or in canary", hint)


def recorded(
    file: str, of: str | None, reason: str, at: OpenReleases, act: ActWanted | None = None
) -> Standing:
    """The release of a file's text, made where there is none. Raises ReleaseError, OSError."""
    text, subject = text_in(file), subject_of_file(file, of, at)
    whole = at.releasing.running.whole(subject, text)
    if not reason.strip() and not _is_known(whole, subject, at):
        hint = '--reason "why", for those who read it tomorrow'
        raise ReleaseError(f"{file} is no release yet, and it has no reason", hint)
    if act is not None:
        try:
            at.releasing.try_out(subject, whole, act)
        except ReleaseError as refused:
            raise ReleaseError(f"{file}: {refused.problem}", refused.hint) from None
    standing, new = at.releasing.add(subject, text, by(), reason, note)
    number = standing.release.number
    already = "" if new else " already"
    output.err.print(f"{output.plain(file)} is release {number} of {short(subject)}{already}")
    return standing


def _is_known(text: str, subject: str, at: OpenReleases) -> bool:
    same = [each for each in at.ledger.standings(subject) if each.release.hash == hash_of(text)]
    return bool(same) and same[-1].can_be_used


def text_in(file: str) -> str:
    """What a file holds. Raises ReleaseError where that is no text, OSError."""
    with Path(file).open("rb") as opened_file:
        content = opened_file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ReleaseError(f"{file} is larger than any release", f"at most {_LARGEST:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        problem = f"{file} is no text in UTF-8, at byte {error.start}"
        raise ReleaseError(problem, "save it as UTF-8") from None


def subject_of_file(file: str, of: str | None, at: OpenReleases) -> str:
    """Of what a file is: as said, as configured, or as it is called. Raises ReleaseError."""
    known = at.releasing.running.subjects()
    if of is not None:
        return said_subject(of, known)
    path = Path(file).absolute()
    for point in at.config.endpoints:
        if point.rules is not None and Path(point.rules).absolute() == path:
            return subject_of(point.name)
    named = POOLS if path.stem == POOLS and POOLS in known else subject_of(path.stem)
    if named in known:
        return named
    rules = [each for each in known if each != POOLS]
    if len(rules) == 1:
        return rules[0]
    hint = f"--of {' or '.join(short(each) for each in known)}"
    raise ReleaseError(f"it does not show which endpoint {file} is of", hint)


def said_subject(said: str, known: Sequence[str]) -> str:
    """The subject of that name. Raises ReleaseError."""
    found = subject_said(said, known)
    if found is None:
        name = said.removeprefix("rules/")[:80]
        what = "there are no pools" if said == POOLS else f"there is no endpoint {name!r}"
        names = ", ".join(short(each) for each in known)
        raise ReleaseError(f"{what} in the configuration", f"known: {names}")
    return found


def running_or_numbered(said: str, at: OpenReleases) -> Standing:
    """The release of a number, or what runs of a subject. Raises ReleaseError."""
    if is_number(said):
        return numbered(said, at)
    subject = said_subject(said, at.releasing.running.subjects())
    full = at.ledger.full(subject)
    if full is None:
        raise ReleaseError(f"nothing has run for {short(subject)} yet", "switchhook serve runs it")
    return full


def is_file(said: str, at: OpenReleases) -> bool:
    """Whether somebody means a file by it, rather than a release or what runs."""
    return not is_number(said) and subject_said(said, at.releasing.running.subjects()) is None


def text_of(said: str, of: str | None, at: OpenReleases) -> Release:
    """A release, or a file as one without a number."""
    if not is_file(said, at):
        return _of_that(running_or_numbered(said, at), of, at).release
    text, subject = text_in(said), subject_of_file(said, of, at)
    whole = at.releasing.running.whole(subject, text)
    return Release(
        number=0, subject=subject, text=whole, hash="", author="", reason=said, made_ms=0
    )


def before(release: Release, at: OpenReleases) -> Release:
    """What a release is told against: what runs, or of that what it was made from."""
    full = at.ledger.full(release.subject)
    if full is not None and full.release.number != release.number:
        return full.release
    parent = at.ledger.standing(release.parent or 0)
    empty = Release(
        number=0, subject=release.subject, text="", hash="", author="", reason="", made_ms=0
    )
    return empty if parent is None else parent.release

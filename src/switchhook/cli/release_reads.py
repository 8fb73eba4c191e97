"""The commands about releases that only look: `list`, `show`, `diff`, `history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.release_evidence import print_rollout, print_shadow
from switchhook.cli.release_parts import (
    OF,
    before,
    is_file,
    is_number,
    numbered,
    opened,
    running_or_numbered,
    said_subject,
    text_of,
)
from switchhook.cli.release_shown import (
    print_differences,
    print_lines,
    print_list,
    print_release,
    print_steps,
)
from switchhook.errors import ReleaseError
from switchhook.releases.candidates_keeper import CandidatesKeeper
from switchhook.releases.evidence_json import evidence_json
from switchhook.releases.json import standing_json, step_json
from switchhook.releases.release import ReleaseState
from switchhook.releases.releasing import short

if TYPE_CHECKING:
    from switchhook.releases.release import Standing

_SHOWN = 30
ALL = Annotated[bool, Parameter(name="--all", negative="", help="Also those of long ago.")]


def list_(
    of: str | None = None,
    *,
    all: ALL = False,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """List releases, the newest first: what runs, what is tried, what was.

    Parameters
    ----------
    of
        Those of an endpoint's rules, or of pools.
    """
    with opened(config, data) as at:
        subject = None if of is None else said_subject(of, at.releasing.running.subjects())
        standings = at.ledger.standings(subject)[::-1]
        found = tuple(at.releasing.as_it_decides(each) for each in standings)
    if json:
        for each in found:
            output.print_json(standing_json(each))
        return 0
    print_list(found if all else _recent(found), len(found))
    return 0


def show(
    release: str,
    *,
    text: Annotated[bool, Parameter(negative="", help="Its text alone.")] = False,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Show a release: its state, what it changes, how its canary or shadow does, and its text.

    Parameters
    ----------
    release
        Its number; an endpoint or pools for what runs.
    """
    with opened(config, data) as at:
        standing = running_or_numbered(release, at)
        parent = at.ledger.standing(standing.release.parent or 0)
        rollout, shadow = CandidatesKeeper(at.ledger).shown(standing.release.number)
        now_ms = at.now_ms()
    said = standing.release.text
    if json:
        evidence = evidence_json(rollout, shadow)
        output.print_json({**standing_json(standing), **evidence, "text": said})
        return 0
    if not text:
        print_release(standing, parent)
        if rollout is not None:
            print_rollout(rollout, now_ms)
        if shadow is not None:
            print_shadow(shadow)
        output.out.print()
    output.out.out(said, end="" if said.endswith("\n") else "\n", highlight=False)
    return 0


def diff(
    first: str,
    second: str | None = None,
    *,
    of: OF = None,
    lines: Annotated[bool, Parameter(negative="", help="Also line by line.")] = False,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Say what changes for whom from one release to another.

    With one it is against what runs; what runs itself is told against its parent.

    Parameters
    ----------
    first
        A number, a file, or an endpoint or pools for what runs.
    second
        What it becomes.
    """
    with opened(config, data) as at:
        if second is None:
            new = text_of(first, of, at)
            old = before(new, at)
        elif of is None and is_file(first, at) and not is_file(second, at):
            new = text_of(second, None, at)
            old = text_of(first, short(new.subject), at)
        else:
            old = text_of(first, of, at)
            new = text_of(second, short(old.subject) if is_file(second, at) else of, at)
    if old.subject != new.subject:
        what = f"{short(old.subject)} and {short(new.subject)} can't be compared"
        raise ReleaseError(what, "say two of one endpoint, or two of pools")
    print_differences(old, new, json=json)
    if lines and not json:
        print_lines(old, new)
    return 0


def history(
    of: str | None = None,
    *,
    all: ALL = False,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """List what was done, oldest first.

    Parameters
    ----------
    of
        To a release, by its number, or to all of an endpoint or of pools.
    """
    with opened(config, data) as at:
        number = None
        if of is not None and is_number(of):
            number = numbered(of, at).release.number
        subject = None
        if of is not None and number is None:
            subject = said_subject(of, at.releasing.running.subjects())
        subjects = {e.release.number: e.release.subject for e in at.ledger.standings(subject)}
        steps = [step for step in at.ledger.steps(number) if step.number in subjects]
    if json:
        for step in steps:
            output.print_json({**step_json(step), "subject": subjects[step.number]})
        return 0
    print_steps(steps if all else steps[-_SHOWN:], subjects, len(steps))
    return 0


def _recent(standings: tuple[Standing, ...]) -> tuple[Standing, ...]:
    """The newest, and whatever runs or is tried."""
    lives = (ReleaseState.FULL, ReleaseState.CANARY, ReleaseState.SHADOW)
    return tuple(e for place, e in enumerate(standings) if place < _SHOWN or e.state in lives)

"""`switchhook release`: ship a change of rules or pools, and take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from msgspec.structs import replace

from switchhook.cli import output
from switchhook.cli.options import CONFIG, DATA
from switchhook.cli.release_parts import (
    AGAIN,
    OF,
    REASON,
    before,
    by,
    is_number,
    is_share,
    meant,
    note,
    numbered,
    opened,
    plan_words,
    said_subject,
    share_said,
    text_of,
    the_candidate,
)
from switchhook.cli.release_reads import diff, history, list_, show
from switchhook.cli.release_shown import (
    acted,
    print_checked,
    print_differences,
    print_warnings,
)
from switchhook.errors import ReleaseError
from switchhook.releases.acts import ActWanted
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.releases.releasing import short

if TYPE_CHECKING:
    from switchhook.cli.release_parts import OpenReleases
    from switchhook.releases.release import Standing

app = App(name="release", help="Ship a change of rules or pools: try it, by degrees, and back.")
app.command(list_, name="list")
app.command(show)
app.command(diff)
app.command(history)
app.command(
    "switchhook.cli.release_apply:apply",
    name="apply",
    help="Release what a folder holds: FOLDER/rules/NAME.toml for endpoints, FOLDER/pools.toml.",
)
app.command(
    "switchhook.cli.release_backtest:backtest",
    name="backtest",
    help="Say what a candidate would have answered otherwise, and to whom.",
)


@app.command
def check(
    candidate: str,
    *,
    of: OF = None,
    reason: REASON = "",
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Check whether a release could run now, and say what it would change. Exit code 1 if not.

    A file is recorded as a release with --reason, and only looked at without.

    Parameters
    ----------
    candidate
        A number or a file.
    """
    with opened(config, data) as at:
        if is_number(candidate) or reason.strip():
            standing = meant(candidate, of, reason, at)
            release = standing.release
        else:
            release = text_of(candidate, of, at)
        problems = at.releasing.running.check(release, strict=True)
        old, doubts = before(release, at), at.releasing.doubts(release)
        if problems:
            return print_checked(candidate, release, problems)
        if release.number and standing.state is ReleaseState.DRAFT:
            wanted = ActWanted(act=ReleaseAct.CHECK, by=by(), reason=reason)
            at.releasing.act(release.number, wanted, note)
        stages = plan_words(release.subject, None, at)
    print_checked(candidate, release, ())
    print_warnings(doubts)
    print_differences(old, release, json=False)
    output.err.print(f"stages of a canary: {stages}", soft_wrap=True)
    return 0


@app.command
def shadow(
    candidate: str,
    *,
    of: OF = None,
    reason: REASON = "",
    again: AGAIN = False,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Let a release decide beside what runs. It answers nobody.

    Parameters
    ----------
    candidate
        A number, or a file, which is recorded first.
    """
    with opened(config, data) as at:
        wanted = _wanted(ReleaseAct.SHADOW, reason, again=again)
        return _act(at, meant(candidate, of, reason, at, wanted), wanted)


@app.command
def canary(
    candidate: str | None = None,
    share: str | None = None,
    *,
    of: OF = None,
    reason: REASON = "",
    again: AGAIN = False,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Let a release decide for a share of the callers, who keep it as the share grows.

    For example:

        switchhook release canary my-rules.toml 5% --reason "throttled callers to people"
        switchhook release canary 25%

    Parameters
    ----------
    candidate
        A number, or a file, which is recorded first; left out it is the one in shadow or canary.
    share
        Such as 5%.
    """
    with opened(config, data) as at:
        if candidate is None or share is None:
            parts = _share_alone(candidate)
            standing = the_candidate(of, at)
        else:
            parts = share_said(share)
            wanted = _wanted(ReleaseAct.CANARY, reason, share=parts, again=again)
            standing = meant(candidate, of, reason, at, wanted)
        stages = plan_words(standing.release.subject, parts, at)
        wanted = _wanted(ReleaseAct.CANARY, reason, share=parts, again=again)
        code = _act(at, standing, wanted)
    output.err.print(f"stages: {stages}", soft_wrap=True)
    return code


@app.command
def promote(
    candidate: str | None = None,
    *,
    of: OF = None,
    reason: REASON = "",
    again: AGAIN = False,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Let a release decide for all callers.

    Parameters
    ----------
    candidate
        A number, or a file, which is recorded first; left out it is the one in shadow or canary.
    """
    with opened(config, data) as at:
        wanted = _wanted(ReleaseAct.PROMOTE, reason, again=again)
        standing = (
            the_candidate(of, at) if candidate is None else meant(candidate, of, reason, at, wanted)
        )
        return _act(at, standing, wanted)


@app.command
def stop(
    candidate: str | None = None,
    *,
    reason: REASON = "",
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """End a shadow or a canary: what runs decides for all callers. It can be begun again.

    Parameters
    ----------
    candidate
        A number, an endpoint, or pools; left out it is the only one.
    """
    with opened(config, data) as at:
        standing = the_candidate(None, at) if candidate is None else meant(candidate, None, "", at)
        return _act(at, standing, ActWanted(act=ReleaseAct.STOP, by=by(), reason=reason))


@app.command
def rollback(
    release: str | None = None,
    *,
    to: Annotated[int | None, Parameter(help="The release that is to run instead.")] = None,
    reason: REASON = "",
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Take the newest change back: a canary, else what runs, for what ran before it.

    Parameters
    ----------
    release
        A number, an endpoint, or pools; left out where one alone can be meant.
    """
    with opened(config, data) as at:
        standing = _to_roll_back(release, to, at)
        wanted = ActWanted(act=ReleaseAct.ROLL_BACK, by=by(), reason=reason, to=to)
        return _act(at, standing, wanted)


def _share_alone(said: str | None) -> int:
    """The share that is said without a candidate. Raises ReleaseError."""
    if said is None:
        raise ReleaseError("it has no share", "switchhook release canary 5%")
    if is_share(said):
        return share_said(said)
    hint = f"switchhook release canary {said} 5%"
    if said.isdigit() and len(said) < 3 and int(said):
        hint = f"{said}% for the one in shadow or canary; {hint} for release {said}"
    raise ReleaseError("it has no share", hint)


def _wanted(act: ReleaseAct, reason: str, *, again: bool, share: int = 0) -> ActWanted:
    return ActWanted(act=act, by=by(), reason=reason, share=share, again=again)


def _act(at: OpenReleases, standing: Standing, wanted: ActWanted) -> int:
    # Who acts at the same moment as another is told what that one did.
    wanted = replace(wanted, seen_ms=standing.since_ms)
    change = at.releasing.act(standing.release.number, wanted, note)
    return acted(change, at)


def _to_roll_back(said: str | None, to: int | None, at: OpenReleases) -> Standing:
    """What is meant: a canary, for it is what changed last, else what runs."""
    if said is not None and is_number(said):
        return numbered(said, at)
    known = at.releasing.running.subjects()
    subjects = known if said is None else (said_subject(said, known),)
    canaries = [each for each in at.ledger.candidates() if each.state is ReleaseState.CANARY]
    for found in (
        [each for each in canaries if each.release.subject in subjects and to is None],
        [
            there.full
            for there in map(at.ledger.situation, subjects)
            if there.full is not None and (there.before is not None or said is not None or to)
        ],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(short(each.release.subject) for each in found)
            raise ReleaseError("it could be of several", f"say of which: {names}")
    raise ReleaseError("nothing can be rolled back", "see: switchhook release list")

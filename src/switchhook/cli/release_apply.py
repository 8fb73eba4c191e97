"""`switchhook release apply`: release what a folder holds, such as that of a git repository."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.options import CONFIG, DATA
from switchhook.cli.release_parts import REASON, by, note, opened, share_said, text_in
from switchhook.cli.release_shown import acted
from switchhook.errors import ReleaseError
from switchhook.releases.acts import ActWanted, share_words
from switchhook.releases.apply_plan import Aim, FolderText, plan_of
from switchhook.releases.release import Release, ReleaseAct
from switchhook.releases.releasing import short
from switchhook.rules.rollout import BUCKETS, POOLS, subject_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.cli.release_parts import OpenReleases
    from switchhook.releases.apply_plan import Planned

SOMETHING_TO_DO = 3
_NAME = re.compile(r"([A-Za-z0-9_-]{1,64})\.toml")
_MOST_FILES = 1_000


def apply(
    folder: str,
    *,
    reason: REASON = "",
    shadow: Annotated[bool, Parameter(negative="", help="In shadow, rather than for all.")] = False,
    canary: Annotated[
        str | None, Parameter(help="For a share of the callers, such as 5%, rather than for all.")
    ] = None,
    delete: Annotated[
        bool, Parameter(negative="", help="Also let rules go that have no file there.")
    ] = False,
    plan: Annotated[bool, Parameter(negative="", help="Only say what would be done.")] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Don't ask.")] = False,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Release what a folder holds: FOLDER/rules/NAME.toml for endpoints, FOLDER/pools.toml.

    What would be done is said and asked first; what runs already is left alone, so that it may be
    done again at any time. If one file doesn't check out, none is released: exit code 1. With
    --plan, exit code 3 says that there is something to do.

    Parameters
    ----------
    folder
        Such as a working tree of git.
    """
    aim = _aim(shadow, canary)
    texts = _texts_in(Path(folder))
    with opened(config, data) as at:
        planned = _plan(texts, aim, at)
        _print_plan(planned, delete=delete)
        wrong = sum(bool(each.problems) for each in planned)
        if wrong:
            output.err.print(f"{wrong} of {len(texts)} can't be released, so nothing was")
            return 1
        wanted = [each for each in planned if each.does and (delete or not each.goes)]
        if plan:
            return SOMETHING_TO_DO if wanted else 0
        if not wanted:
            output.err.print("nothing to do")
            return 0
        _check_reason(wanted, reason, at)
        if not yes and not _agreed(wanted):
            output.err.print("nothing was released")
            return 1
        return _release(wanted, aim, reason, at)


def _aim(shadow: bool, canary: str | None) -> Aim:
    if shadow and canary is not None:
        raise ReleaseError("a release is in shadow or in canary", "say one of them")
    if canary is not None:
        share = share_said(canary)
        if not 0 < share < BUCKETS:  # also where nothing is to do
            problem = f"{share_words(share)} of the callers is no canary"
            raise ReleaseError(problem, "above 0 % and below 100 %")
        return Aim(ReleaseAct.CANARY, share)
    return Aim(ReleaseAct.SHADOW) if shadow else Aim()


def _texts_in(folder: Path) -> list[FolderText]:
    """The texts of a folder. Raises ReleaseError, OSError."""
    if not folder.is_dir():
        problem = "there is no such folder" if not folder.exists() else "it is no folder"
        raise ReleaseError(f"{folder}: {problem}", "the one that has rules/NAME.toml")
    found, others = [], []
    rules = folder / "rules"
    files = sorted(rules.iterdir()) if rules.is_dir() else []
    if len(files) > _MOST_FILES:
        raise ReleaseError(f"{rules} has {len(files):,} files", f"at most {_MOST_FILES:,}")
    for file in files:
        name = _NAME.fullmatch(file.name)
        if name is None or not file.is_file():
            others += [] if file.name.startswith(".") else [f"rules/{file.name}"]
            continue
        found.append(FolderText(subject_of(name[1]), text_in(str(file)), f"rules/{file.name}"))
    pools = folder / "pools.toml"
    if pools.is_file():
        found.append(FolderText(POOLS, text_in(str(pools)), pools.name))
    for each in others:
        output.err.print(f"{output.plain(each)} is no NAME.toml, and left out")
    if not found:
        problem = f"{folder} holds nothing to release: neither rules/NAME.toml nor pools.toml"
        hint = "name the folder that has rules/ in it, such as a working tree of git"
        raise ReleaseError(problem, hint)
    return found


def _plan(texts: Sequence[FolderText], aim: Aim, at: OpenReleases) -> tuple[Planned, ...]:
    running = at.releasing.running
    subjects = running.subjects()

    def check(subject: str, text: str) -> tuple[str, ...]:
        return running.check(_release_of(subject, text), strict=True)

    whole = [
        FolderText(each.subject, running.whole(each.subject, each.text), each.file)
        for each in texts
    ]
    return plan_of(
        whole,
        aim,
        running=running.texts(),
        standings=at.ledger.standings(),
        subjects=subjects,
        built_in=running.built_in(),
        check=check,
    )


def _release_of(subject: str, text: str) -> Release:
    return Release(number=0, subject=subject, text=text, hash="", author="", reason="", made_ms=0)


def _print_plan(planned: Sequence[Planned], *, delete: bool) -> None:
    for each in planned:
        name = short(each.subject)
        if each.problems:
            for problem in each.problems:
                output.out.print(f"{each.file}: {output.plain(problem)}", style="red")
        elif each.goes:
            stays = "" if delete else "; they stay, unless --delete says otherwise"
            output.out.print(f"{name}: the folder has no rules of it{stays}")
        elif each.does:
            output.out.print(f"{name}: by {each.file}", style="bold")
        else:
            output.out.print(f"{name}: {each.file} needs nothing", style="dim")
        if each.does and not each.problems and (delete or not each.goes):
            for said in each.says:
                output.out.print(f"  {output.plain(said)}")


def _check_reason(wanted: Sequence[Planned], reason: str, at: OpenReleases) -> None:
    if reason.strip():
        return
    known = {
        (each.release.subject, each.release.text)
        for each in at.ledger.standings()
        if each.can_be_used
    }
    if any((each.subject, each.text) not in known for each in wanted):
        hint = '--reason "why", such as what the commit says'
        raise ReleaseError("what is released has no reason", hint)


def _agreed(wanted: Sequence[Planned]) -> bool:
    if not sys.stdin.isatty():
        hint = "--yes says so where nobody can be asked"
        raise ReleaseError("what is released has to be agreed to", hint)
    going = sum(each.goes for each in wanted)
    also = f", and let the rules of {going} go" if going else ""
    output.err.print(f"release {len(wanted) - going}{also}? y/N ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _release(wanted: Sequence[Planned], aim: Aim, reason: str, at: OpenReleases) -> int:
    """One after the other; what was released before one that is refused stays so."""
    code = 0
    for place, each in enumerate(wanted):
        try:
            _check_same(each, at)
            standing, _ = at.releasing.add(each.subject, each.text, by(), reason, note)
            done = ActWanted(act=aim.act, by=by(), reason=reason, share=aim.share)
            change = at.releasing.act(standing.release.number, done, note)
        except ReleaseError:
            if place:
                output.err.print(f"{place} of {len(wanted)} were released; then:")
            raise
        code |= acted(change, at)
    return code


def _check_same(each: Planned, at: OpenReleases) -> None:
    """Nobody has released anything else since the plan was made."""
    full = at.ledger.full(each.subject)
    runs = None if full is None else full.release.number
    if runs != each.runs:
        name = short(each.subject)
        raise ReleaseError(
            f"release {runs} of {name} runs by now, which the plan doesn't know", "do it again"
        )

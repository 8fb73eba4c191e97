"""How the commands about releases show them."""

from __future__ import annotations

import difflib
import time
from typing import TYPE_CHECKING

from rich.text import Text

from switchhook.capacity.facts_file import FactsReader
from switchhook.cli import output
from switchhook.cli.data import console_runs
from switchhook.config.files import read_hash
from switchhook.releases.acts import share_words, state_words, subject_words
from switchhook.releases.differences import differences
from switchhook.releases.doubts import why_words
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.releases.releasing import short
from switchhook.rules.rollout import subject_of
from switchhook.system.data_folder import boot_id
from switchhook.system.folder_lock import holder_url
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.cli.release_parts import OpenReleases
    from switchhook.releases.acts import ReleaseChange
    from switchhook.releases.release import Release, Standing, Step

_IN_FORCE_S, _LOOK_S = 5.0, 0.05
_STYLE = {
    ReleaseState.FULL: "green",
    ReleaseState.CANARY: "bold cyan",
    ReleaseState.SHADOW: "cyan",
    ReleaseState.FROZEN: "bold red",
    ReleaseState.ROLLED_BACK: "yellow",
    ReleaseState.DRAFT: "magenta",
}
_ACTS = {
    ReleaseAct.CHECK: "checked",
    ReleaseAct.SHADOW: "put in shadow",
    ReleaseAct.CANARY: "put in canary",
    ReleaseAct.PROMOTE: "promoted",
    ReleaseAct.STOP: "stopped",
    ReleaseAct.SUPERSEDE: "superseded",
    ReleaseAct.ROLL_BACK: "rolled back",
    ReleaseAct.FREEZE: "frozen",
}


def state_text(standing: Standing) -> Text:
    """A state on its own, in its colour."""
    share = f" at {share_words(standing.share)}" if standing.share else ""
    flaw = ", damaged" if standing.flaw else ""
    return Text(f"{standing.state.value}{share}{flaw}", style=_STYLE.get(standing.state, ""))


def print_list(standings: Sequence[Standing], of: int) -> None:
    """A table; `of` is how many there are."""
    if not standings:
        output.err.print("there is no release yet: switchhook release check FILE --reason WHY")
        return
    output.print_table(
        ("RELEASE", "OF", "STATE", "SINCE", "BY", "WHY"),
        (
            (
                each.release.number,
                short(each.release.subject),
                _state_now(each),
                _moment(each.since_ms),
                each.by,
                why_words(each),
            )
            for each in standings
        ),
    )
    for each in standings:
        for problem in each.problems if _decides_for_nobody(each) else ():
            said = f"release {each.release.number} decides for nobody: {output.plain(problem)}"
            output.err.print(said, style="yellow", soft_wrap=True)
    if len(standings) < of:
        output.err.print(f"and {of - len(standings)} older: --all lists them too")


def _state_now(standing: Standing) -> Text:
    state = state_text(standing)
    return state.append(", for nobody") if _decides_for_nobody(standing) else state


def _decides_for_nobody(standing: Standing) -> bool:
    """Whether it is a canary that can't decide as the configuration is now."""
    return standing.state is ReleaseState.CANARY and bool(standing.problems)


def print_release(standing: Standing, parent: Standing | None) -> None:
    """All of it but its text."""
    release = standing.release
    of = subject_words(release.subject)
    output.out.print(f"release {release.number} of {of}", style="bold")
    output.print_pairs(
        [
            ("state", state_text(standing)),
            ("since", f"{_moment(standing.since_ms)} by {output.plain(standing.by)}"),
            ("why", standing.reason),
            ("made", f"{_moment(release.made_ms)} by {output.plain(release.author)}"),
            ("reason", release.reason),
            ("made from", None if parent is None else f"release {parent.release.number}"),
            ("hash", release.hash),
            ("flaw", f"its text {standing.flaw}" if standing.flaw else None),
            *(("wrong", problem) for problem in standing.problems),
        ]
    )
    if parent is not None:
        output.out.print()
        print_differences(parent.release, release, json=False)


def print_steps(steps: Sequence[Step], subjects: Mapping[int, str], of: int) -> None:
    """What was done, a line each; `of` is how much there is."""
    if not steps:
        output.err.print("nothing was done yet")
        return
    if len(steps) < of:
        output.err.print(f"{of - len(steps)} earlier ones: --all lists them too")
    output.print_table(
        ("AT", "RELEASE", "OF", "WAS", "BY", "WHY"),
        (
            (
                _moment(step.at_ms),
                step.number,
                short(subjects[step.number]),
                _ACTS[step.act] + (f" at {share_words(step.share)}" if step.share else ""),
                step.by,
                "; ".join(filter(None, (step.reason, step.evidence))),
            )
            for step in steps
        ),
    )


def named(release: Release) -> str:
    """A release in a sentence; a file by its name."""
    if release.number:
        return f"release {release.number}"
    return output.plain(release.reason) if release.reason else "nothing"


def print_differences(old: Release, new: Release, *, json: bool) -> None:
    """What changes for whom, a line each."""
    said = differences(old.subject, old.text, new.text)
    if json:
        output.print_json(
            {"from": old.number or None, "to": new.number or None, "differences": list(said)}
        )
        return
    if not old.text:
        output.out.print(f"{named(new)} is the first of {subject_words(new.subject)}")
        return
    if not said:
        output.out.print(f"{named(new)} is the same as {named(old)}")
        return
    output.out.print(f"from {named(old)} to {named(new)}:")
    for each in said:
        output.out.print(f"  {output.plain(each)}")


def print_lines(old: Release, new: Release) -> None:
    """The same line by line."""
    output.out.print()
    found = difflib.unified_diff(
        old.text.splitlines(), new.text.splitlines(), named(old), named(new), lineterm=""
    )
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in found:
        output.out.print(Text(output.plain(line), style=colours.get(line[:1], "")))


def print_checked(said: str, release: Release, problems: Sequence[str]) -> int:
    """Whether it checks out; the exit code."""
    name = f"release {release.number}" if release.number else output.plain(said)
    if not problems:
        output.err.print(f"{name} checks out")
        return 0
    for each in problems:
        output.out.print(f"{name}: {output.plain(each)}")
    return 1


def print_warnings(warnings: Sequence[str]) -> None:
    """What speaks against what was done, a line each."""
    for each in warnings:
        output.err.print(f"warning: {output.plain(each)}", style="yellow", soft_wrap=True)


def acted(change: ReleaseChange, at: OpenReleases) -> int:
    """Say what was done, how it is undone, and whether anybody follows; the exit code."""
    output.out.print(change.said)
    print_warnings(change.warnings)
    _say_way_back(change, at)
    _say_file(change, at)
    if change.proposes is not None:
        return _told(change, at)
    if (change.runs is not None or change.withdraws) and not _runs(at):
        output.err.print("no program runs on this data folder: so it is from the next start on")
    return 0


def _told(change: ReleaseChange, at: OpenReleases) -> int:
    """Wait until the answer processes are told of a canary; 1 where nobody tells them."""
    said = "it is kept, and decides for nobody yet"
    if not console_runs(at.folder):
        output.err.print(f"{said}: no console runs, which would tell it")
        return 1
    number, share = change.moves[-1].number, change.wanted.share
    reader = FactsReader(at.folder, boot_id())
    until = time.monotonic() + _IN_FORCE_S
    while time.monotonic() < until:
        rollouts = reader.look(at.now_ms())[1].rollouts if reader.path.exists() else {}
        told = rollouts.get(change.subject)
        if told is not None and (told.number, told.share) == (number, share):
            return 0
        now = at.ledger.standing(number)
        if now is not None and (now.state, now.share) != (ReleaseState.CANARY, share):
            output.err.print(f"by now it is {state_words(now)}, by {output.plain(now.by)}")
            return 0
        time.sleep(_LOOK_S)
    why = "the console does not tell it yet, as while it reads what was kept; else look at its log"
    output.err.print(f"{said}: {why}", soft_wrap=True)
    return 1


def _say_way_back(change: ReleaseChange, at: OpenReleases) -> None:
    of = short(change.subject)
    if change.wanted.act is ReleaseAct.PROMOTE:
        before = at.ledger.situation(change.subject).before
        if before is not None:
            back = before.release.number
            output.err.print(f"`switchhook release rollback {of}` goes back to release {back}")
    elif change.wanted.act in (ReleaseAct.CANARY, ReleaseAct.SHADOW):
        output.err.print(f"`switchhook release stop {of}` ends it")


def _say_file(change: ReleaseChange, at: OpenReleases) -> None:
    """That the operator's file holds something else than what runs."""
    if change.runs is None:
        return
    for point in at.config.endpoints:
        if subject_of(point.name) == change.subject and point.rules is not None:
            found = read_hash(point.rules)
            if found is not None and found != change.runs.hash:
                number = change.runs.number
                output.err.print(
                    f"{output.plain(point.rules)} still holds other rules than release {number}:"
                    " they are not taken over until it changes",
                    soft_wrap=True,
                )


def _runs(at: OpenReleases) -> bool:
    return holder_url(at.folder, "answer") is not None


def _moment(at_ms: int) -> str:
    return output.moment(time_of(at_ms * 1000))

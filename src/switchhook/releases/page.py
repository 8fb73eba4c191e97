"""The pages of releases: what decides for whom, how what is on its way does, and its presses."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.errors import ConfigError, DataFolderError, LedgerError, ReleaseError
from switchhook.releases.acts import LONGEST_REASON, ActWanted, Situation, share_words
from switchhook.releases.backtest_api import begin_by, stop_by
from switchhook.releases.backtest_shown import backtest_shown
from switchhook.releases.differences import differences
from switchhook.releases.doubts import taken_back, unfinished_words
from switchhook.releases.lines import line_differences
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.releases.releasing import short
from switchhook.releases.shown import (
    LEVELS,
    doubted,
    is_quiet,
    presses,
    subject_shown,
    subjects_shown,
    title_of,
    who_decides,
)
from switchhook.releases.view import RolloutView, ShadowView
from switchhook.releases.words import (
    chance_words,
    evidence_words,
    harm_level,
    harm_words,
    measure_words,
    place_of,
    ratio_words,
    shadow_words,
    stage_words,
    stages_shown,
    step_words,
    waiting_words,
)
from switchhook.web.parameters import RefusedParameter
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.releases.backtest_keeper import BackTests
    from switchhook.releases.release import Release, Standing
    from switchhook.releases.releasing import Releasing
    from switchhook.releases.shown import SubjectShown
    from switchhook.web.render import Renderer

NEWEST = 5
"""Releases of a subject that are listed where all subjects are."""
MOST_LISTED = 500
SPANS = ("7d", "1d", "30d")
"""How far back a back-test may go, by the page."""


class ReleasesPage:
    """`/releases` and `/releases/{number}`, with their forms.

    `view` gives how a candidate does, or a release that was one did; None where nothing is known.
    `note` writes into the audit log, `node` is the journal's, `zone_of` the clock of an endpoint.
    `stages` says in a sentence which stages a canary of a subject would go through.
    """

    def __init__(
        self,
        renderer: Renderer,
        releasing: Releasing,
        view: Callable[[int], RolloutView | ShadowView | None],
        now_ms: Callable[[], int],
        *,
        backtests: BackTests,
        note: Callable[[Deed], None],
        node: Callable[[], int | None],
        zone_of: Callable[[str], str],
        stages: Callable[[str], str],
    ) -> None:
        self._renderer, self._releasing = renderer, releasing
        self._view, self._now_ms = view, now_ms
        self._backtests, self._note = backtests, note
        self._node, self._zone_of, self._stages = node, zone_of, stages

    def routes(self) -> list[BaseRoute]:
        one = "/releases/{number:number}"
        return [
            Route("/releases", self._all, methods=["GET"], name="releases"),
            Route(one, self._one, methods=["GET"], name="release"),
            Route(one, self._form, methods=["POST"]),
            Route(f"{one}/backtest", self._backtest, methods=["POST"]),
        ]

    def _all(self, request: Request) -> Response:
        now_ms, only = self._now_ms(), request.query_params.get("subject", "")[:100]
        problems: list[str] = []
        found: list[SubjectShown] = []
        try:
            standings, steps = (
                self._releasing.releases.standings(only or None),
                self._releasing.releases.steps(),
            )
            standings = tuple(self._releasing.as_it_decides(each) for each in standings)
            found = subjects_shown(standings, steps, now_ms)
        except LedgerError as error:
            problems.append(str(error))
        most = MOST_LISTED if only else NEWEST
        context = self._common(request) | {
            "subjects": [self._card(each, most) for each in found if only or not is_quiet(each)],
            "quiet": [each for each in found if is_quiet(each) and not only],
            "problems": problems,
        }
        return self._renderer.page(request, "releases.html", context)

    def _card(self, subject: SubjectShown, most: int) -> dict[str, Any]:
        """A subject as the list of all has it: with the presses of an incident only."""
        told_of = subject.told_of
        view = self._view(told_of.release.number) if told_of is not None else None
        rollout = view if isinstance(view, RolloutView) else None
        mine = [each for each in (told_of, subject.full) if each is not None]
        return {
            "subject": subject.subject,
            "title": subject.title,
            "told_of": told_of,
            "level": _level(told_of, rollout) if told_of is not None else "good",
            "decides": who_decides(subject, _told(rollout)),
            "rollout": rollout,
            "shadow": view if isinstance(view, ShadowView) else None,
            "presses": [
                (standing, press)
                for standing in mine
                for press in presses(standing, subject)
                if press.danger
            ],
            "newest": subject.releases[:most],
            "more": max(len(subject.releases) - most, 0),
        }

    def _one(self, request: Request) -> Response:
        now_ms, number = self._now_ms(), request.path_params["number"]
        standing = self._releasing.releases.standing(number)
        if standing is None:
            raise HTTPException(404)
        there = self._releasing.releases.situation(standing.release.subject)
        standings = tuple(self._releasing.as_it_decides(each) for each in there.standings)
        there = msgspec.structs.replace(there, standings=standings)
        standing = there.of(number) or standing
        subject = subject_shown(standing.release.subject, there, now_ms)
        view = self._view(number)
        rollout = view if isinstance(view, RolloutView) else None
        against, why = _against(standing, there)
        pressed = _presses(standing, subject, there, rollout, now_ms)
        begins = standing.state is not ReleaseState.CANARY and any(
            each.act is ReleaseAct.CANARY for each in pressed["presses"]
        )
        context = self._common(request) | {
            "standing": standing,
            "title": title_of(standing.release.subject),
            "level": _level(standing, rollout),
            "decides": _decides(standing, subject, rollout),
            "rollout": rollout,
            "shadow": view if isinstance(view, ShadowView) else None,
            **pressed,
            "stages_foretold": self._stages(standing.release.subject) if begins else "",
            "other": _other(standing, subject),
            "against": against,
            "against_why": why,
            "steps": [each for each in there.steps if each.number == number],
            "now_ms": now_ms,
            "problems": [],
            **_changes(standing, against),
            **self._tried(standing.release),
        }
        return self._renderer.page(request, "release.html", context)

    def _tried(self, release: Release) -> dict[str, Any]:
        """What its back-test found, and whether one runs."""
        state = self._backtests.state(release.number)
        found = state and state.found
        zone = self._zone_of(release.subject.removeprefix("rules/"))
        return {
            "backtest": backtest_shown(found, self._node() or 0, zone) if found else None,
            "backtest_since_ms": found.since_ms if found else None,
            "backtest_runs": bool(state and state.running),
            "backtest_problem": state.problem if state else "",
            "spans": SPANS,
        }

    def _common(self, request: Request) -> dict[str, Any]:
        viewer = viewer_of(request)
        return {
            "refused": request.query_params.get("refused", "")[:400],
            "may_release": viewer.may_release,
            "may_try": viewer.may(Role.OPERATOR),
            "longest_reason": LONGEST_REASON,
            "level_of": LEVELS.__getitem__,
            "share_words": share_words,
            "harm_level": harm_level,
            "harm_words": harm_words,
            "shadow_words": shadow_words,
            "stage_words": stage_words,
            "stages_shown": stages_shown,
            "waiting_words": waiting_words,
            "step_words": step_words,
            "of_words": lambda subject: f" --of {shlex.quote(short(subject))}",
            "evidence_words": evidence_words,
            "chance_words": chance_words,
            "ratio_words": ratio_words,
            "measure_words": measure_words,
            "place_of": place_of,
            "share_of": lambda part, whole: part / whole if whole else None,
        }

    async def _form(self, request: Request) -> Response:
        """An act, which leads back to the release with what it has to say."""
        viewer, number = viewer_of(request), request.path_params["number"]
        if not viewer.may_release:
            raise HTTPException(403, "only somebody with the right to release may do this")
        form = {name: str(text) for name, text in (await request.form()).items()}
        said: dict[str, Any] = {}
        try:
            await run_in_threadpool(self._act, viewer, number, _wanted(viewer, form))
        except ReleaseError as refused:
            said = {"refused": f"{refused.problem}: {refused.hint}"}
        except (ConfigError, DataFolderError) as error:
            said = {"refused": str(error)}
        tz = zone_word(zone_of(request))
        return RedirectResponse(address(f"/releases/{number}", {"tz": tz, **said}), 303)

    async def _backtest(self, request: Request) -> Response:
        """Begin a back-test, or stop it."""
        viewer, number = viewer_of(request), request.path_params["number"]
        if not viewer.may(Role.OPERATOR):
            raise HTTPException(403, "only an operator may do this")
        form = {name: str(text) for name, text in (await request.form()).items()}
        backtests, note, said = self._backtests, self._note, dict[str, Any]()
        try:
            if form.get("act") == "stop":
                await run_in_threadpool(stop_by, backtests, viewer, number, note)
            else:
                since = form.get("since", "")
                await run_in_threadpool(begin_by, backtests, viewer, number, since, note)
        except RefusedParameter as refused:
            said = {"refused": f"{refused.problem}: {refused.hint}"}
        tz = zone_word(zone_of(request))
        return RedirectResponse(address(f"/releases/{number}", {"tz": tz, **said}), 303)

    def _act(self, viewer: Viewer, number: int, wanted: ActWanted) -> None:
        self._releasing.act(
            number,
            wanted,
            lambda what, subject, details: deed_of(viewer, what, subject, **details),
        )


def _wanted(viewer: Viewer, form: dict[str, str]) -> ActWanted:
    """What a form wants. Raises ReleaseError."""
    acts = {each.value: each for each in ReleaseAct}
    act = acts.get(form.get("act", ""))
    if act is None:
        raise ReleaseError("the form names no act", "press one of the buttons")
    reason = form.get("reason", "")
    if not reason.strip():
        raise ReleaseError("it has no reason", "say why, for those who read it tomorrow")
    return ActWanted(
        act=act,
        by=viewer.name,
        reason=reason,
        share=_whole(form, "share") or 0,
        seen_ms=_whole(form, "seen"),
        again=form.get("again") == "yes",
    )


def _whole(form: dict[str, str], name: str) -> int | None:
    said = form.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 16 else None


def _presses(
    standing: Standing,
    subject: SubjectShown,
    there: Situation,
    rollout: RolloutView | None,
    now_ms: int,
) -> dict[str, Any]:
    """What can be done, each with what speaks against it; and whether its text was taken back."""
    number = standing.release.number
    back = taken_back(standing.release.hash, there.standings, there.steps)
    canary = standing.state is ReleaseState.CANARY
    unfinished = unfinished_words(rollout, now_ms) if canary else ""
    return {
        "presses": [doubted(each, back, number, unfinished) for each in presses(standing, subject)],
        "taken_back": back.words(number) if back and back.number != number else "",
    }


def _told(rollout: RolloutView | None) -> int | None:
    return None if rollout is None or rollout.told_ms is None else rollout.told_share


def _level(standing: Standing, rollout: RolloutView | None) -> str:
    if standing.state is ReleaseState.CANARY and rollout is not None:
        return harm_level(rollout)
    return LEVELS[standing.state]


def _decides(standing: Standing, subject: SubjectShown, rollout: RolloutView | None) -> str:
    """What a release decides now: of one that is neither what runs nor on its way, nothing."""
    number = standing.release.number
    for running in (subject.full, subject.candidate):
        if running is not None and running.release.number == number:
            return who_decides(subject, _told(rollout))
    harmed = standing.state is ReleaseState.FROZEN
    said = "It harmed callers, was taken back, and decides nothing." if harmed else ""
    return f"{said or 'It decides nothing.'} {who_decides(subject)}"


def _other(standing: Standing, subject: SubjectShown) -> Standing | None:
    """The release of the same subject that is on its way instead."""
    other = subject.candidate
    return None if other is None or other.release.number == standing.release.number else other


def _against(standing: Standing, there: Situation) -> tuple[Standing | None, str]:
    """What a release is compared with: what runs, else what ran when it was made."""
    parent = standing.release.parent
    if standing.state is not ReleaseState.FULL and there.full is not None:
        return there.full, "which runs"
    found = None if parent is None else there.of(parent)
    return found, "which ran when it was made"


def _changes(standing: Standing, against: Standing | None) -> dict[str, Any]:
    if against is None:
        return {"differences": (), "lines": ()}
    old, new = against.release.text, standing.release.text
    return {
        "differences": differences(standing.release.subject, old, new),
        "lines": line_differences(old, new),
    }

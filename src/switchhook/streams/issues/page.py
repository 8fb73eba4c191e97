"""The page Causes: what fails, grouped by what it has in common, and who looks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.exotel.phone_numbers import Ours
from switchhook.streams.issues.issues import (
    LONGEST_NOTE,
    MOST_ISSUES,
    NEXT,
    SAID,
    IssueAction,
    IssueNote,
    IssueState,
    issues,
    trend_start,
)
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.search.syntax import query_text
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.streams.issues.issues import Fingerprint, Issue, IssueHistory
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.web.render import Renderer

EXAMPLES = 10
PAGE = 100


class CausesPage:
    """`/causes`, and one issue below it."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        store: Store,
        names: Callable[[], Names],
        issue_history: IssueHistory | None,
        now_ms: Callable[[], int],
        freshen: Callable[[], None],
    ) -> None:
        self._renderer = renderer
        self._store = store
        self._names = names
        self._issue_history = issue_history
        self._now_ms = now_ms
        self._freshen = freshen

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/causes", self._page, methods=["GET"], name="causes"),
            Route("/causes/{issue}", self._one, methods=["GET"], name="issue"),
            Route("/causes/{issue}", self._act, methods=["POST"]),
        ]

    def _page(self, request: Request) -> Response:
        self._freshen()
        found = self.found()
        state = request.query_params.get("state", "")
        bot = request.query_params.get("bot", "")
        names = self._names()
        shown = [
            each
            for each in found
            if (not state or each.state == state) and (not bot or _bot(each, names) == bot)
        ]
        page = _whole(request.query_params.get("page", ""))
        context = {
            "issues": [(each, _bot(each, names)) for each in shown[page * PAGE :][:PAGE]],
            "page": page,
            "more": len(shown) > (page + 1) * PAGE,
            "counts": {one.value: sum(each.state is one for each in found) for one in IssueState},
            "all": len(found),
            "beyond": max(len(found) - MOST_ISSUES, 0),
            "state": state,
            "bot": bot,
            "names": names,
            "streams_of": streams_of,
        }
        return self._renderer.page(request, "causes.html", context)

    def _one(self, request: Request) -> Response:
        self._freshen()
        issue = self.one(request.path_params["issue"])
        names = self._names()
        found = self._store.search(_query(issue.fingerprint), names, limit=EXAMPLES)
        advice = next((row.story.verdict.advice for row in found.rows), "")
        context = {
            "issue": issue,
            "bot": _bot(issue, names),
            "owner": names.bot(issue.fingerprint.host, issue.fingerprint.endpoint),
            "advice": advice,
            "examples": found.rows,
            "history": self._issue_history.history(issue.id)
            if self._issue_history is not None
            else [],
            "streams_of": streams_of,
            "may_act": self._issue_history is not None and viewer_of(request).may(Role.OPERATOR),
        }
        return self._renderer.page(request, "issue.html", context)

    async def _act(self, request: Request) -> Response:
        form = await request.form()
        said, note = str(form.get("act", "")), str(form.get("note", "")).strip()
        back = "/causes" if form.get("back") == "list" else None
        await run_in_threadpool(self.take, request, said, note)
        tz = zone_word(zone_of(request))
        return RedirectResponse(address(back or request.url.path, {"tz": tz}), 303)

    def take(self, request: Request, said: str, note: str) -> None:
        """Do what somebody says of an issue. Raises HTTPException where it can't be done."""
        viewer = viewer_of(request)
        if self._issue_history is None:
            raise HTTPException(404)
        if not viewer.may(Role.OPERATOR):
            raise HTTPException(403, "only an operator may do this")
        issue = self.one(request.path_params.get("issue") or request.path_params["id"])
        act = next((each for each in issue.acts if each == said), None)
        if act is None:
            raise HTTPException(409, f"an issue that is {issue.state} can't be changed so")
        mark = IssueNote(
            issue.id, self._now_ms(), NEXT[issue.state, act], viewer.name, note[:LONGEST_NOTE]
        )
        deed = deed_of(
            viewer, SAID[IssueAction(act)], Ours(issue.id), **_named(issue.fingerprint), note=note
        )
        self._issue_history.add(mark, deed)

    def found(self) -> list[Issue]:
        """Every issue there is."""
        return all_issues(self._store, self._issue_history, self._now_ms())

    def one(self, id: str) -> Issue:
        """One issue; raises HTTPException where there is none of this name."""
        issue = next((each for each in self.found() if each.id == id), None)
        if issue is None:
            raise HTTPException(404)
        return issue


def _named(print_: Fingerprint) -> dict[str, str]:
    said = {
        "cause": print_.cause,
        "kind": print_.kind,
        "host": print_.host,
        "endpoint": print_.endpoint,
    }
    return {name: text for name, text in said.items() if text}


def _query(print_: Fingerprint) -> Query:
    """What finds an issue's streams. What was not said can't be searched for: it finds more."""
    return Query(tuple(Condition(name, (text,)) for name, text in _named(print_).items()))


def streams_of(print_: Fingerprint) -> str:
    """The same as text."""
    return query_text(_query(print_))


def _bot(issue: Issue, names: Names) -> str:
    return names.bot_name(issue.fingerprint.host, issue.fingerprint.endpoint)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def all_issues(store: Store, history: IssueHistory | None, now_ms: int) -> list[Issue]:
    """Every issue there is."""
    return issues(
        store.uses(),
        store.tallies(trend_start(now_ms), now_ms + 1, hours=True),
        history.latest() if history is not None else {},
        now_ms,
    )

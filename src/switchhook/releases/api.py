"""The API of releases: what there is, what changes for whom, and making and acting on them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.errors import ConfigError, ReleaseError
from switchhook.exotel.times import us_of
from switchhook.releases.acts import BY_PEOPLE, LONGEST_REASON, ActWanted
from switchhook.releases.differences import differences
from switchhook.releases.json import standing_json, step_json
from switchhook.releases.ledger import LARGEST_TEXT
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.releases.releasing import subject_said
from switchhook.rules.rollout import BUCKETS
from switchhook.web.endpoint import body_endpoint, json_endpoint, json_response, read_body
from switchhook.web.json_schema import (
    COUNT,
    NUMBER,
    STRING,
    TEXT,
    TIME,
    WHOLE,
    Schema,
    answers_of,
    body,
    list_of,
    object_of,
    ref,
    words,
)
from switchhook.web.parameters import VISIBLE, RefusedParameter, read_none
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.releases.release import Standing
    from switchhook.releases.releasing import Releasing
    from switchhook.web.json import Json

LARGEST = 6 * LARGEST_TEXT + 16_384
"""Bytes of a body: each character of a text may be escaped."""
MOST_LISTED = 500

T = TypeVar("T")


class NewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/releases`."""

    subject: str
    text: str
    reason: str


class ActBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/releases/{number}/acts`; `share` is a part of 1.

    `again` is that a text which harmed callers is meant all the same.
    """

    act: ReleaseAct
    reason: str = ""
    share: float | None = None
    to: int | None = None
    seen: str | None = None
    again: bool = False

    def wanted(self, by: str) -> ActWanted:
        """What is wanted. Raises RefusedParameter."""
        if self.act not in BY_PEOPLE:
            hint = f"one of {', '.join(BY_PEOPLE)}"
            raise RefusedParameter("act", f"nobody asks for {self.act.value}", hint)
        return ActWanted(
            act=self.act,
            by=by,
            reason=self.reason,
            share=_parts(self.share),
            to=self.to,
            again=self.again,
            seen_ms=None if self.seen is None else _moment(self.seen),
        )


class ReleasesApi:
    """`/api/v1/releases` and below."""

    def __init__(self, releasing: Releasing) -> None:
        self._releasing = releasing

    def routes(self) -> Sequence[BaseRoute]:
        at = "/api/v1/releases"
        one = f"{at}/{{number:number}}"
        return [
            Route(at, json_endpoint(self._all), methods=["GET"]),
            Route(at, body_endpoint(self._add, LARGEST), methods=["POST"]),
            Route(one, json_endpoint(self._one), methods=["GET"]),
            Route(f"{one}/differences", json_endpoint(self._differences), methods=["GET"]),
            Route(f"{one}/acts", body_endpoint(self._act, LARGEST), methods=["POST"]),
        ]

    def _all(self, request: Request) -> Json:
        asked = dict(request.query_params.multi_items())
        said = asked.pop("subject", None)
        read_none(list(asked.items()))
        subjects = self._releasing.running.subjects()
        subject = None if said is None else subject_said(said, subjects) or said
        found = self._releasing.releases.standings(subject)[::-1]
        return {
            "subjects": list(subjects),
            "releases": [
                standing_json(self._releasing.as_it_decides(each)) for each in found[:MOST_LISTED]
            ],
            "older": max(0, len(found) - MOST_LISTED),
        }

    def _one(self, request: Request) -> Json:
        read_none(request.query_params.multi_items())
        standing = self._standing(request)
        releases = self._releasing.releases
        parent = releases.standing(standing.release.parent or 0)
        return {
            **standing_json(self._releasing.as_it_decides(standing)),
            "text": standing.release.text,
            "differences": None if parent is None else _between(parent, standing),
            "steps": [step_json(each) for each in releases.steps(standing.release.number)],
        }

    def _differences(self, request: Request) -> Json:
        asked = dict(request.query_params.multi_items())
        said = asked.pop("from", None)
        read_none(list(asked.items()))
        new = self._standing(request)
        releases = self._releasing.releases
        if said is None:
            old = releases.full(new.release.subject)
        elif said.isascii() and said.isdigit() and len(said) < 10:
            old = releases.standing(int(said))
        else:
            raise RefusedParameter("from", "it is no release's number", "such as 12")
        if old is None:
            raise HTTPException(404)
        if old.release.subject != new.release.subject:
            hint = "one of the same subject"
            raise RefusedParameter("from", "it is a release of something else", hint)
        return {
            "from": old.release.number,
            "to": new.release.number,
            "differences": _between(old, new),
        }

    def _add(self, request: Request, raw: bytes) -> Response:
        viewer, wanted = releaser_of(request), read_body(raw, NewBody)
        subjects = self._releasing.running.subjects()
        subject = subject_said(wanted.subject, subjects) or wanted.subject
        standing, new = refusing(
            lambda: self._releasing.add(
                subject, wanted.text, viewer.name, wanted.reason, note_of(viewer)
            )
        )
        return json_response({**standing_json(standing), "new": new}, 201 if new else 200)

    def _act(self, request: Request, raw: bytes) -> Response:
        viewer, wanted = releaser_of(request), read_body(raw, ActBody)
        number = self._standing(request).release.number
        return json_response(act_by(self._releasing, viewer, number, wanted.wanted(viewer.name)))

    def _standing(self, request: Request) -> Standing:
        number = request.path_params["number"]
        found = self._releasing.releases.standing(number)
        if found is None:
            raise HTTPException(404)
        return found


def releaser_of(request: Request) -> Viewer:
    """Who may release. Raises HTTPException 403 for others."""
    viewer = viewer_of(request)
    if not viewer.may_release:
        scope = "; a token has it by the scope release" if viewer.token else ""
        raise HTTPException(403, f"only who has the right to release may do this{scope}")
    return viewer


def note_of(viewer: Viewer) -> Callable[[str, str, dict[str, str]], Deed]:
    """How the audit log is told of what somebody at the console does."""
    return lambda what, subject, details: deed_of(viewer, what, subject, **details)


def act_by(releasing: Releasing, viewer: Viewer, number: int, wanted: ActWanted) -> Json:
    """Do it, and say what was done. Raises RefusedParameter, LedgerError, DataFolderError."""
    change = refusing(lambda: releasing.act(number, wanted, note_of(viewer)))
    standing = releasing.releases.standing(number)
    assert standing is not None
    return {
        "said": change.said,
        "warnings": list(change.warnings),
        "release": standing_json(standing),
        "moves": [
            {"number": move.number, "act": move.act.value, "state": move.to.value}
            for move in change.moves
        ],
    }


def refusing(act: Callable[[], T]) -> T:
    """Do it; what can't be done is an answer. Raises RefusedParameter."""
    try:
        return act()
    except ReleaseError as error:
        raise RefusedParameter(None, error.problem, error.hint) from None
    except ConfigError as error:
        raise RefusedParameter(None, str(error), error.hint or "see docs/api.md") from None


def _between(old: Standing, new: Standing) -> list[str]:
    return list(differences(old.release.subject, old.release.text, new.release.text))


def _moment(text: str) -> int:
    """A time of ours in Unix milliseconds. Raises RefusedParameter."""
    try:
        return us_of(datetime.fromisoformat(text)) // 1000
    except (ValueError, TypeError, OverflowError):
        hint = "the `since` of the release as it was seen"
        raise RefusedParameter("seen", "it is no time", hint) from None


def _parts(share: float | None) -> int:
    """A part of 1 in parts of 10,000. Raises RefusedParameter."""
    if share is None:
        return 0
    if not 0 < share < 1:
        hint = "above 0 and below 1, such as 0.05; promote is for all"
        raise RefusedParameter("share", "it is no share of a canary", hint)
    return max(1, min(BUCKETS - 1, round(share * BUCKETS)))


# The description.

_RELEASE: dict[str, Schema] = {
    "number": COUNT,
    "subject": STRING,
    "hash": STRING,
    "author": STRING,
    "reason": STRING,
    "made_at": TIME,
    "parent": WHOLE,
    "by_file": {"type": "boolean"},
    "state": words(*ReleaseState),
    "since": TIME,
    "by": STRING,
    "why": TEXT,
    "evidence": TEXT,
    "share": NUMBER,
    "problems": list_of(STRING),
    "flaw": TEXT,
}
_SENTENCES = list_of(STRING)

SCHEMAS: dict[str, Schema] = {
    "Release": object_of(**_RELEASE),
    "Releases": object_of(subjects=list_of(STRING), releases=list_of(ref("Release")), older=COUNT),
    "ReleaseStep": object_of(
        number=COUNT,
        at=TIME,
        act=words(*ReleaseAct),
        state=words(*ReleaseState),
        by=STRING,
        reason=TEXT,
        share=NUMBER,
        evidence=TEXT,
    ),
    "WholeRelease": object_of(
        **_RELEASE,
        text=STRING,
        differences={"type": ["array", "null"], "items": STRING},
        steps=list_of(ref("ReleaseStep")),
    ),
    "ReleaseMade": object_of(**_RELEASE, new={"type": "boolean"}),
    "ReleaseDifferences": {
        "type": "object",
        "properties": {"from": COUNT, "to": COUNT, "differences": _SENTENCES},
        "required": ["from", "to", "differences"],
    },
    "ReleaseActed": object_of(
        said=STRING,
        warnings=_SENTENCES,
        release=ref("Release"),
        moves=list_of(object_of(number=COUNT, act=words(*ReleaseAct), state=words(*ReleaseState))),
    ),
}

_NEW: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["subject", "text", "reason"],
    "properties": {
        "subject": STRING,
        "text": {"type": "string", "maxLength": LARGEST_TEXT},
        "reason": {"type": "string", "maxLength": LONGEST_REASON, "pattern": VISIBLE},
    },
}
_ACT: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["act"],
    "properties": {
        "act": words(*BY_PEOPLE),
        "reason": {"type": "string", "maxLength": LONGEST_REASON},
        "share": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "to": {"type": ["integer", "null"], "minimum": 0},
        "seen": TIME,
        "again": {"type": "boolean"},
    },
}
_NUMBER: Schema = {
    "name": "number",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}


def _query(name: str, said: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "description": said, "schema": schema}


PATHS: dict[str, Schema] = {
    "/api/v1/releases": {
        "get": {
            "operationId": "releases",
            "summary": f"Releases, the newest {MOST_LISTED} first",
            "parameters": [_query("subject", "of one alone: an endpoint, or pools", STRING)],
            "responses": answers_of("as described", "Releases"),
        },
        "post": {
            "operationId": "make_release",
            "summary": "Make a release of a text; the same text is the same release",
            "requestBody": body(_NEW),
            "responses": answers_of("it was one already", "ReleaseMade")
            | {"201": answers_of("it is one", "ReleaseMade", status="201")["201"]},
        },
    },
    "/api/v1/releases/{number}": {
        "get": {
            "operationId": "release",
            "parameters": [_NUMBER],
            "summary": "One release: its text, what it changed, what was done to it",
            "responses": answers_of("as described", "WholeRelease", gone=True),
        },
    },
    "/api/v1/releases/{number}/differences": {
        "get": {
            "operationId": "release_differences",
            "summary": "What changes for whom from another release, or from what runs",
            "parameters": [
                _NUMBER,
                _query("from", "the other's number", {"type": "integer", "minimum": 1}),
            ],
            "responses": answers_of("as described", "ReleaseDifferences", gone=True),
        },
    },
    "/api/v1/releases/{number}/acts": {
        "post": {
            "operationId": "act_on_release",
            "parameters": [_NUMBER],
            "summary": "Put it in shadow or canary, promote it, stop it, roll it back",
            "requestBody": body(_ACT),
            "responses": answers_of("it is done", "ReleaseActed", gone=True),
        },
    },
}

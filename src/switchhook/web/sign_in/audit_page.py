"""/audit: who did what from where, whether the chain holds, and all of it as NDJSON; reveals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import (
    AuditEntry,
    AuditFilter,
    ChainHead,
    ChainResult,
    deed_of,
    verify_chain,
)
from switchhook.access.roles import EVERYTHING, REVEALED_FOR_US, Role
from switchhook.exotel.phone_numbers import Ours
from switchhook.web.endpoint import json_response
from switchhook.web.masking import OUR_ID
from switchhook.web.parameters import read_filters
from switchhook.web.render import rfc3339, viewer_of
from switchhook.web.sign_in.openapi import AUDIT, PAGE
from switchhook.web.sign_in.page_support import fields, require
from switchhook.web.sign_in.request_origin import safe_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from switchhook.access.users import AccessLedger
    from switchhook.web.sign_in.page_support import Shared

_LONGEST_CALL_SID = 200
_LINES = 500


class ChainCheck:
    """Checks the chain, and remembers what it found. Touches the disk."""

    def __init__(self, ledger: AccessLedger, now_us: Callable[[], int]) -> None:
        self._ledger, self._now_us = ledger, now_us
        self._until: AuditEntry | None = None
        self.last: tuple[ChainResult, int] | None = None

    def run(self) -> ChainResult:
        """Check all of it."""
        head = self._ledger.audit.head()
        return self._done(self._verified(head), 0)

    def go_on(self) -> ChainResult:
        """Check what was written since the last time; all, where there is no such time."""
        until = self._until
        if self.last is None or until is None or self.last[0].broken_at is not None:
            return self.run()
        head = self._ledger.audit.head()
        if head.base_seq > until.seq:  # retention has cut it off meanwhile
            return self.run()
        since = ChainHead(until.seq, until.hash, head.newest_seq)
        return self._done(self._verified(since), self.last[0].verified)

    def _verified(self, head: ChainHead) -> ChainResult:
        return verify_chain(self._remembered(head), head)

    def _remembered(self, head: ChainHead) -> Iterator[AuditEntry]:
        for entry in self._ledger.audit.oldest_first(head.base_seq):
            if entry.seq > head.newest_seq:  # written after the head was read
                return
            self._until = entry
            yield entry

    def _done(self, chain: ChainResult, before: int) -> ChainResult:
        whole = msgspec.structs.replace(chain, verified=chain.verified + before)
        self.last = whole, self._now_us()
        return whole


class AuditPages:
    """/audit, its export and API, and the reveals that it tells of."""

    def __init__(self, shared: Shared, check: ChainCheck) -> None:
        self._shared, self._check = shared, check

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/audit", self._show, methods=["GET"]),
            Route("/audit.ndjson", self._export, methods=["GET"]),
            Route("/api/v1/audit", self._api, methods=["GET"]),
            Route("/calls/{call_sid}/reveal", self._reveal_call, methods=["POST"]),
            Route("/reveal", self._reveal_all, methods=["POST"]),
            Route("/mask", self._mask, methods=["POST"]),
            Route("/api/v1/calls/{call_sid}/reveal", self._api_reveal, methods=["POST"]),
        ]

    async def _show(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        wanted = _filter(request)
        again = request.query_params.get("check") == "now"
        context = await self._shared.lookup.in_thread(self._context, wanted, again)
        context |= {"wanted": wanted, "since_said": request.query_params.get("since", "")}
        return self._shared.page(request, "audit.html", context)

    def _context(self, wanted: AuditFilter, again: bool) -> dict[str, Any]:
        audit = self._shared.ledger.audit
        chain = self._check.run() if again else self._check.go_on()
        entries = audit.entries(wanted, PAGE + 1)
        return {
            "entries": [_row(each) for each in entries[:PAGE]],
            "more": entries[PAGE - 1].seq if len(entries) > PAGE else None,
            "whats": sorted(audit.whats()),
            "chain": chain,
            "checked_us": self._shared.now_us(),
            "head": audit.head(),
        }

    async def _export(self, request: Request) -> Response:
        viewer = require(request, Role.ADMINISTRATOR)
        deed = deed_of(viewer, "exported the audit log")
        audit = self._shared.ledger.audit
        await self._shared.lookup.in_thread(audit.note, deed, self._shared.now_us())
        headers = {"Content-Disposition": 'attachment; filename="switchhook-audit.ndjson"'}
        return StreamingResponse(
            _lines(audit.oldest_first()), media_type="application/x-ndjson", headers=headers
        )

    async def _api(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        now_ms = self._shared.now_us() // 1_000
        said = read_filters(request.query_params.multi_items(), now_ms, AUDIT)
        wanted = _wanted(said)
        audit, limit = self._shared.ledger.audit, said.get("limit", PAGE)
        entries = await self._shared.lookup.in_thread(audit.entries, wanted, limit)
        return json_response(
            {
                "entries": [_entry_json(each) for each in entries],
                "next": entries[-1].seq if len(entries) == limit else None,
            }
        )

    # Reveals.

    async def _reveal(self, request: Request, name: str) -> int:
        """Note it, then reveal the call of that name; until when, in Unix microseconds."""
        viewer = require(request, Role.OPERATOR)
        if not name or len(name) > _LONGEST_CALL_SID:
            raise HTTPException(404)
        now_us = self._shared.now_us()
        if not viewer.open:
            call_sid = name
            if name == EVERYTHING:
                deed = deed_of(viewer, "revealed all numbers", of="every call", minutes="15")
            else:
                call_sid, of = await self._shared.lookup.in_thread(self._shared.call_named, name)
                deed = deed_of(viewer, "revealed a call's numbers", call_sid, **of, minutes="15")
            await self._shared.lookup.in_thread(self._shared.ledger.audit.note, deed, now_us)
            self._shared.lookup.reveals.add(viewer.session, call_sid)
        return now_us + REVEALED_FOR_US

    async def _reveal_call(self, request: Request) -> Response:
        name = request.path_params["call_sid"]
        await self._reveal(request, name)
        return await _back(request, f"/calls/{name}")

    async def _reveal_all(self, request: Request) -> Response:
        await self._reveal(request, EVERYTHING)
        return await _back(request, "/")

    async def _mask(self, request: Request) -> Response:
        session = viewer_of(request).session
        self._shared.lookup.reveals.forget(session)
        self._shared.live.end(session)
        return await _back(request, "/")

    async def _api_reveal(self, request: Request) -> Response:
        until = await self._reveal(request, request.path_params["call_sid"])
        return json_response({"revealed_until": rfc3339(until)})


async def _back(request: Request, otherwise: str) -> Response:
    said = (await fields(request)).get("next")
    return RedirectResponse(safe_path(said) if said else safe_path(otherwise), 303)


def _filter(request: Request) -> AuditFilter:
    """The page's fields; those that a form sends empty say nothing."""
    pairs = [
        (name, text)
        for name, text in request.query_params.multi_items()
        if text and name in ("who", "what", "subject", "since", "before")
    ]
    return _wanted(read_filters(pairs, 0, AUDIT))


def _wanted(said: dict[str, Any]) -> AuditFilter:
    return AuditFilter(
        who=said.get("who"),
        what=said.get("what"),
        subject=said.get("subject"),
        since_us=said.get("since"),
        before_seq=said.get("before"),
    )


def _row(entry: AuditEntry) -> dict[str, Any]:
    try:
        details = msgspec.json.decode(entry.details, type=dict[str, str])
    except msgspec.MsgspecError:  # somebody has changed it
        details = {"unreadable": entry.details}
    subject = entry.subject
    shown = Ours(subject) if OUR_ID.fullmatch(subject) else subject
    return {"entry": entry, "subject": shown, "details": details}


def _entry_json(entry: AuditEntry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": rfc3339(entry.at_us),
        "at_us": entry.at_us,
        "who": entry.who,
        "what": entry.what,
        "subject": entry.subject,
        "origin": entry.origin,
        "details": entry.details,
        "hash": entry.hash.hex(),
    }


def _lines(entries: Iterator[AuditEntry]) -> Iterator[bytes]:
    """Some hundred lines at a time."""
    lines: list[bytes] = []
    for entry in entries:
        lines.append(msgspec.json.encode(_entry_json(entry)) + b"\n")
        if len(lines) == _LINES:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)

"""Hearing a call's recording: asked of Exotel when somebody presses, sent on, kept nowhere.

For operators, of accounts that allow it (`accounts.NAME.recordings`); each is in the audit log
before it is asked for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.calls.recordings import recordings_of
from switchhook.exotel.recording import (
    MEDIA_TYPES,
    ByteRange,
    NoRecording,
    OpenRecording,
    place_of,
    read_range,
)
from switchhook.web.sign_in.page_support import require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.calls.other_sources import SourceGatherer
    from switchhook.calls.recordings import CallRecording
    from switchhook.exotel.recording import RecordingPlace
    from switchhook.streams.names import Names
    from switchhook.streams.queries import StreamQueries
    from switchhook.web.render import Renderer

MOST_AT_ONCE = 4
AGAIN_MS = 15 * 60_000
"""The same recording, heard by the same person again within this, is one entry of the log."""
_MOST_REMEMBERED = 1_000
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Accept-Ranges": "bytes",
    "Content-Disposition": "inline",
}


class RecordingAccount(Protocol):
    """An account whose recordings may be heard."""

    @property
    def api_url(self) -> str: ...

    async def open_recording(
        self, place: RecordingPlace, wanted: ByteRange | None
    ) -> OpenRecording | NoRecording:
        """Ask for a recording, or a part of it."""
        ...


class Found(msgspec.Struct, frozen=True):
    """A recording of a call, with where it is to be fetched; `problem` says why it can't be."""

    call_sid: str
    recording: CallRecording
    place: RecordingPlace | None
    account: RecordingAccount | None
    problem: str = ""


class RecordingPages:
    """`/calls/{call_sid}/recordings/{number}`, its page, and `…/sound`, what a player asks for.

    `account_of` gives the account of an endpoint, or the only one; None where none may be heard.
    """

    def __init__(
        self,
        *,
        renderer: Renderer,
        queries: StreamQueries,
        gatherer: SourceGatherer,
        names: Callable[[], Names],
        account_of: Callable[[str], RecordingAccount | None],
        note: Callable[[Deed], object],
        now_ms: Callable[[], int],
    ) -> None:
        self._renderer = renderer
        self._queries = queries
        self._gatherer = gatherer
        self._names = names
        self._account_of = account_of
        self._note = note
        self._now_ms = now_ms
        self._noted: OrderedDict[tuple[str, str, int], int] = OrderedDict()
        self._open = 0

    def routes(self) -> list[BaseRoute]:
        path = "/calls/{call_sid}/recordings/{number:number}"
        return [
            Route(path, self._page, methods=["GET"]),
            Route(f"{path}/sound", self._sound, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        """The player, once Exotel has answered that there is something to hear; else why not."""
        viewer = require(request, Role.OPERATOR)
        found = await run_in_threadpool(self._found, request)
        problem = found.problem
        if not problem:
            opened = await self._opened(found, viewer, request, ByteRange(0, 0))
            if isinstance(opened, NoRecording):
                problem = opened.problem
            else:
                await opened.close()
        context = {
            "call_sid": found.call_sid,
            "stream_sid": found.recording.stream_sid,
            "name": request.path_params["call_sid"],
            "number": request.path_params["number"],
            "sound": f"{request.url.path}/sound",
            "problem": problem,
        }
        return self._renderer.page(request, "recording.html", context)

    async def _sound(self, request: Request) -> Response:
        viewer = require(request, Role.OPERATOR)
        found = await run_in_threadpool(self._found, request)
        if found.problem or found.place is None:
            raise HTTPException(404, found.problem)
        opened = await self._opened(
            found, viewer, request, read_range(request.headers.get("range"))
        )
        if isinstance(opened, NoRecording):
            raise HTTPException(opened.status, opened.problem)
        headers = dict(_HEADERS)
        if opened.length is not None:
            headers["Content-Length"] = str(opened.length)
        if opened.range is not None:
            first, last, total = opened.range
            headers["Content-Range"] = f"bytes {first}-{last}/{total}"
        media_type = MEDIA_TYPES[found.place.kind]
        status = 200 if opened.range is None else 206
        return StreamingResponse(self._sent(opened), status, headers=headers, media_type=media_type)

    async def _opened(
        self, found: Found, viewer: Viewer, request: Request, wanted: ByteRange | None
    ) -> OpenRecording | NoRecording:
        """Ask Exotel, having noted it."""
        assert found.account is not None
        assert found.place is not None
        if self._open >= MOST_AT_ONCE:
            problem = f"{MOST_AT_ONCE} recordings are being heard: try again when one is over"
            return NoRecording(problem, 503)
        await run_in_threadpool(self._note_it, viewer, found, request.path_params["number"])
        return await found.account.open_recording(found.place, wanted)

    async def _sent(self, opened: OpenRecording) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for piece in opened.pieces:
                yield piece
        finally:
            self._open -= 1
            await asyncio.shield(opened.close())

    def _found(self, request: Request) -> Found:
        call_sid = self._queries.call_named(request.path_params["call_sid"])
        call = self._queries.kept_call(call_sid)
        others = self._gatherer.of(call_sid, call, self._names())
        recordings = () if others is None else recordings_of(call, others)
        number = request.path_params["number"]
        if not 0 < number <= len(recordings):
            raise HTTPException(404)
        recording = recordings[number - 1]
        account = self._account_of(call.story.first.endpoint if call is not None else "")
        if account is None:
            problem = "recordings of this account are not to be heard: see accounts.NAME.recordings"
            return Found(call_sid, recording, None, None, problem)
        place = place_of(recording.url, account.api_url)
        if isinstance(place, str):
            return Found(call_sid, recording, None, account, place)
        return Found(call_sid, recording, place, account)

    def _note_it(self, viewer: Viewer, found: Found, number: int) -> None:
        now_ms, key = self._now_ms(), (viewer.session or viewer.name, found.call_sid, number)
        if 0 <= now_ms - self._noted.get(key, now_ms - AGAIN_MS) < AGAIN_MS:
            return
        details = {"stream": found.recording.stream_sid} if found.recording.stream_sid else {}
        self._note(deed_of(viewer, "heard a recording", found.call_sid, **details))
        self._noted[key] = now_ms
        while len(self._noted) > _MOST_REMEMBERED:
            self._noted.popitem(last=False)

"""The page of one call: everything that is known of it, on one axis and one below the other."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
from starlette.routing import BaseRoute, Route

from switchhook.access.roles import Role
from switchhook.calls.other_sources import OtherSources, SourceGatherer
from switchhook.calls.promised import promise_entries
from switchhook.calls.recordings import recordings_of
from switchhook.calls.sources import CallSources
from switchhook.calls.story import (
    BESIDE_THE_CALL,
    LANES,
    entries_of,
    support_text,
    without_login,
)
from switchhook.calls.timeline import timeline
from switchhook.exotel.call_words import is_final
from switchhook.exotel.phone_numbers import Ours, mask_text, masked
from switchhook.streams.facet import host_of
from switchhook.streams.kept_call import KeptCall
from switchhook.streams.queries import StreamQueries
from switchhook.streams.story import CallStory, ReceiptRef, over
from switchhook.web.json import text_of
from switchhook.web.render import viewer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.calls.promised import PromisesOf
    from switchhook.calls.recording_page import RecordingAccount
    from switchhook.calls.sources import KeptDetails
    from switchhook.journal.source import JournalSource
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.web.render import Renderer

_SHORT = 12


class CallPage:
    """`/calls/{call_sid}`, or by the id of one of its receipts."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        journal: JournalSource,
        store: Store,
        names: Callable[[], Names],
        details: Callable[[str], Sequence[KeptDetails]] | None,
        freshen: Callable[[], None],
        heard: Callable[[str], RecordingAccount | None] = lambda _endpoint: None,
        promised: PromisesOf = lambda _call_sid: (),
    ) -> None:
        self._renderer = renderer
        self._promised = promised
        self._journal = journal
        self._store = store
        self._names = names
        self._details = details
        self._freshen = freshen
        self._heard = heard
        self._queries = StreamQueries(self._journal, self._store)
        self._gatherer = SourceGatherer(self._journal, self._store, self._details)

    def routes(self) -> list[BaseRoute]:
        return [Route("/calls/{call_sid}", self._page, methods=["GET"], name="call-page")]

    def _page(self, request: Request) -> Response:
        viewer = viewer_of(request)
        name = request.path_params["call_sid"]
        self._freshen()
        call_sid = self._queries.call_named(name)
        names = self._names()
        call = self._queries.kept_call(call_sid)
        promises = self._promised(call_sid)
        others = self._gatherer.of(call_sid, call, names)
        if others is None and promises:  # it was placed, and nothing has come of it yet
            others = OtherSources((), (), CallSources())
        if others is None:
            unknown = {"call_sid": call_sid}
            return self._renderer.page(request, "call_unknown.html", unknown, status=404)
        call, sees = call or _nameless(call_sid), viewer.sees(call_sid)
        status = others.sources.field("status")
        if status is not None and is_final(status.text):
            call = msgspec.structs.replace(call, story=over(call.story))
        said = {"from": call.story.text("from_"), "to": call.story.text("to")}
        numbers = {name: text if sees else masked(text) for name, text in said.items()}
        entries = [
            *entries_of(call, names),
            *others.entries,
            *promise_entries(promises, call_sid),
        ]
        line = timeline(entries, LANES)
        context = {
            "call": call,
            "call_sid": call_sid,
            "short": Ours((call_sid if sees else mask_text(call_sid))[:_SHORT]),
            "reveal": Ours(f"/calls/{quote(name, safe='')}/reveal"),
            "sees": sees,
            "timeline": line,
            "axis": timeline((e for e in entries if e.lane not in BESIDE_THE_CALL), LANES) or line,
            "promises": promises,
            "names": names,
            "raw": str if sees else mask_text,
            "text_of": text_of,
            "without_login": without_login,
            "host_of": host_of,
            "others": others,
            "recordings": [
                (each, Ours(f"/calls/{quote(name, safe='')}/recordings/{number}"))
                for number, each in enumerate(recordings_of(call, others), 1)
            ],
            "may_hear": viewer.may(Role.OPERATOR),
            "heard": self._heard(call.story.first.endpoint) is not None,
            "support": support_text(call, numbers, str if sees else mask_text),
        }
        return self._renderer.page(request, "call.html", context, sees_numbers=sees)


def _nameless(call_sid: str) -> KeptCall:
    """A call that no passthru named."""
    nobody = ReceiptRef("", 0, "", "")
    return KeptCall(CallStory(call_sid, nobody, nobody, {}, {}), ())

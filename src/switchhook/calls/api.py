"""The API of what four sources say of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from switchhook.calls.sources import Source
from switchhook.web.endpoint import json_endpoint
from switchhook.web.json import time_of
from switchhook.web.json_schema import STRING, TIME, list_of, object_of
from switchhook.web.openapi import Operation
from switchhook.web.parameters import read_none

if TYPE_CHECKING:
    from switchhook.calls.other_sources import OtherSources
    from switchhook.web.json import Json
    from switchhook.web.json_schema import Schema


class CallsApi:
    """`/api/v1/calls/{call_sid}/sources`.

    `sources_of` gives what others than passthrus tell of a call too, None where nobody told of it,
    `call_named` the SID of the call that an address names:

        gatherer = SourceGatherer(journal, store, details)
        CallsApi(lambda sid: gatherer.of(sid, queries.kept_call(sid), names()), queries.call_named)
    """

    def __init__(
        self,
        sources_of: Callable[[str], OtherSources | None],
        call_named: Callable[[str], str] = lambda name: name,
    ) -> None:
        self._sources_of, self._call_named = sources_of, call_named
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="calls-api")

    def routes(self) -> Sequence[BaseRoute]:
        """It comes before those of the calls, whose addresses end in any SID."""
        endpoint = json_endpoint(self._sources, self._threads)
        return [Route("/api/v1/calls/{call_sid}/sources", endpoint, methods=["GET"])]

    def _sources(self, request: Request) -> Json | None:
        read_none(request.query_params.multi_items())
        call_sid = self._call_named(request.path_params["call_sid"])
        found = self._sources_of(call_sid)
        return None if found is None else {"call_sid": call_sid, **sources_json(found)}


def sources_json(found: OtherSources) -> Json:
    """What four sources say of a call; `heard` is what came beside passthrus, and when."""
    sources = found.sources
    return {
        "fields": {
            field.name: {
                "believed": field.source.value,
                "agreed": field.agreed,
                "said": [
                    {"source": each.source.value, field.name: each.text, "at": time_of(each.at_us)}
                    for each in field.said
                ],
            }
            for field in sources.fields
        },
        "disagreements": list(sources.disagreements),
        "troubles": list(sources.troubles),
        "heard": [{"at": time_of(each.at_us), "what": each.title} for each in found.notes],
    }


_SOURCE: Schema = {"enum": [each.value for each in Source]}

SCHEMAS: dict[str, Schema] = {
    "CallSources": object_of(
        call_sid=STRING,
        fields={
            "type": "object",
            "additionalProperties": object_of(
                believed=_SOURCE,
                agreed={"type": "boolean"},
                said=list_of(object_of(source=_SOURCE, at=TIME)),
            ),
        },
        disagreements=list_of(STRING),
        troubles=list_of(STRING),
        heard=list_of(object_of(at=TIME, what=STRING)),
    ),
}

OPERATIONS = (
    Operation(
        "/api/v1/calls/{call_sid}/sources",
        "call_sources",
        "What passthrus, status callbacks, call details and heartbeats say of a call",
        "CallSources",
        identifier="call_sid",
    ),
)
"""The addresses of `CallsApi`."""

"""The page Alerts and its API: what fires, what was told to whom, silences, rules, a test."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.alerts.json import (
    LONGEST_S,
    MATCHED,
    MOST_RESOLVED,
    MOST_SENT,
    alerts_json,
    readings,
    silence_json,
)
from switchhook.alerts.message import MessageKind, reading
from switchhook.delivery.delivery import DeliveryState
from switchhook.errors import LedgerError
from switchhook.streams.parameters import LAST_SEQ
from switchhook.web.endpoint import NO_STORE, json_endpoint, json_response
from switchhook.web.parameters import RefusedParameter, has_words
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from starlette.requests import Request

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.alerts.book import SentMessage
    from switchhook.alerts.engine import Alerting
    from switchhook.delivery.delivery import Delivery
    from switchhook.metrics import Labels
    from switchhook.web.render import Renderer

SPANS_S = {"1h": 3600, "4h": 14_400, "12h": 43_200, "1d": 86_400, "7d": 604_800, "30d": LONGEST_S}
LONGEST_REASON, LONGEST_PATTERN = 300, 300
LARGEST = 16_384

T = TypeVar("T")


class SilenceWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/v1/alerts/silences`: `matcher` has `rule` or a label's name, and a pattern.

    `for_s` is whole; in JSON 60.0 is.
    """

    matcher: dict[str, str]
    for_s: float
    reason: str


class AcknowledgeWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /api/v1/alerts/acknowledge`: the id of an alert."""

    alert: str


class TestWanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /api/v1/alerts/test`: the name of a destination."""

    destination: str


class AlertPages:
    """`/alerts` and `/api/v1/alerts`; `note` puts a deed into the audit log and may block."""

    def __init__(
        self,
        renderer: Renderer,
        engine: Alerting,
        note: Callable[[Deed], object],
    ) -> None:
        self._renderer, self._engine, self._note = renderer, engine, note

    def routes(self) -> list[BaseRoute]:
        api = "/api/v1/alerts"
        return [
            Route("/alerts", self._page, methods=["GET"], name="alerts"),
            Route("/alerts/silence", self._form(self._silence_form), methods=["POST"]),
            Route("/alerts/end", self._form(self._end_form), methods=["POST"]),
            Route("/alerts/acknowledge", self._form(self._acknowledge_form), methods=["POST"]),
            Route("/alerts/test", self._form(self._test_form), methods=["POST"]),
            Route(api, json_endpoint(lambda _: alerts_json(self._engine)), methods=["GET"]),
            Route(f"{api}/silences", self._body(self._post_silence), methods=["POST"]),
            Route(f"{api}/silences/{{id:number}}", self._delete_silence, methods=["DELETE"]),
            Route(f"{api}/acknowledge", self._body(self._post_acknowledge), methods=["POST"]),
            Route(f"{api}/test", self._body(self._post_test), methods=["POST"]),
        ]

    # The page.

    def _page(self, request: Request) -> Response:
        engine = self._engine
        problems = [*engine.problems]
        if engine.heartbeat is not None and engine.heartbeat.problem:
            problems.append(engine.heartbeat.problem)
        try:
            resolved, sent = engine.book.resolved(MOST_RESOLVED), engine.book.sent(MOST_SENT)
        except LedgerError as error:
            resolved, sent = [], []
            problems.append(str(error))
        alerts = engine.alerts
        tested = request.query_params.get("tested", "")
        context = {
            "firing": [each for each in alerts if each.firing],
            "pending": [each for each in alerts if not each.firing],
            "resolved": resolved,
            "sent": sent,
            "silences": engine.silences,
            "covered": self._covered(),
            "readings": readings(engine.rules, engine.figures),
            "destinations": engine.destinations.recipients,
            "policies": engine.destinations.policies,
            "heartbeat": engine.heartbeat,
            "problems": problems,
            "reading": reading,
            "tested": _last_tests(sent, engine.destinations.told_by(tested)),
            "spans": SPANS_S,
            "labels_known": MATCHED[1:],
            "rules": sorted(rule.name for rule in engine.rules),
            "refused": request.query_params.get("refused", "")[:200],
            "may_act": viewer_of(request).may(Role.OPERATOR),
            "states": DeliveryState,
        }
        return self._renderer.page(request, "alerts.html", context)

    def _covered(self) -> set[str]:
        """The keys of the alerts that a silence covers."""
        engine = self._engine
        return {
            each.key
            for each in engine.alerts
            for silence in engine.silences
            if silence.covers(each, engine.now_ms())
        }

    def _form(self, act: Callable[[Request, dict[str, str]], dict[str, str]]) -> Callable[..., Any]:
        """An action of a form, which leads back to the page with what it has to say."""

        async def endpoint(request: Request) -> Response:
            form = {name: str(text) for name, text in (await request.form()).items()}
            try:
                said = await run_in_threadpool(act, request, form)
            except RefusedParameter as refused:
                said = {"refused": f"{refused.problem}: {refused.hint}"}
            tz = zone_word(zone_of(request))
            return RedirectResponse(address("/alerts", {"tz": tz, **said}), 303)

        return endpoint

    def _silence_form(self, request: Request, form: dict[str, str]) -> dict[str, str]:
        span = form.get("for", "")
        if span not in SPANS_S:
            raise RefusedParameter("for", "it has no end", f"one of {', '.join(SPANS_S)}")
        id = form.get("alert", "")
        if id:
            alert = next((each for each in self._engine.alerts if each.id == id), None)
            if alert is None:
                raise RefusedParameter("alert", "this alert is over", "make a silence by hand")
            pairs = {"rule": alert.rule, **dict(alert.labels)}
            matcher = {name: glob.escape(text) for name, text in pairs.items()}
        else:
            matcher = {"rule": form.get("rule", ""), form.get("label", ""): form.get("value", "")}
        self._silence(request, matcher, SPANS_S[span], form.get("reason", ""))
        return {}

    def _end_form(self, request: Request, form: dict[str, str]) -> dict[str, str]:
        id = form.get("id", "")
        if id.isascii() and id.isdigit() and len(id) < 16:
            self._end(request, int(id))
        return {}

    def _acknowledge_form(self, request: Request, form: dict[str, str]) -> dict[str, str]:
        if not self._acknowledge(request, form.get("alert", "")):
            raise RefusedParameter(
                "alert", "this alert is over", "there is nothing left to acknowledge"
            )
        return {}

    def _test_form(self, request: Request, form: dict[str, str]) -> dict[str, str]:
        name = form.get("destination", "")
        self._test(request, name)
        return {"tested": name}

    # What is done, by whomever.

    def _silence(
        self, request: Request, matcher: dict[str, str], for_s: int, reason: str
    ) -> dict[str, Any]:
        viewer = self._operator(request)
        pairs = _matcher(matcher)
        reason = reason.strip()
        if not has_words(reason) or len(reason) > LONGEST_REASON:
            problem = "it is too long" if has_words(reason) else "it has no reason"
            raise RefusedParameter("reason", problem, f"1 to {LONGEST_REASON} characters")
        if not 1 <= for_s <= LONGEST_S:
            hint = f"1 to {LONGEST_S:,} seconds"
            raise RefusedParameter("for_s", "it is too short or too long", hint)
        until_ms = self._engine.now_ms() + for_s * 1000
        silence = self._engine.silence(pairs, until_ms, reason, viewer.name)
        details = {**dict(pairs), "reason": reason, "for_s": str(for_s)}
        self._note(deed_of(viewer, "silenced alerts", str(silence.id), **details))
        return silence_json(silence)

    def _end(self, request: Request, id: int) -> bool:
        viewer = self._operator(request)
        found = id <= LAST_SEQ and self._engine.end_silence(id)
        if found:
            self._note(deed_of(viewer, "ended a silence", str(id)))
        return found

    def _acknowledge(self, request: Request, id: str) -> bool:
        viewer = self._operator(request)
        alert = self._engine.acknowledge(id, viewer.name)
        if alert is not None:
            self._note(deed_of(viewer, "acknowledged an alert", alert.rule, **dict(alert.labels)))
        return alert is not None

    def _test(self, request: Request, destination: str) -> str | None:
        viewer = self._operator(request)
        if not self._engine.destinations.knows(destination):
            known = ", ".join(self._engine.destinations.names()) or "none is configured"
            raise RefusedParameter("destination", "there is no such destination", known)
        self._note(deed_of(viewer, "tested a destination of alerts", destination))
        tried = self._engine.test(destination, viewer.name)
        return "; ".join(f"{name}: {problem}" for name, problem in tried.items() if problem) or None

    def _operator(self, request: Request) -> Viewer:
        viewer = viewer_of(request)
        if not viewer.may(Role.OPERATOR):
            raise HTTPException(403, "only an operator may do this")
        return viewer

    # The API.

    def _body(self, act: Callable[[Request, bytes], Response]) -> Callable[..., Any]:
        async def endpoint(request: Request) -> Response:
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise RefusedParameter(
                        None, "the body is too large", f"at most {LARGEST:,} bytes"
                    )
            return await run_in_threadpool(act, request, body)

        return endpoint

    def _post_silence(self, request: Request, body: bytes) -> Response:
        wanted = _read(body, SilenceWanted)
        if not wanted.for_s.is_integer():
            raise RefusedParameter("for_s", "it is no whole number", f"1 to {LONGEST_S:,} seconds")
        for_s = int(wanted.for_s)
        return json_response(self._silence(request, wanted.matcher, for_s, wanted.reason), 201)

    def _delete_silence(self, request: Request) -> Response:
        if not self._end(request, request.path_params["id"]):
            raise HTTPException(404)
        return Response(status_code=204, headers=NO_STORE)

    def _post_acknowledge(self, request: Request, body: bytes) -> Response:
        if not self._acknowledge(request, _read(body, AcknowledgeWanted).alert):
            raise HTTPException(404)
        return Response(status_code=204, headers=NO_STORE)

    def _post_test(self, request: Request, body: bytes) -> Response:
        destination = _read(body, TestWanted).destination
        if not self._engine.destinations.knows(destination):
            raise HTTPException(404)
        problem = self._test(request, destination)
        return json_response({"sent": problem is None, "problem": problem})


def _last_tests(sent: Sequence[SentMessage], names: Collection[str]) -> list[Delivery]:
    """How the last test of each destination went, as they were sent."""
    last: dict[str, Delivery] = {}
    for each in sent:
        if each.message.say is MessageKind.TEST and each.delivery.destination in names:
            last.setdefault(each.delivery.destination, each.delivery)
    return list(last.values())


def _matcher(matcher: dict[str, str]) -> Labels:
    """The pairs of a silence, checked. One that matches everything has to be meant: `rule` `*`."""
    pairs = tuple(sorted((name, text.strip()) for name, text in matcher.items() if has_words(text)))
    hint = f"{', '.join(MATCHED)}, and a pattern such as Sales*"
    if not pairs:
        raise RefusedParameter("matcher", "it says of nothing what to silence", hint)
    for name, text in pairs:
        if name not in MATCHED:
            raise RefusedParameter("matcher", "an alert has no such label", hint)
        if len(text) > LONGEST_PATTERN:
            problem = f"what it says of {name} is longer than {LONGEST_PATTERN} characters"
            raise RefusedParameter("matcher", problem, hint)
    return pairs


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise RefusedParameter(
            None, f"the body is not as described: {error}", "see docs/api.md"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RefusedParameter(None, "the body is not JSON", "see docs/api.md") from None

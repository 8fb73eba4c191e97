"""The page Nodes: who leads, how each node is, what waits; and having another lead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Route

from switchhook.access.roles import Role
from switchhook.cluster.acts import LONGEST_REASON
from switchhook.cluster.api import DrainBody, LeadBody, drain_by, lead_by, operator_of
from switchhook.cluster.cluster_troubles import cluster_troubles
from switchhook.cluster.json import ALONE
from switchhook.cluster.view import ClusterView, NodeState
from switchhook.errors import NodeError
from switchhook.troubles.trouble import Level
from switchhook.web.render import address, viewer_of, zone_of, zone_word

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from switchhook.cluster.acts import Done, NodeActs
    from switchhook.troubles.trouble import Trouble
    from switchhook.web.render import Renderer


class NodesPage:
    """`/nodes`, with its forms.

    `view` gives the cluster, None on one machine; `acts` is None where the page is only looked at,
    as on a node that doesn't lead.
    """

    def __init__(
        self,
        renderer: Renderer,
        view: Callable[[], ClusterView | None],
        acts: NodeActs | None,
        now_ms: Callable[[], int],
    ) -> None:
        self._renderer, self._view, self._acts, self._now_ms = renderer, view, acts, now_ms

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/nodes", self._page, methods=["GET"], name="nodes"),
            Route("/nodes/lead", self._form(self._lead), methods=["POST"]),
            Route("/nodes/drain", self._form(self._drain), methods=["POST"]),
        ]

    def _page(self, request: Request) -> Response:
        view = self._view()
        context: dict[str, Any] = {
            "cluster": view,
            "alone": ALONE,
            "troubles": () if view is None else sorted(cluster_troubles(view), key=_bad_first),
            "now_ms": self._now_ms(),
            "states": NodeState,
            "longest_reason": LONGEST_REASON,
            "refused": request.query_params.get("refused", "")[:300],
            "may_act": self._acts is not None and viewer_of(request).may(Role.OPERATOR),
        }
        return self._renderer.page(request, "nodes.html", context)

    def _form(
        self, act: Callable[[Request, dict[str, str]], object]
    ) -> Callable[[Request], Awaitable[Response]]:
        """An action of a form, which leads back to the page with what it has to say."""

        async def endpoint(request: Request) -> Response:
            form = {name: str(text) for name, text in (await request.form()).items()}
            said: dict[str, Any] = {}
            try:
                await run_in_threadpool(act, request, form)
            except NodeError as refused:
                said = {"refused": f"{refused.problem}: {refused.hint}"}
            tz = zone_word(zone_of(request))
            return RedirectResponse(address("/nodes", {"tz": tz, **said}), 303)

        return endpoint

    def _lead(self, request: Request, form: dict[str, str]) -> Done:
        wanted = LeadBody(node=form.get("node", ""), reason=form.get("reason", ""))
        return lead_by(self._its_acts(), operator_of(request), wanted)

    def _drain(self, request: Request, form: dict[str, str]) -> Done:
        wanted = DrainBody(
            node=form.get("node", ""),
            back=form.get("back") == "yes",
            reason=form.get("reason", ""),
        )
        return drain_by(self._its_acts(), operator_of(request), wanted)

    def _its_acts(self) -> NodeActs:
        if self._acts is None:
            raise NodeError("nothing can be done here", "ask the node that leads")
        return self._acts


def _bad_first(trouble: Trouble) -> bool:
    return trouble.level is not Level.BAD

"""What the console's address answers with on a node that does not lead: what the leader answers.

Every request is passed on to the leader's console; only `/healthz` is answered here, as it is this
node that is asked: with its own problems, and whether the leader can be reached. Where nobody
leads, or who leads can't be reached, that is said, and that callers are answered all the same;
where it is the database that fails, `own_page` says how this node is by itself.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from switchhook.cluster.forwarding import Forwarded
from switchhook.cluster.view import node_text
from switchhook.server.forwarded import HEALTH, asked_of, forwarded_header
from switchhook.server.forwarding_client import LeaderClient, UnreachableError
from switchhook.server.release import release
from switchhook.server.unavailable import Unavailable
from switchhook.streams.health import node_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from switchhook.cluster.lease import Leader
    from switchhook.errors import ClusterError
    from switchhook.server.own_page import OwnPage
    from switchhook.web.json import Json

_NONE = Unavailable(
    heading="No node leads just now",
    problem="no node of the cluster leads just now, so that nothing can be shown",
    hint="wait some seconds; on any node `switchhook cluster status` says more",
    more="",
    again_s=2,
)


class StandbyApp:
    """Passes requests on to who `leader` says leads; `name` is the node's.

    `now_ms` is the database's time, `away` why that is of no use just now, if it is; then
    `own_page` answers. `own` gives an app that answers a path here, where there is one.
    `complaints` are what is wrong with the node. `signed_in` shows `health` to those who may see
    it; the others are told the status alone. `stuck` is why this node could not lead, if it tried.
    """

    def __init__(
        self,
        *,
        key: bytes,
        node: int,
        name: str,
        leader: Callable[[], Leader | None],
        now_ms: Callable[[], int],
        away: Callable[[], ClusterError | None],
        own_page: OwnPage,
        own: Callable[[str], ASGIApp | None] = lambda _path: None,
        complaints: Callable[[], Sequence[str]] = tuple,
        signed_in: ASGIApp | None = None,
    ) -> None:
        self._key, self._node, self._name, self._now_ms = key, node, name, now_ms
        self._leader, self._away, self._own_page, self._own = leader, away, own_page, own
        self._complaints, self._signed_in = complaints, signed_in
        self._client = LeaderClient()
        self._followed: tuple[int, int] | None = None
        self.stuck: Unavailable | None = None
        self._over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1013})
            return
        path: str = scope["path"]
        forwarded, error = forwarded_header(scope) is not None, self._away()
        own = self._own(path)
        if forwarded and path == HEALTH:
            # Another node takes this one for the leader: to ask on could go round for ever.
            await _NONE.response("/api/")(scope, receive, send)
        elif error is not None and not forwarded and (path == HEALTH or self._leader() is None):
            await self._own_page.answer(error, scope, receive, send)
        elif path == HEALTH:
            await self._say_health(scope, receive, send)
        elif own is not None:
            await own(scope, receive, send)
        else:
            await self._pass_on(path, scope, receive, send)

    async def health(self) -> Json:
        """What `/healthz` says, in the form of the leader's; what is folded it doesn't know."""
        problems = [*self._complaints(), *await self._of_the_lead()]
        return {
            "status": "degraded" if problems else "ok",
            "problems": list(dict.fromkeys(problems)),
            "fold_lag": None,
            "version": release(),
            "node": node_json(self._name, leads=False),
        }

    async def _of_the_lead(self) -> list[str]:
        """Why pages can't be had of who leads."""
        leader = self._leader()
        wrong = self._why_not(leader, forwarded=False)
        if wrong is None and leader is not None:
            said = Forwarded("", self._node, self._now_ms())
            try:
                await self._client.look(leader.address, lambda asked: said.header(self._key, asked))
            except UnreachableError as error:
                wrong = _unreachable(leader, str(error))
        return [] if wrong is None else [wrong.problem]

    async def _say_health(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._signed_in is not None:
            await self._signed_in(scope, receive, send)
            return
        said = {"status": (await self.health())["status"]}
        await JSONResponse(said, 200, {"Cache-Control": "no-store"})(scope, receive, send)

    def turned(self) -> None:
        """See whether another leads now: whoever waits for the one before waits no longer."""
        leader = self._leader()
        followed = None if leader is None else (leader.node, leader.epoch)
        if followed == self._followed:
            return
        self._followed = followed
        self.close()
        self._over = asyncio.Event()

    def close(self) -> None:
        """End what is passed on just now."""
        self._over.set()

    async def end(self) -> None:
        """Let go of all connections."""
        self.close()
        await self._client.close()

    async def _pass_on(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        leader = self._leader()
        wrong = self._why_not(leader, forwarded=forwarded_header(scope) is not None)
        if wrong is None:
            assert leader is not None
            client = (scope.get("client") or ("",))[0]
            said = Forwarded(client, self._node, self._now_ms())
            proof = said.header(self._key, asked_of(scope))
            try:
                await self._client.forward(leader.address, proof, scope, receive, send, self._over)
            except UnreachableError as error:
                wrong = _unreachable(leader, str(error))
        if wrong is not None:
            await wrong.response(path)(scope, receive, send)

    def _why_not(self, leader: Leader | None, *, forwarded: bool) -> Unavailable | None:
        if leader is None or leader.node == self._node or forwarded:
            # Or it changes just now: a request is never passed on twice.
            return self.stuck or _NONE
        if not leader.address:
            return Unavailable(
                heading="The node that leads has no address",
                problem=f"{_named(leader)} leads, and does not say where its console is reached",
                hint="set cluster.address in the configuration of every node",
                more="",
            )
        return None


def _unreachable(leader: Leader, why: str) -> Unavailable:
    return Unavailable(
        heading="The node that leads can't be reached",
        problem=f"{_named(leader)} leads, and its console does not answer this node ({why})",
        hint="if it stays so, see that this node reaches the address in its cluster.address",
        more="",
        again_s=2,
    )


def _named(leader: Leader) -> str:
    return leader.name or node_text(leader.node)

"""The console of a node in a cluster: it leads while it holds the lease, and stands by else.

To lead is what a console does on one machine, over what all nodes share. Nothing here waits on the
event loop for the database; and nothing waits for it for long, once the console is to end.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from switchhook.cluster.hand_over_state import read_state
from switchhook.cluster.heartbeat import NodeNow
from switchhook.cluster.membership import read_membership
from switchhook.cluster.one_copies import OneCopies
from switchhook.cluster.watch import ClusterWatch
from switchhook.config.live import POLL_S
from switchhook.errors import ClusterError, JournalError
from switchhook.journal import JournalReader
from switchhook.postgresql_server import Connector, explained, in_short, load
from switchhook.server.alerting import answer_health
from switchhook.server.cluster_alarm import database_alarm
from switchhook.server.console_parts import ConsoleSide
from switchhook.server.forwarded import ForwardedApp
from switchhook.server.gc import freeze_heap, thaw_heap
from switchhook.server.keeping import wall_ms
from switchhook.server.keeping_shared import shared
from switchhook.server.node_parts import node_parts
from switchhook.server.node_side import NodeSide
from switchhook.server.own_files import OwnFiles
from switchhook.server.own_machine import MachineWatch, OwnMachine
from switchhook.server.own_nodes import OwnNodes
from switchhook.server.own_page import OwnPage
from switchhook.server.own_segments import own_segments
from switchhook.server.own_state import OwnLook
from switchhook.server.release import release
from switchhook.server.standby import StandbyApp
from switchhook.server.unavailable import CLOSED, Unavailable
from switchhook.system.data_folder import JOURNAL
from switchhook.system.logs import set_up as set_up_logs
from switchhook.web.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.cluster.membership import Membership
    from switchhook.config.live import Settings, SettingsKeeper
    from switchhook.overview.health_metrics import AnswerHealth
    from switchhook.server.node_side import NodePart
    from switchhook.server.served_app import ServedApp
    from switchhook.system.data_folder import DataFolder

log = logging.getLogger("switchhook.node")

LOOK_S = 0.25
"""How often to see whether the lease still holds: no answer of the database's is waited for."""
DRAIN_S = 1.0
"""How long what is being answered may go on once another is to lead."""
PATIENCE_S = 1.5
"""How long what leads may take to end, before it waits for the database no more."""
END_S = 2.0
"""How long what leads may take to end, with what is being answered, before another may lead."""
HANG_S = 3.0
"""After so much longer what led is taken to hang."""
GIVE_UP_S = 0.5
"""How long to wait for the word that the lease is given up: else it runs out."""
REST_S = 5.0
"""Who could not begin to lead lets others try for so long."""


class ClusteredConsole:
    """The console on a data folder that is a cluster's, shown by `app` until that is left."""

    def __init__(
        self,
        held: DataFolder,
        keeper: SettingsKeeper,
        settings: Settings,
        app: ServedApp,
        *,
        address: str,
        answer_url: str | None,
    ) -> None:
        cluster, note = settings.config.cluster, read_membership(held.path)
        assert cluster.database is not None, "else it is alone"
        assert note is not None, "who is no member does not start"
        with explained(cluster.database):
            load()  # before there are threads
        self._held, self._keeper, self._settings = held, keeper, settings
        self._app, self._address, self._answer_url = app, address, answer_url
        self._connector = Connector(cluster.database, node=cluster.node_name)
        self._leading = Connector(of=self._connector)
        self._journal = JournalReader(held.folder(JOURNAL))
        self._copies, self._process = OneCopies(self._journal), secrets.token_hex(8)
        self._turn, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._segments = own_segments(held, settings.config, self._connector)
        self._watch = ClusterWatch(self._connector, lambda: self.node.heartbeat.now_ms())
        self._alarm = database_alarm(
            held, self._journal, self._watch, lambda: self._settings.config, wall_ms
        )
        self._files = OwnFiles(held)
        answer = answer_health(answer_url, wall_ms)
        self._machine = MachineWatch(OwnMachine(held, self._files, lambda: self._settings, answer))
        parts, name = self._parts(note, settings), cluster.node_name
        self.node = NodeSide(self._connector, note, name, self._look, parts, self._turned)
        self._renderer = cache(
            lambda: Renderer(clustered=True, now_us=lambda: self.node.heartbeat.now_ms() * 1_000)
        )
        self._own_page = self._own_page_of(answer)
        self._standby, self._own = self._shown_by_others()
        self._side: ConsoleSide | None = None
        self._leads: ForwardedApp | None = None
        self._epoch = self._last_seq = self._alone = 0

    def _parts(self, note: Membership, settings: Settings) -> list[NodePart]:
        """What goes on whether this node leads or not."""
        return [
            self._segments,
            self._watch,
            self._alarm,
            self._machine,
            *node_parts(self._held, note, settings, self._connector, self._watch.now),
        ]

    def _own_page_of(self, answer: Callable[[], AnswerHealth | None]) -> OwnPage:
        """What it says while the database is of no use."""

        def answers() -> bool | None:
            found = answer()
            return None if found is None else found.answers

        look = OwnLook(
            self._held.path,
            self._journal,
            name=self._settings.config.cluster.node_name,
            ceiling_gb=lambda: self._settings.config.journal.ceiling_gb,
            answers=answers,
            now_ms=wall_ms,
        )
        return OwnPage(
            look,
            self._renderer,
            lambda: self._settings.config.console.access,
            self._complaints,
        )

    def _shown_by_others(self) -> tuple[StandbyApp, OwnNodes]:
        """What this node answers with while it does not lead; and the nodes, if nobody does."""
        now_ms, lease = self.node.heartbeat.now_ms, self.node.lease
        own = OwnNodes(
            self._connector,
            self._watch,
            self._held.key,
            lambda: self._settings.config,
            now_ms,
            lambda: standby.health(),
            self._own_page,
            self._renderer,
        )
        standby = StandbyApp(
            key=self._held.key,
            node=self._held.node,
            name=self._settings.config.cluster.node_name,
            leader=lambda: lease.leader,
            now_ms=now_ms,
            away=lambda: self.node.away,
            own_page=self._own_page,
            complaints=self._complaints,
            signed_in=own,
            own=lambda path: own.at(path) if lease.leader is None else None,
        )
        return standby, own

    def _complaints(self) -> list[str]:
        """What is wrong with this node, whether it leads or not, and with the operator's files."""
        return [*self._settings.complaints, *self.node.problems()]

    def _turned(self) -> None:
        with suppress(RuntimeError):  # a turn that outlasted the loop
            self._loop.call_soon_threadsafe(self._turn.set)

    def _look(self, problems: Sequence[str]) -> NodeNow:
        cluster, waiting = self._settings.config.cluster, self._segments.waiting()
        return NodeNow(
            name=cluster.node_name,
            address=cluster.address,
            release=release(),
            process=self._process,
            last_seq=self._newest(),
            segments=waiting.segments,
            waiting_bytes=waiting.bytes,
            one_copy=self._one_copies(),
            problems=[*self._settings.complaints, *problems],
            machine=self._machine.now(),
        )

    def _one_copies(self) -> int:
        """How many answers with one copy wait to be handed over."""
        with suppress(JournalError, OSError):  # as below
            state = read_state(self._held.path)
            self._alone = self._copies.waiting(0 if state is None else state.handed)
        return self._alone

    def _newest(self) -> int:
        """The newest record here; a journal that can't be read just now ends no heartbeat."""
        with suppress(JournalError):  # who writes it says so
            self._last_seq = self._journal.last_seq()
        return self._last_seq

    async def run(self) -> None:
        """Stand by, lead and stand by again, until the app is left."""
        self._app.show(self._standby, self._standby.close)
        await asyncio.to_thread(self.node.start)
        beside = [asyncio.create_task(work) for work in (self._follow(), self._lose_patience())]
        try:
            while not self._app.left.is_set():
                await self._step()
                await self._next_turn()
        finally:
            self._app.leave()  # also where something failed: nothing may answer on as if it led
            await self._stop_leading()
            await self._app.end()
            for each in beside:
                each.cancel()
            await asyncio.to_thread(self.node.stop)
            await self._standby.end()
            await asyncio.to_thread(self._own.close)
            self._journal.close()

    async def _lose_patience(self) -> None:
        """Once it is to end, wait for the database no longer than what leads may take for that."""
        await self._app.left.wait()
        await asyncio.sleep(PATIENCE_S)
        self._leading.close()

    async def _give_up(self, rest_s: float = 0.0) -> None:
        """Let another lead; nobody waits for a database that does not answer."""
        if self._app.left.is_set():
            rest_s = math.inf  # who ends leads no more: it would take the lease with it
        giving_up = asyncio.create_task(asyncio.to_thread(self.node.lease.give_up, rest_s))
        await asyncio.wait([giving_up], timeout=GIVE_UP_S)

    async def _step(self) -> None:
        lease = self.node.lease
        held = lease.held
        self._standby.turned()
        if self._side is not None:
            if held is None or held.epoch != self._epoch or lease.must_hand_on:
                await self._stand_back(lost=held is None or held.epoch != self._epoch)
        elif held is not None:
            if lease.must_hand_on:
                await self._give_up()
            else:
                await self._lead(held.epoch)

    async def _next_turn(self) -> None:
        self._turn.clear()
        turn = asyncio.create_task(self._turn.wait())
        left = asyncio.create_task(self._app.left.wait())
        await asyncio.wait([turn, left], timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        turn.cancel()
        left.cancel()

    async def _lead(self, epoch: int) -> None:
        """Begin to lead; who can't lets another try."""
        log.info("this node leads now, by epoch %d", epoch)
        self._epoch = epoch
        try:
            self._side = await self._open(epoch)
        except (*CLOSED, ClusterError) as error:
            log.error("this node can't lead, and lets another try: %s", error)  # noqa: TRY400
            self._standby.stuck = Unavailable(
                heading="This node can't lead", problem=in_short(error), hint=error.hint, more=""
            )
            await self._give_up(REST_S)
            return
        except BaseException:
            await self._give_up()
            raise
        self._standby.stuck = None
        try:
            await self._side.start()
        except (*CLOSED, ClusterError) as error:
            # Half of it goes on: the supervisor starts a whole one.
            log.error("this node can't lead, and its console begins anew: %s", error)  # noqa: TRY400
            await self._give_up(REST_S)
            self._app.leave()
            return
        self._leads = ForwardedApp(self._side.app, self._held.key, self.node.heartbeat.now_ms)
        self._app.show(self._leads, self._side.pages.close)
        freeze_heap()

    async def _open(self, epoch: int) -> ConsoleSide:
        leading = self._leading = Connector(of=self._connector)

        def make() -> ConsoleSide:
            now_ms, nodes = self.node.heartbeat.now_ms, self._watch.now
            kept = shared(self._held, leading, epoch, now_ms, nodes, self.node.problems)
            kept = msgspec.structs.replace(kept, without_ledger=self._own_page.answer)
            try:
                kept.start()
                return ConsoleSide(
                    self._held,
                    kept,
                    self._settings,
                    address=self._address,
                    answer_url=self._answer_url,
                    files=self._files,
                )
            except BaseException:
                kept.close()
                raise

        side = await asyncio.to_thread(make)
        await side.open()
        return side

    async def _stand_back(self, *, lost: bool) -> None:
        """Lead no more: at once, or once another is to; then it may."""
        log.log(
            logging.WARNING if lost else logging.INFO,
            "this node leads no more, as %s",
            "its lease is lost" if lost else "another is to",
        )
        self._app.show(self._standby, self._standby.close)
        await self._stop_leading(lost=lost)
        thaw_heap()

    async def _stop_leading(self, *, lost: bool = False) -> None:
        """End what leads and give the lease up, also where something of it does not end in time."""
        side, self._side = self._side, None
        if side is None:
            await self._give_up()
            return
        until_s = self._loop.time() + END_S
        if lost or self.node.away is not None:
            self._leading.close()  # what it waits for may never come, and would be refused
        side.pages.close()
        if self._leads is not None:
            await self._leads.drained(DRAIN_S)
            self._leads = None
        ending = asyncio.create_task(side.stop())
        await asyncio.wait([ending], timeout=until_s - self._loop.time())
        self._leading.close()  # before another may lead: what goes on can write nothing any more
        await self._give_up(0.0 if ending.done() else HANG_S)
        await self._ended(ending)

    async def _ended(self, ending: asyncio.Task[None]) -> None:
        """Wait a while for what still ends; what hangs ends with the process."""
        left = asyncio.create_task(self._app.left.wait())
        await asyncio.wait([ending, left], timeout=HANG_S, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        why = "it hangs"
        if ending.done():
            try:
                ending.result()
            except (*CLOSED, ClusterError, RuntimeError) as error:  # a thread never began, too
                why = str(error)
            else:
                return
        ending.cancel()
        then = "ends without" if self._app.left.is_set() else "begins anew"
        log.error("what led could not be ended, and the console %s: %s", then, why)
        self._app.leave()

    async def _follow(self) -> None:
        """Look at the operator's files as the answer process does."""
        while True:
            await asyncio.sleep(POLL_S)
            settings, _ = await asyncio.to_thread(self._keeper.poll)
            if settings is None:
                continue
            self._settings = settings
            if settings.config.cluster.database not in (None, self._connector.url):
                self._connector.use(settings.config.cluster.database)
                log.info("who connects to the database from now on does so by its new URL")
            set_up_logs(json=settings.config.log.json, level=settings.config.log.level)
            if self._side is None:
                continue
            try:
                await self._side.take_over(settings)
            except (*CLOSED, ClusterError) as error:
                log.error("a changed configuration is not in force as a whole: %s", error)  # noqa: TRY400

"""The shipper's program: it hands the journal over, and tells the answer side how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from switchhook.cluster.hand_over_state import HandOverState, read_state, write_state
from switchhook.cluster.membership import Membership, read_membership
from switchhook.cluster.settings import is_same_database
from switchhook.cluster.shipping import Shipping
from switchhook.errors import DataFolderError, SwitchhookError
from switchhook.journal import JournalReader
from switchhook.postgresql_server import Connector, load
from switchhook.server.kept_cluster import ShipperSettings, kept_settings
from switchhook.server.local_socket import listening_in, remove_socket
from switchhook.system.data_folder import JOURNAL, DataFolder
from switchhook.system.hand_over_socket import Seqs, pack
from switchhook.system.logs import set_up as set_up_logs
from switchhook.system.supervised import LOCK_WAIT_S, SupervisorPipes

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("switchhook")

_LOOK_S = 1.0
_MOST_UNSENT_BYTES = 1024
_NO_DATABASE = "the configuration that runs names no [cluster] database"
_NO_MEMBER = "the data folder has not joined the cluster: switchhook cluster join"


class ShipperProcess:
    """Hands over the journal of a data folder to the database that its configuration names."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._journal = JournalReader(folder.path / JOURNAL)
        self._connector = Connector()
        self._shipping: Shipping | None = None
        self._lines: set[_Line] = set()
        self._loop = asyncio.get_running_loop()
        self._why_not, self._before = "", _state_before(folder.path)
        self._written: HandOverState | None = None
        self.up_to: int | None = None
        """Up to where all is kept twice; None until that is known."""

    def join(self, line: _Line) -> None:
        """An answer process came."""
        self._lines.add(line)

    def leave(self, line: _Line) -> None:
        self._lines.discard(line)

    def hint(self) -> None:
        """The answer side says that something is durable."""
        if self._shipping is not None:
            self._shipping.hint()

    async def follow(self) -> None:
        """Look after all but the hand-over itself, until cancelled."""
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(_LOOK_S)

    def stop(self) -> None:
        """End, and wait for no commit that waits for a standby."""
        if self._shipping is not None:
            self._shipping.stop()
        self._journal.close()

    def _look(self) -> None:
        settings = kept_settings(self._folder.path) or ShipperSettings()
        self._go_by(settings)
        state = self._state()
        if state != self._written:
            try:
                write_state(self._folder.path, state)
            except OSError as error:  # a full disk: the journal says so itself
                log.debug("the hand-over's state can't be written: %s", error)
            else:
                self._written = state

    def _go_by(self, settings: ShipperSettings) -> None:
        """Begin with a database; another one takes a restart, but not another password."""
        url = settings.database
        if self._shipping is not None:
            known = self._connector.url
            if url is not None and url != known and is_same_database(url, known):
                self._connector.use(url)
                log.info("who connects to the database from now on does so by its new URL")
            return
        if url is None:
            self._say(_NO_DATABASE)
            return
        member = self._member()
        if member is None:
            return
        self._say("")
        self._connector = Connector(url, node=settings.name)
        self._shipping = Shipping(
            self._connector,
            self._journal,
            member.node,
            member.id,
            kept=self._kept,
            state=self._before,
        )
        self._shipping.start()

    def _member(self) -> Membership | None:
        """The node's place in the cluster; None before it has joined."""
        try:
            member = read_membership(self._folder.path)
        except DataFolderError as error:
            self._say(str(error))
            return None
        if member is None or not member.is_member:
            self._say(_NO_MEMBER)
            return None
        return member

    def _state(self) -> HandOverState:
        if self._shipping is not None:
            return self._shipping.state
        return msgspec.structs.replace(self._before, problem=self._why_not)

    def _say(self, why_not: str) -> None:
        if why_not and why_not != self._why_not:
            log.error("the journal is not handed over: %s", why_not)
        self._why_not = why_not

    def _kept(self, seq: int) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
            self._loop.call_soon_threadsafe(self._tell, seq)

    def _tell(self, seq: int) -> None:
        self.up_to = seq
        for line in self._lines:
            line.tell()


def _state_before(folder: Path) -> HandOverState:
    """How far it was, as the shipper before this one said: until the database says it anew."""
    try:
        known = read_state(folder) or HandOverState()
    except OSError:
        return HandOverState()
    return HandOverState(handed=known.handed, kept_twice=known.kept_twice)


class _Line(asyncio.Protocol):
    """The connection to one answer process. Only the last number is ever worth to be sent."""

    def __init__(self, process: ShipperProcess) -> None:
        self._process = process
        self._transport: asyncio.Transport
        self._seqs = Seqs()
        self._choked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_MOST_UNSENT_BYTES)
        self._process.join(self)
        self.tell()

    def data_received(self, data: bytes) -> None:
        if self._seqs.feed(data) is not None:
            self._process.hint()

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.leave(self)

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self.tell()

    def tell(self) -> None:
        if self._process.up_to is not None and not self._choked:
            self._transport.write(pack(self._process.up_to))


async def _ship(path: Path, fd: int | None, pipes: SupervisorPipes) -> int:
    with contextlib.suppress(ModuleNotFoundError):  # who connects says it, with what to do
        load()  # before there are threads
    loop = asyncio.get_running_loop()
    pipes.watch(loop)
    ending = asyncio.Event()
    # Nobody waits for this program: what makes way for a fresh one ends at once.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        loop.add_signal_handler(number, ending.set)
    folder = await asyncio.to_thread(DataFolder.open, path, "shipper", wait_s=LOCK_WAIT_S)
    with folder:
        sock = await asyncio.to_thread(listening_in, folder.path, fd)
        process = ShipperProcess(folder)
        server = await loop.create_unix_server(lambda: _Line(process), sock=sock)
        following = asyncio.create_task(process.follow())
        following.add_done_callback(lambda _: ending.set())
        pipes.ready(loop)
        if pipes.beat is None:
            log.info("the shipper runs on %s", folder.path)
        await ending.wait()
        failed = following.done()
        following.cancel()
        server.close()
        await asyncio.to_thread(process.stop)
        if fd is None:
            remove_socket(folder.path)
        if failed:
            await following
    return 0


def main(words: Sequence[str]) -> int:
    """`--data DIR`, and the numbers of the descriptors that a supervisor hands down."""
    given = dict(zip(words[::2], words[1::2], strict=True))
    fd, beat, life = (
        int(given[name]) if name in given else None
        for name in ("--socket-fd", "--beat-fd", "--life-fd")
    )
    folder, pipes = Path(given["--data"]), SupervisorPipes(beat, life)
    pipes.die_with_parent()
    settings = kept_settings(folder) or ShipperSettings()
    set_up_logs(json=settings.json, level=settings.level)
    try:
        return asyncio.run(_ship(folder, fd, pipes))
    except SwitchhookError as error:
        sys.stderr.write(f"switchhook: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

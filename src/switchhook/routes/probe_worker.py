"""Probes members: each by itself, within a bounded time, again and again, from the console.

One thread with an event loop of its own, from `start` to `stop`. A member that is reached is probed
every `EVERY_S`; one that isn't again after `AGAIN_S`, so that two failures in a row are known
within 5 s of the first, and then every `FAILING_S`. Only configured members are probed, and what is
connected to is the address that was looked at: a name is resolved once.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from switchhook.routes.probe import (
    Probed,
    Step,
    chosen,
    handshake_problem,
    handshake_request,
    head_is_whole,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from switchhook.routes.health import Key
    from switchhook.routes.probe import ProbeTarget

    Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
    """The addresses of a host's name. Raises OSError, UnicodeError."""

TIMEOUT_S = 3.0
EVERY_S, AGAIN_S, FAILING_S = 15.0, 1.0, 5.0
_PIECE = 4096
_CLOSE = b"\x88\x82\x00\x00\x00\x00\x03\xe8"  # 1000, masked with zeros


class _FailedError(Exception):
    """A step that did not go well."""

    def __init__(
        self, step: Step, problem: str, *, certain: bool = False, network: str = ""
    ) -> None:
        super().__init__(problem)
        self.step, self.problem, self.certain, self.network = step, problem, certain, network


async def probe(
    target: ProbeTarget,
    *,
    now_ms: Callable[[], int],
    resolve: Resolve,
    context: ssl.SSLContext,
    timeout_s: float = TIMEOUT_S,
) -> Probed:
    """Probe once; never raises, and takes no longer than `timeout_s`."""
    begun = time.monotonic()
    run = _Run(target, resolve, context)
    try:
        async with asyncio.timeout(timeout_s):
            await run.to_the_end()
    except TimeoutError:
        failed = _FailedError(run.step, f"no answer within {timeout_s:g} s ({run.step.value})")
    except _FailedError as error:
        failed = error
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or type(error).__name__
        failed = _FailedError(run.step, str(problem).lower())
    else:
        ms = (time.monotonic() - begun) * 1000
        return Probed(
            at_ms=now_ms(), step=Step.DONE, ms=ms, address=run.address, ends_ms=run.ends_ms
        )
    finally:
        run.close()
    return Probed(
        at_ms=now_ms(),
        step=failed.step,
        problem=failed.problem,
        certain=failed.certain,
        network=failed.network,
        ms=(time.monotonic() - begun) * 1000,
        address=run.address,
        ends_ms=run.ends_ms,
    )


class _Run:
    """One probe on its way."""

    def __init__(self, target: ProbeTarget, resolve: Resolve, context: ssl.SSLContext) -> None:
        self._target, self._resolve, self._context = target, resolve, context
        self._socket: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.step = Step.NAME
        self.address = ""
        self.ends_ms: int | None = None

    async def to_the_end(self) -> None:
        self.address = await self._name()
        self.step = Step.CONNECT
        sock = self._socket = await self._connect()
        self.step = Step.TLS if self._target.tls else Step.HANDSHAKE
        reader = await self._open(sock)
        self.step = Step.HANDSHAKE
        await self._shake_hands(reader)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        elif self._socket is not None:
            self._socket.close()

    async def _name(self) -> str:
        target = self._target
        try:
            found = await self._resolve(target.host, target.port)
        except socket.gaierror as error:
            none = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
            problem = "its name does not resolve" if none else "its name can't be looked up now"
            raise _FailedError(Step.NAME, problem, certain=none) from None
        except UnicodeError:
            raise _FailedError(Step.NAME, "its name can't be one", certain=True) from None
        address, refused, network = chosen(found, allow_private=target.allow_private)
        if refused:
            raise _FailedError(Step.NAME, refused, network=network)
        return address

    async def _connect(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            place = (self.address, self._target.port)
            await asyncio.get_running_loop().sock_connect(sock, place)
        except ConnectionRefusedError:
            sock.close()
            raise _FailedError(Step.CONNECT, "connection refused", certain=True) from None
        except BaseException:
            sock.close()
            raise
        return sock

    async def _open(self, sock: socket.socket) -> asyncio.StreamReader:
        target = self._target
        try:
            reader, writer = await asyncio.open_connection(
                sock=sock,
                ssl=self._context if target.tls else None,
                server_hostname=target.host if target.tls else None,
                limit=_PIECE,
            )
        except ssl.SSLCertVerificationError as error:
            expired = "expired" in error.verify_message
            problem = f"its certificate is not trusted: {error.verify_message}"
            raise _FailedError(Step.TLS, problem, certain=expired) from None
        except ssl.SSLError:
            raise _FailedError(Step.TLS, "the TLS handshake failed") from None
        except ConnectionError:
            raise _FailedError(Step.TLS, "the connection was closed in the TLS handshake") from None
        self._writer = writer
        shown = writer.get_extra_info("peercert") or {}
        if "notAfter" in shown:
            self.ends_ms = int(ssl.cert_time_to_seconds(shown["notAfter"]) * 1000)
        return reader

    async def _shake_hands(self, reader: asyncio.StreamReader) -> None:
        assert self._writer is not None
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._writer.write(handshake_request(self._target, key))
        head = b""
        # What is reset or closed was an answer that broke off.
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
            while not head_is_whole(head):
                piece = await reader.read(_PIECE)
                if not piece:
                    break
                head += piece
        if problem := handshake_problem(head, key):
            raise _FailedError(Step.HANDSHAKE, problem)
        with contextlib.suppress(ConnectionError):
            self._writer.write(_CLOSE)
            await self._writer.drain()


class ProbeWorker:
    """See above; `heard` is told of each probe, in its thread."""

    def __init__(
        self, heard: Callable[[Key, Probed], object], *, now_ms: Callable[[], int]
    ) -> None:
        self._heard, self._now_ms = heard, now_ms
        self._targets: dict[Key, ProbeTarget] = {}
        self._running: dict[Key, tuple[ProbeTarget, asyncio.Task[None]]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="probes", daemon=True)

    def use(self, targets: Mapping[Key, ProbeTarget]) -> None:
        """Go on with these members."""
        self._targets = dict(targets)
        self._tell()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        self._ending = True
        self._tell()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _tell(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._changed.set)

    def _run(self) -> None:
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        self._loop = asyncio.get_running_loop()
        names = ThreadPoolExecutor(8, thread_name_prefix="probe-name")
        try:
            context = None
            while not self._ending:
                targets = self._targets
                if context is None and targets:
                    context = ssl.create_default_context()
                if context is not None:
                    self._follow_up(targets, resolving(names), context)
                await self._changed.wait()
                self._changed.clear()
        finally:
            for _, task in self._running.values():
                task.cancel()
            names.shutdown(wait=False, cancel_futures=True)

    def _follow_up(
        self, targets: Mapping[Key, ProbeTarget], resolve: Resolve, context: ssl.SSLContext
    ) -> None:
        for key, (target, task) in list(self._running.items()):
            if targets.get(key) != target:
                task.cancel()
                del self._running[key]
        for key, target in targets.items():
            if key not in self._running:
                task = asyncio.create_task(self._member(key, target, resolve, context))
                self._running[key] = target, task

    async def _member(
        self, key: Key, target: ProbeTarget, resolve: Resolve, context: ssl.SSLContext
    ) -> None:
        failed = 0
        while True:
            found = await probe(target, now_ms=self._now_ms, resolve=resolve, context=context)
            failed = 0 if found.reached else failed + 1
            self._heard(key, found)
            await asyncio.sleep({0: EVERY_S, 1: AGAIN_S}.get(failed, FAILING_S))


def resolving(threads: ThreadPoolExecutor) -> Resolve:
    """The system's resolver, in threads of its own: a look-up may hang for long."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(each[4][0]) for each in found]

    return resolve


def probe_all(
    targets: Mapping[Key, ProbeTarget], *, now_ms: Callable[[], int]
) -> dict[Key, Probed]:
    """Probe members once, all at the same time, and wait."""

    async def all_of_them() -> dict[Key, Probed]:
        threads = ThreadPoolExecutor(8, thread_name_prefix="probe-name")
        context = ssl.create_default_context()
        asked = (
            probe(each, now_ms=now_ms, resolve=resolving(threads), context=context)
            for each in targets.values()
        )
        try:
            return dict(zip(targets, await asyncio.gather(*asked), strict=True))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    return asyncio.run(all_of_them())

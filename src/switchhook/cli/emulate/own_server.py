"""A Switchhook of our own for a trial: `serve` in a folder of its own, and its console's API."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from switchhook.errors import TrialError
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import OPEN, link_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_STARTS_S, _ENDS_S, _ANSWERS_S = 60.0, 20.0, 30.0
_TRIES, _AGAIN_S = 10, 2.0
DATA, LOG = "data", "server.log"


class ConsoleApi:
    """The API of a console without accounts, by the key of its data folder."""

    def __init__(self, url: str, folder: Path) -> None:
        token = link_token(read_identity(folder / DATA).key)
        self._hint = f"see {folder / LOG}"
        self.page = f"{url}{OPEN}{token}"
        """What opens it in a browser."""
        self.url = url
        self._http = httpx2.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=_ANSWERS_S,
            trust_env=False,
            # Its server closes a connection that is idle for as long as we are between two looks.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def ask(self, path: str, body: Any = None, **query: str) -> Any:
        """GET of an address below `/api/v1`, or POST of a body. Raises TrialError."""
        url = f"/api/v1/{path}"
        try:
            if body is None:
                answer = await self._got(url, query)
            else:
                answer = await self._http.post(url, json=body)
        except httpx2.TransportError as error:
            problem = f"the console did not answer {path}: {type(error).__name__} {error}"
            raise TrialError(problem, self._hint) from None
        if answer.status_code >= 400:
            problem = f"the console answered {path} with {answer.status_code}: {answer.text[:500]}"
            raise TrialError(problem, self._hint)
        return msgspec.json.decode(answer.content)

    async def _got(self, url: str, query: dict[str, str]) -> httpx2.Response:
        """Ask, and again while a console that has died is started again."""
        for _ in range(_TRIES - 1):
            try:
                return await self._http.get(url, params=query)
            except httpx2.TransportError:
                await asyncio.sleep(_AGAIN_S)
        return await self._http.get(url, params=query)

    async def every(self, path: str, name: str) -> list[dict[str, Any]]:
        """All of a list that comes in pages, under its name."""
        found: list[dict[str, Any]] = []
        query = {"limit": "500"}
        while True:
            page = await self.ask(path, **query)
            found += page[name]
            if not page.get("next"):
                return found
            query["cursor"] = str(page["next"])

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


@asynccontextmanager
async def own_server(config: Path) -> AsyncIterator[ConsoleApi]:
    """Serve with a configuration, data beside it, until the block is left. Raises TrialError."""
    folder = config.parent
    words = ["serve", "--config", str(config), "--data", str(folder / DATA)]
    with (folder / LOG).open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "switchhook", *words, stdout=asyncio.subprocess.PIPE, stderr=log
        )
        try:
            url = await _console_of(server, folder)
            console = ConsoleApi(url, folder)
            try:
                yield console
            finally:
                await console.close()
        finally:
            await _end(server)


async def _console_of(server: asyncio.subprocess.Process, folder: Path) -> str:
    """Where its console is, which it says once both sides are ready."""
    assert server.stdout is not None
    try:
        async with asyncio.timeout(_STARTS_S):
            async for line in server.stdout:
                name, _, where = line.decode().strip().partition(" ")
                if name == "console":
                    return where
    except TimeoutError:
        problem = f"the server was not ready in {_STARTS_S:g} s"
        raise TrialError(problem, f"see {folder / LOG}") from None
    said = (folder / LOG).read_text(errors="replace").strip()
    raise TrialError(f"the server did not start: {said[-1000:]}", f"see {folder / LOG}")


async def _end(server: asyncio.subprocess.Process) -> None:
    if server.returncode is not None:
        return
    server.terminate()
    try:
        async with asyncio.timeout(_ENDS_S):
            # What it still prints must not hold it up.
            await server.communicate()
    except TimeoutError:
        server.kill()
        await server.wait()

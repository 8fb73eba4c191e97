"""What a scenario does beside ringing: steps of a REST client, and what each should meet.

Each gives what was not as it should be, in words; empty is good.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from switchhook.emulator.api.exotel_api import make_rest
from switchhook.emulator.net.in_process import call_http
from switchhook.emulator.plan.plan import Fault
from switchhook.exotel.wire.active_streams import ActiveStreams
from switchhook.exotel.wire.active_streams import parse as parse_streams
from switchhook.exotel.wire.rest_error import parse_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.net.results import Reply

API = "http://api.in.exotel.com"
_LONGEST = 16 * 1024 * 1024


PEOPLE = "people"
"""The keyword that leads a caller to a person, where nobody said another."""


class Client:
    """A client of the emulator's own API, with the account's key."""

    def __init__(
        self,
        exchange: Exchange,
        account: str,
        asked: asyncio.Condition | None = None,
        people: str = PEOPLE,
    ) -> None:
        """`people` is the keyword that the server under test selects to lead to a person."""
        self.exchange, self.account, self.people = exchange, account, people
        self._asked = asked
        self._rest = make_rest(exchange)

    async def ask(self, path: str, form: Mapping[str, str] | None = None) -> Reply:
        """GET, or POST of a form; `path` below the account, or a whole URL."""
        account = self.exchange.lines[self.account].account
        token = base64.b64encode(f"{account.key}:{account.token}".encode()).decode()
        url = path if "://" in path else f"{API}/v1/Accounts/{self.account}{path}"
        return await call_http(
            self._rest,
            "GET" if form is None else "POST",
            url,
            headers=[
                ("Authorization", f"Basic {token}"),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ],
            body=b"" if form is None else urlencode(form).encode(),
            limit_bytes=_LONGEST,
        )

    async def asked_for_streams(self, times: int, within_s: float) -> bool:
        """Wait until the server under test has asked ActiveStreams so often from now on."""
        if self._asked is None:
            return False
        try:
            async with asyncio.timeout(within_s), self._asked:
                for _ in range(times):
                    await self._asked.wait()
        except TimeoutError:
            return False
        return True


async def poll_streams(client: Client, number: str) -> list[str]:
    """ActiveStreams in its XML form, while a stream runs and after it."""
    exchange = client.exchange
    call = exchange.ring(number)
    await asyncio.sleep(5)
    problems = await _expect_streams(client, 1)
    await call.over.wait()
    return problems + await _expect_streams(client, 0)


async def _expect_streams(client: Client, active: int) -> list[str]:
    reply = await client.ask("/ActiveStreams")
    line = client.exchange.lines[client.account]
    wanted = ActiveStreams(active, line.allowed)
    if not reply.body.startswith(b"<?xml") or parse_streams(reply.body) != wanted:
        return [f"ActiveStreams said {reply.body[:200]!r} while {active} ran"]
    return []


async def call_through_errors(client: Client, number: str) -> list[str]:
    """Calls/connect is refused in every way that passes, then goes through."""
    problems = []
    flow = next(iter(client.exchange.plan.flow))
    form = {
        "From": "+919811100001",
        "CallerId": number,
        "Url": f"http://my.exotel.com/{client.account}/exoml/start_voice/{flow}",
        "CustomField": "callback-1",
    }
    for status, code in ((429, None), (503, 35008), (500, None), (403, 340030)):
        client.exchange.faults.add(Fault(what="rest", code=status, count=1))
        reply = await client.ask("/Calls/connect.json", form)
        error = parse_error(reply.body)
        if error is None or (error.status, error.code) != (status, code):
            problems.append(f"instead of {status} came {reply.status}: {reply.body[:200]!r}")
    reply = await client.ask("/Calls/connect.json", form)
    if reply.status != 200:
        problems.append(f"the call was refused: {reply.body[:200]!r}")
    await asyncio.gather(*(call.over.wait() for call in client.exchange.calls.values()))
    return problems


async def fetch_recording(client: Client, number: str) -> list[str]:
    """The recording is not there when the passthru names it, and is there later."""
    call = client.exchange.ring(number)
    await call.over.wait()
    assert call.stream_outcome is not None
    url = f"{API}/exotelrecordings/{client.account}/{call.stream_outcome.sid}.mp3"
    early = await client.ask(url)
    await asyncio.sleep(client.exchange.lines[client.account].behaviour.recording_delay_s)
    late = await client.ask(url)
    problems = []
    if early.status != 404:
        problems.append(f"the recording was there at once: {early.status}")
    if late.status != 200 or len(late.body) < 1000:
        problems.append(f"the recording did not come: {late.status}, {len(late.body)} bytes")
    return problems

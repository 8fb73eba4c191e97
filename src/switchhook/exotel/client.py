"""Asking Exotel's API, version 1, for one account: streams, calls, numbers; and making calls.

Whatever the other side does ends in an outcome with a sentence (`http_client`). All questions share
the account's budget, and Retry-After silences them all.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from switchhook.exotel.answers import (
    MOST_RETRY_AFTER_S,
    Listed,
    NumberTold,
    Outcome,
    Polled,
    Whitelisted,
)
from switchhook.exotel.connect_answer import ConnectAnswer, ConnectOutcome, judge_answer
from switchhook.exotel.http_client import LARGEST, LARGEST_LIST, ApiAnswer, ExotelHttp
from switchhook.exotel.number_forms import NumberForm, in_form
from switchhook.exotel.rate_limit import Bucket, full_bucket, hold, put_back, rate_of, take
from switchhook.exotel.wire import active_streams
from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.call_filter import build_filter
from switchhook.exotel.wire.calls import CallRecord, parse_call, parse_page
from switchhook.exotel.wire.connect import FORM, build_connect
from switchhook.exotel.wire.number_metadata import parse_metadata
from switchhook.exotel.wire.rest_error import parse_error
from switchhook.exotel.wire.whitelist import parse_whitelist

if TYPE_CHECKING:
    import httpx2

    from switchhook.exotel.clock import Clock
    from switchhook.exotel.wire.call_filter import CallFilter
    from switchhook.exotel.wire.connect import ConnectRequest

TIMEOUT_S = 10.0
"""For a whole question, from connecting to the last byte of the answer."""
CONNECT_TIMEOUT_S = 35.0
"""For a call to be made: Exotel tries its routes for up to 30 s (exotel-platform E.2)."""
DETAILS_RESERVE = 3
"""Questions that fetching details leaves in the bucket: polls matter more."""
DIALLING_RESERVE = DETAILS_RESERVE + 1
"""Questions that dialling leaves in it: what becomes of the calls that there are matters more."""

_CALL_SID = re.compile("[0-9A-Za-z_-]{1,64}")


class Detailed(msgspec.Struct, frozen=True):
    """The answer to a question for a call's details; `body` is the answer as it came.

    `missing` is Exotel's own word that the account has no such call.
    """

    outcome: Outcome
    record: CallRecord | None = None
    body: bytes = b""
    problem: str = ""
    missing: bool = False


class ExotelClient:
    """One account's API at `url`, which has no slash at its end; used on one event loop.

    All questions share one budget of `per_minute`. `transport` is for tests.
    """

    def __init__(
        self,
        *,
        url: str,
        sid: str,
        key: str,
        token: str,
        per_minute: int,
        clock: Clock,
        timeout_s: float = TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._sid, self._clock = sid, clock
        self._connect_timeout_s = connect_timeout_s
        self._base = f"{url}/v1/Accounts/{sid}"
        self._bucket: Bucket = full_bucket(rate_of(per_minute), clock.mono_ms())
        self._http = ExotelHttp(
            url=url, key=key, token=token, clock=clock, timeout_s=timeout_s, transport=transport
        )

    async def active_streams(self) -> Polled:
        """Ask for the streams in use and allowed; what went wrong is in the answer."""
        answer = await self._ask("/ActiveStreams", reserve=0)
        if answer.outcome is not Outcome.READ:
            return Polled(
                answer.outcome, problem=answer.problem, retry_after_s=answer.retry_after_s
            )
        found = active_streams.parse(answer.body)
        if isinstance(found, UnreadableAnswer):
            error = parse_error(answer.body)
            said = f"a refusal: {error.message}" if error else found.problem
            return Polled(Outcome.UNREADABLE, problem=self._answered(said))
        if found.account_sid not in (None, self._sid):
            problem = f"{self._http.host} answered for another account than {self._sid}"
            return Polled(Outcome.UNREADABLE, problem=problem)
        return Polled(Outcome.READ, found.active, found.allowed)

    async def call_details(self, call_sid: str) -> Detailed:
        """Ask for a call's details; what went wrong is in the answer."""
        if not _CALL_SID.fullmatch(call_sid):
            return Detailed(Outcome.REFUSED, problem="no CallSid that can be asked for")
        answer = await self._ask(f"/Calls/{call_sid}.json?details=true", reserve=DETAILS_RESERVE)
        if answer.outcome is not Outcome.READ:
            # A 404 of a proxy, or of another program at this address, says nothing of the call.
            missing = answer.status == HTTPStatus.NOT_FOUND and parse_error(answer.body) is not None
            return Detailed(answer.outcome, problem=answer.problem, missing=missing)
        record = parse_call(answer.body)
        if isinstance(record, UnreadableAnswer):
            return Detailed(Outcome.UNREADABLE, problem=self._answered(record.problem))
        if record.sid != call_sid:
            return Detailed(Outcome.UNREADABLE, problem=self._answered("with another call"))
        if self._http.holds_credentials(answer.body):
            problem = self._answered("with our credentials in it")
            return Detailed(Outcome.UNREADABLE, problem=problem)
        return Detailed(Outcome.READ, record, answer.body)

    async def list_calls(self, wanted: CallFilter) -> Listed:
        """Ask for the first page of a list of calls; what went wrong is in the answer."""
        query = build_filter(wanted).decode()
        answer = await self._ask(
            f"/Calls.json?{query}", reserve=DETAILS_RESERVE, largest=LARGEST_LIST
        )
        if answer.outcome is not Outcome.READ:
            return Listed(
                answer.outcome, problem=answer.problem, retry_after_s=answer.retry_after_s
            )
        page = parse_page(answer.body)
        if isinstance(page, UnreadableAnswer):
            return Listed(Outcome.UNREADABLE, problem=self._answered(page.problem))
        others = {each.account_sid for each in page.records} - {"", self._sid}
        if others:
            return Listed(Outcome.UNREADABLE, problem=self._answered("for another account"))
        return Listed(Outcome.READ, page.records, more=len(page.records) >= wanted.page_size)

    async def whitelist(self, number: str) -> Whitelisted:
        """Ask how a number in E.164 stands on Exotel's whitelist."""
        answer = await self._ask(f"/CustomerWhitelist/{_in_path(number)}", reserve=DETAILS_RESERVE)
        if answer.outcome is not Outcome.READ:
            return Whitelisted(
                answer.outcome, problem=answer.problem, retry_after_s=answer.retry_after_s
            )
        entry = parse_whitelist(answer.body)
        if isinstance(entry, UnreadableAnswer):
            return Whitelisted(Outcome.UNREADABLE, problem=self._answered(entry.problem))
        return Whitelisted(Outcome.READ, entry)

    async def number_metadata(self, number: str) -> NumberTold:
        """Ask what Exotel knows of a number in E.164."""
        answer = await self._ask(f"/Numbers/{_in_path(number)}.json", reserve=DETAILS_RESERVE)
        if answer.outcome is not Outcome.READ:
            return NumberTold(
                answer.outcome, problem=answer.problem, retry_after_s=answer.retry_after_s
            )
        metadata = parse_metadata(answer.body)
        if isinstance(metadata, UnreadableAnswer):
            return NumberTold(Outcome.UNREADABLE, problem=self._answered(metadata.problem))
        return NumberTold(Outcome.READ, metadata)

    # Calling.

    async def turn(self, *, reserve: int = DIALLING_RESERVE) -> None:
        """Wait for one question of the budget, for `connect`; `reserve` is left to others.

        It is taken before anything is kept of the attempt, so that nothing waits afterwards.
        """
        while True:
            self._bucket, wait_ms = take(self._bucket, self._clock.mono_ms(), reserve=reserve)
            if not wait_ms:
                return
            await self._clock.sleep(wait_ms / 1000)

    def give_back_turn(self) -> None:
        """Give a turn back that was not used."""
        self._bucket = put_back(self._bucket, self._clock.mono_ms())

    async def connect(self, request: ConnectRequest) -> ConnectAnswer:
        """Ask Exotel to call, once, with a turn taken before; what came of it is in the answer.

        Raises nothing but what cancels it: then nobody knows whether it calls.
        """
        form = build_connect(request, self._sid)
        url = f"{self._base}/Calls/connect.json"
        posted = await self._http.post_once(url, FORM, form, self._connect_timeout_s)
        if not posted.begun:
            return ConnectAnswer(ConnectOutcome.POSTPONED, problem=posted.problem)
        self._heed(posted.status == HTTPStatus.TOO_MANY_REQUESTS, posted.retry_after_s)
        if not posted.status:
            return ConnectAnswer(ConnectOutcome.AMBIGUOUS, problem=posted.problem)
        return judge_answer(
            posted.status,
            posted.body,
            request,
            account_sid=self._sid,
            retry_after_s=posted.retry_after_s,
            hide=self._http.hide,
        )

    async def close(self) -> None:
        """Close its connections; a call that is being made is not broken off."""
        await self._http.close()

    # Within the budget.

    async def _ask(self, path: str, *, reserve: int, largest: int = LARGEST) -> ApiAnswer:
        """Ask for a path once the budget allows it; `reserve` is what is left in it for others."""
        await self.turn(reserve=reserve)
        answer = await self._http.get(f"{self._base}{path}", largest=largest)
        self._heed(answer.outcome is Outcome.LIMITED, answer.retry_after_s)
        return answer

    def _heed(self, limited: bool, retry_after_s: float | None) -> None:
        """Leave Exotel alone for as long as it asked."""
        if limited or retry_after_s:
            wait_s = min(retry_after_s or 1.0, MOST_RETRY_AFTER_S)
            self._bucket = hold(self._bucket, self._clock.mono_ms() + int(wait_s * 1000))

    def _answered(self, said: str) -> str:
        return f"{self._http.host} answered {self._http.quoted(said)}"


def _in_path(number: str) -> str:
    """A number as paths have it: Indian ones with a zero for the country."""
    return quote(in_form(number, NumberForm.TRUNK), safe="")

"""Fetching a recording from Exotel with the account's key, a piece at a time; nothing is kept.

Whatever the other side does ends in a `NoRecording` with a sentence, or in a stream that is bounded
in size and time. No redirect is followed, and Exotel's name is not believed where it leads to a
private address: the connection is made to the address that was looked at.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import httpx2
import msgspec

from switchhook.exotel.recording import (
    BYTES,
    HOST,
    THEIRS,
    ByteRange,
    NoRecording,
    OpenRecording,
    RecordingPlace,
)

TIMEOUT_S = 15.0
"""For an answer to begin, and between two pieces of it."""
LONGEST_S = 300.0
LARGEST = 256 * 1024 * 1024
"""Four hours of sound, the longest call that there is, in a WAV of 8 kHz."""

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Login(msgspec.Struct, frozen=True):
    """The account's API key and token."""

    key: str
    token: str

    def __repr__(self) -> str:
        return "Login(…)"


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


async def open_recording(
    place: RecordingPlace,
    login: Login,
    wanted: ByteRange | None,
    *,
    resolve: Resolve = resolve,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> OpenRecording | NoRecording:
    """Ask for a recording, or a part of it. `transport` and `resolve` are for tests."""
    url, headers, extensions = httpx2.URL(place.url), {"Accept-Encoding": "identity"}, {}
    if place.url.startswith(f"{HOST}/"):
        address = await _address_of(url.host, resolve)
        if isinstance(address, NoRecording):
            return address
        headers["Host"], extensions = url.host, {"sni_hostname": url.host}
        url = url.copy_with(host=address)
    if wanted is not None:
        headers["Range"] = wanted.text
    client = httpx2.AsyncClient(
        auth=httpx2.BasicAuth(login.key, login.token),
        timeout=TIMEOUT_S,
        follow_redirects=False,
        trust_env=False,
        transport=transport,
    )
    try:
        request = client.build_request("GET", url, headers=headers, extensions=extensions)
        async with asyncio.timeout(TIMEOUT_S):
            response = await client.send(request, stream=True)
        found = _opened(client, response, place, wanted)
    except (TimeoutError, httpx2.TimeoutException):
        found = NoRecording(f"Exotel did not answer within {TIMEOUT_S:g} s", 504)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        found = NoRecording("Exotel can't be reached for recordings just now")
    if isinstance(found, NoRecording):
        await client.aclose()
    return found


async def _address_of(host: str, resolve: Resolve) -> str | NoRecording:
    """The address to connect to, once all that the name has are known to be public."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            addresses = await resolve(host, 443)
    except (OSError, TimeoutError):
        return NoRecording("the name of Exotel's recordings can't be looked up")
    if not addresses or not all(map(_is_public, addresses)):
        return NoRecording("Exotel's name leads to a private address, so nothing is fetched")
    return addresses[0]


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False


def _opened(
    client: httpx2.AsyncClient,
    response: httpx2.Response,
    place: RecordingPlace,
    wanted: ByteRange | None,
) -> OpenRecording | NoRecording:
    status = response.status_code
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return _SAYS.get(status, NoRecording(f"Exotel answered {status} for this recording"))
    said = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if said not in THEIRS[place.kind] | BYTES:
        return NoRecording("what Exotel answered is no sound")
    length = _whole(response.headers.get("Content-Length"))
    if length is not None and length > LARGEST:
        return NoRecording(f"it is larger than {LARGEST // 2**20} MiB")
    part = _part(response, wanted)
    if status == HTTPStatus.PARTIAL_CONTENT:
        if part is None:
            return NoRecording("Exotel answered with another part than was asked for")
        return OpenRecording(_pieces(response), client.aclose, part[1] - part[0] + 1, part)
    if wanted is None or length is None:
        return OpenRecording(_pieces(response), client.aclose, length)
    # Exotel sent all of it: the part is cut out here.
    last = min(length - 1 if wanted.last is None else wanted.last, length - 1)
    if wanted.first > last:
        return NoRecording("it is shorter than that", HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
    pieces = _cut(_pieces(response), wanted.first, last)
    span = (wanted.first, last, length)
    return OpenRecording(pieces, client.aclose, last - wanted.first + 1, span)


_SAYS = {
    401: NoRecording("Exotel refuses the account's key and token for recordings"),
    403: NoRecording("Exotel refuses the account this recording"),
    404: NoRecording(
        "Exotel has no such recording: nothing was recorded, it is not there yet (that takes some"
        " minutes after the call), or it was deleted (Exotel keeps them about six months)",
        404,
    ),
    410: NoRecording("Exotel has deleted this recording", 404),
    416: NoRecording("it is shorter than that", 416),
    429: NoRecording("Exotel was asked too often: try again in a minute", 503),
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        NoRecording("Exotel sends elsewhere for this recording, which is not followed"),
    ),
}


def _part(response: httpx2.Response, wanted: ByteRange | None) -> tuple[int, int, int] | None:
    """What a 206 says it is a part of; None where that is not what was asked for."""
    unit, _, said = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = said.partition("/")
    numbers = [_whole(each) for each in (*span.partition("-")[::2], total)]
    first, last, whole = numbers
    if unit != "bytes" or first is None or last is None or whole is None or wanted is None:
        return None
    fits = first == wanted.first <= last < whole <= LARGEST
    return (first, last, whole) if fits else None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


async def _pieces(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The body, as it comes; ends where it is too large or takes too long."""
    sent, ends = 0, asyncio.get_running_loop().time() + LONGEST_S
    pieces = response.aiter_raw().__aiter__()
    while True:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                piece = await anext(pieces)
        except (StopAsyncIteration, TimeoutError, httpx2.HTTPError):
            return
        sent += len(piece)
        if sent > LARGEST or asyncio.get_running_loop().time() > ends:
            return
        yield piece


async def _cut(pieces: AsyncIterator[bytes], first: int, last: int) -> AsyncIterator[bytes]:
    """The bytes from `first` to `last` of what comes."""
    at = 0
    async for piece in pieces:
        begin, end = max(first - at, 0), min(last + 1 - at, len(piece))
        at += len(piece)
        if begin < end:
            yield piece[begin:end]
        if at > last:
            return

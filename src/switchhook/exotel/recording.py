"""Where a recording may be fetched from: what a RecordingUrl says, within what Exotel documents.

The address came with a request, so anybody who knows an applet's URL could have written it. Of it
only the path is used, and only below Exotel's folder of recordings; the host is ours to choose.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

HOST = "https://recordings.exotel.com"
"""Where Exotel keeps recordings (exotel-platform B.1, E.6)."""
API_HOSTS = frozenset({"api.exotel.com", "api.in.exotel.com"})
"""Of an account that is asked elsewhere, as of the emulator, recordings are there too."""
MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}
"""What we call a recording by the ending of its name."""
THEIRS: Mapping[str, frozenset[str]] = {
    "mp3": frozenset({"audio/mpeg", "audio/mp3", "audio/x-mpeg", "audio/mpeg3"}),
    "wav": frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"}),
}
"""What Exotel may call one; a bare stream of bytes is one too."""
BYTES = frozenset({"application/octet-stream", "binary/octet-stream"})

_PATH = re.compile(r"/exotelrecordings(?:/[A-Za-z0-9_-]{1,80}){1,4}\.(mp3|wav)")
_RANGE = re.compile(r"bytes=([0-9]{1,12})-([0-9]{0,12})")


class RecordingPlace(msgspec.Struct, frozen=True):
    """A recording's address, and its kind by its ending."""

    url: str
    kind: str


def place_of(recording_url: str, api_url: str) -> RecordingPlace | str:
    """Where to fetch a recording, or why not, in a sentence's part.

    `api_url` is where the account's API is asked.
    """
    base = _base(api_url)
    try:
        parts = urlsplit(recording_url.strip())
        port = parts.port
    except ValueError:
        return "its address can't be read"
    host = f"{parts.scheme}://{parts.hostname or ''}{f':{port}' if port else ''}".lower()
    if parts.username is not None or host not in (HOST, f"{HOST}:443", base):
        return "its address is none of Exotel's, so it is not fetched"
    found = _PATH.fullmatch(parts.path)
    if found is None or parts.query or parts.fragment:
        return "its address is none of a recording at Exotel, so it is not fetched"
    return RecordingPlace(f"{base}{parts.path}", found[1])


def _base(api_url: str) -> str:
    parts = urlsplit(api_url)
    if (parts.hostname or "") in API_HOSTS:
        return HOST
    return f"{parts.scheme}://{parts.netloc}".lower()


class ByteRange(msgspec.Struct, frozen=True):
    """From `first` on, to `last` with it; None is to the end."""

    first: int
    last: int | None = None

    @property
    def text(self) -> str:
        return f"bytes={self.first}-{'' if self.last is None else self.last}"


def read_range(header: str | None) -> ByteRange | None:
    """The one range that a player asks for; None where it asks for all, or for what we don't do."""
    found = _RANGE.fullmatch((header or "").strip())
    if found is None:
        return None
    first, last = int(found[1]), int(found[2]) if found[2] else None
    return None if last is not None and last < first else ByteRange(first, last)


class NoRecording(msgspec.Struct, frozen=True):
    """Why there is nothing to hear, in a sentence, and the status to answer."""

    problem: str
    status: int = 502


class OpenRecording(msgspec.Struct):
    """A recording that is being sent: of `total` bytes those from `first` to `last`.

    None is not known. `close` it, whatever happens.
    """

    pieces: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]
    length: int | None
    range: tuple[int, int, int] | None = None

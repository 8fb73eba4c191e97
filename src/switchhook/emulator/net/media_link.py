"""One media connection to a bot: what it is to both sides, and how much it bears."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_MESSAGE = 1024 * 1024
"""Bytes of a message of the bot's; a longer one closes the link with 1009."""

LONGEST_BACKLOG = 4 * 1024 * 1024
"""Bytes that may wait for a bot that doesn't read: 40 seconds of audio and more. Then it is cut
off, so that it costs the other calls no memory."""

READS_NOTHING = f"the bot reads nothing: over {LONGEST_BACKLOG // 1024 // 1024} MB waited for it"
"""Why a bot was cut off, as its listener is told."""

NO_CODE, ABNORMAL = 1005, 1006
PROTOCOL_ERROR, TOO_BIG, INTERNAL = 1002, 1009, 1011
"""Close codes (RFC 6455, 7.4.1)."""


class Listener(Protocol):
    """Who hears what comes over a link."""

    def on_text(self, text: bytes) -> None:
        """A whole text message."""

    def on_binary(self, size: int) -> None:
        """A binary message of `size` bytes, which the protocol does not know."""

    def on_closed(self, code: int, reason: str) -> None:
        """The end, exactly once; 1006 where no close frame came, 1005 for one without a code."""


class MediaLink(Protocol):
    """An open connection."""

    @property
    def backlog(self) -> int:
        """Bytes sent that wait in this process, as the bot doesn't take them."""

    def send(self, text: bytes) -> None:
        """Send a text message; never waits, and does nothing once closed."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; the listener hears of the end."""


class Dial(Protocol):
    """Opens links."""

    async def __call__(
        self, url: str, listener: Listener, *, headers: Sequence[tuple[str, str]], limit_s: float
    ) -> MediaLink:
        """Connect within `limit_s`, TCP, TLS and upgrade together (exotel-platform G-18).

        Raises NetError where that fails, and RefusedError for an address not to be dialled.
        """

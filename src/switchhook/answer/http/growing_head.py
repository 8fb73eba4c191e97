"""Takes a head off the wire that does not come in one piece.

No I/O and no clock here.
"""

from __future__ import annotations

HEAD_END = b"\r\n\r\n"


def is_text(first: int) -> bool:
    """Whether a request can begin with this byte: of ASCII, or of UTF-8 beyond it."""
    return 32 < first < 127 or 0xC2 <= first <= 0xF4


class GrowingHead:
    """A head of up to `most` bytes. `problem` says why nothing more is wanted of it."""

    __slots__ = ("_most", "_scanned", "problem", "received")

    def __init__(self, most: int) -> None:
        self.received = bytearray()
        self.problem: str | None = None
        self._most = most
        self._scanned = 0

    def feed(self, data: bytes) -> int:
        """Take what arrived; where the empty line is that ends the head, -1 when more must come.

        Each byte is copied once and looked at once.
        """
        received = self.received
        received += data
        end = received.find(HEAD_END, max(0, self._scanned - 3), self._most)
        self._scanned = len(received)
        if end >= 0:
            return end
        if not received:
            self.problem = "empty lines only"
        elif not is_text(received[0]):
            # Another protocol, TLS as a rule, whose client would wait for us in vain.
            self.problem = "TLS on a plain port" if received[0] == 0x16 else "not HTTP"
        elif len(received) >= self._most:
            self.problem = "head too large"
        elif received.endswith(b"\n\n"):
            self.problem = "lines end with bare line feeds"
        return -1

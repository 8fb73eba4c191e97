"""Webhooks: one POST to somebody who asked to be told, and whether they took it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.net.addresses import RefusedError
from switchhook.errors import SwitchhookError

if TYPE_CHECKING:
    from switchhook.emulator.net.http_client import Web


class Post(msgspec.Struct, frozen=True):
    """What is sent, where to, and how long the answer may take."""

    url: str
    content_type: str
    body: bytes
    limit_s: float


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """How it went; no status where no answer came, for the reason that `problem` names.

    `refused` is for an address that must not be dialled: to try again is no use.
    """

    status: int | None = None
    problem: str = ""
    refused: bool = False

    @property
    def taken(self) -> bool:
        """Whether it counts as delivered: a redirect doesn't (exotel-platform E.3)."""
        return self.status is not None and 200 <= self.status < 300


async def post(web: Web, letter: Post) -> Posted:
    """Send it once."""
    try:
        reply = await web.send(
            "POST",
            letter.url,
            headers=[("Content-Type", letter.content_type)],
            body=letter.body,
            limit_s=letter.limit_s,
        )
    except RefusedError as error:
        return Posted(problem=str(error), refused=True)
    except SwitchhookError as error:
        return Posted(problem=str(error))
    return Posted(status=reply.status)

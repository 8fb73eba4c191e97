"""An open console's door: whoever has used its link is let in, and programs show the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import cookie_parser

from switchhook.system.local_keys import OPEN, link_cookie, link_proof, link_token
from switchhook.web.sign_in.request_origin import values_of
from switchhook.web.sign_in.tokens import same

if TYPE_CHECKING:
    from starlette.responses import Response


_HOUR_S = 3_600


class LocalDoor:
    """Knows the link; `key` is the data folder's."""

    def __init__(self, key: bytes) -> None:
        self._token, self._proof = link_token(key), link_proof(key)
        self._cookie = link_cookie(key)

    @property
    def path(self) -> str:
        """The link, below the console's address."""
        return f"{OPEN}{self._token}"

    def opens(self, token: str) -> bool:
        """Whether this is the link's token."""
        return same(token, self._token)

    def knows(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a browser has used the link."""
        said = values_of(headers, b"cookie")
        return any(same(cookie_parser(each).get(self._cookie, ""), self._proof) for each in said)

    def remember(self, response: Response, hours: float) -> None:
        """Have the browser show that it has used the link."""
        response.set_cookie(
            self._cookie,
            self._proof,
            max_age=int(hours * _HOUR_S),
            httponly=True,
            samesite="strict",
        )

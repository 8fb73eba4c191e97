"""The files that pages are made of, from the package: under names that change with their content.

A page asks for `/static/console.<hash>.css`, which a browser may keep for ever; the plain name
`/static/console.css` works too, with an ETag.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

    from starlette.requests import Request

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True):
    """One file: its name below `static`, the name with its hash in it, its type and bytes."""

    name: str
    hashed: str
    type: str
    content: bytes

    @property
    def etag(self) -> str:
        return f'"{self.hashed}"'


class Assets:
    """All of them, read once. A file that was not built in (`vendor/`) is just not there."""

    def __init__(self, folder: Traversable | None = None) -> None:
        found = list(_read(folder or files("switchhook.web").joinpath("static"), ""))
        self._by_name = {each.name: each for each in found}
        self._by_any = self._by_name | {each.hashed: each for each in found}

    def address(self, name: str) -> str:
        """Where a page finds a file."""
        asset = self._by_name.get(name)
        return f"/static/{asset.hashed if asset is not None else name}"

    def routes(self) -> list[BaseRoute]:
        """`/static/…`; it needs no session."""
        return [Route("/static/{name:path}", self._serve, methods=["GET"])]

    async def _serve(self, request: Request) -> Response:
        name = request.path_params["name"]
        asset = self._by_any.get(name)
        if asset is None:
            return PlainTextResponse("there is no such file\n", 404)
        headers = {
            "Cache-Control": FOR_EVER if name == asset.hashed else "no-cache",
            "ETag": asset.etag,
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, headers=headers, media_type=asset.type)


def _read(folder: Traversable, before: str) -> Iterator[Asset]:
    for entry in folder.iterdir():
        name = before + entry.name
        path = PurePosixPath(name)
        if entry.is_dir():
            yield from _read(entry, f"{name}/")
        elif path.suffix in TYPES:
            content = entry.read_bytes()
            stamp = hashlib.sha256(content).hexdigest()[:12]
            hashed = str(path.with_name(f"{path.stem}.{stamp}{path.suffix}"))
            yield Asset(name, hashed, TYPES[path.suffix], content)

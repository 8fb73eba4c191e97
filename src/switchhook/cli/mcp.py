"""`switchhook mcp`: lets an operator's assistant ask the console, by the Model Context Protocol."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from switchhook.client import Client
from switchhook.errors import ConfigError
from switchhook.server.release import release

TOKEN, URL = "SWITCHHOOK_TOKEN", "SWITCHHOOK_URL"
_URL = "http://127.0.0.1:8081"


def mcp(
    *,
    url: Annotated[
        str | None, Parameter(help="The console's address; else SWITCHHOOK_URL.")
    ] = None,
    token_file: Annotated[
        str | None, Parameter(help="A file with an API token; else SWITCHHOOK_TOKEN holds it.")
    ] = None,
) -> int:
    """Answer an assistant on standard input and output: read-only, masked, bounded.

    It speaks the Model Context Protocol, and asks the console's API with a token of scope read:
    `switchhook tokens make NAME`. Texts of callers come back marked as data. The console is at
    http://127.0.0.1:8081 if nothing says otherwise.
    """
    token = _token(token_file)
    try:
        from switchhook.assistant.server import make_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        hint = "pip install 'switchhook[mcp]'"
        raise ConfigError("the package mcp is not installed", hint=hint) from None
    with Client(url or os.environ.get(URL) or _URL, token) as client:
        make_server(client, release()).run("stdio")
    return 0


def _token(file: str | None) -> str:
    said = os.environ.get(TOKEN, "") if file is None else Path(file).read_text(encoding="utf-8")
    token = said.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        where = TOKEN if file is None else file
        problem = "there is no token" if not token else "that is no token"
        hint = "switchhook tokens make NAME prints one"
        raise ConfigError(problem, key=where, hint=hint)
    return token

"""How the measuring programs are let in to a console that nobody has an account of."""

from __future__ import annotations

import os
from pathlib import Path

from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import link_cookie, link_proof

_NAME = "SWITCHHOOK_BENCH_COOKIE"


def let_in(data: Path) -> None:
    """Let this process, and those that it starts, in to the console of a data folder."""
    key = read_identity(data).key
    os.environ[_NAME] = f"{link_cookie(key)}={link_proof(key)}"


def cookie() -> dict[str, str]:
    """The header that lets in."""
    return {"Cookie": os.environ[_NAME]}

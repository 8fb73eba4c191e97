"""The socket in the data folder on which the shipper says what is kept twice."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

from switchhook.errors import DataFolderError
from switchhook.system.hand_over_socket import SOCKET_NAME, address_in
from switchhook.system.supervised import LOCK_WAIT_S

if TYPE_CHECKING:
    from pathlib import Path

_PAUSE_S = 0.05


def listening_in(
    folder: Path, fd: int | None = None, *, wait_s: float = LOCK_WAIT_S
) -> socket.socket:
    """A listening socket: the one that was handed over, or a new one under its name.

    What an earlier process left there is replaced; one that still listens is waited for, and raises
    DataFolderError. Raises OSError.
    """
    if fd is not None:
        return socket.socket(fileno=fd)
    aside = f".{SOCKET_NAME}.{os.getpid()}"
    sock = socket.socket(socket.AF_UNIX)
    try:
        # It gets its name once it listens: so what does not answer there is nobody's any more.
        with address_in(folder, aside) as address:
            sock.bind(address)
        (folder / aside).chmod(0o600)
        sock.listen()
        _wait_for_the_other(folder, time.monotonic() + wait_s)
        (folder / aside).replace(folder / SOCKET_NAME)
    except BaseException:
        sock.close()
        (folder / aside).unlink(missing_ok=True)
        raise
    return sock


def remove_socket(folder: Path) -> None:
    """Remove it, unless somebody else listens there by now."""
    if not _answers(folder):
        with contextlib.suppress(OSError):
            (folder / SOCKET_NAME).unlink()


def _wait_for_the_other(folder: Path, until: float) -> None:
    while _answers(folder):
        if time.monotonic() >= until:
            problem = f"another process listens on its {SOCKET_NAME}"
            raise DataFolderError(str(folder), problem, "stop that one: lsof names it")
        time.sleep(_PAUSE_S)


def _answers(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asks, address_in(folder) as address:
        asks.settimeout(1.0)
        try:
            asks.connect(address)
        except OSError:
            return False
    return True

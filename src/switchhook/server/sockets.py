"""The listening sockets: made here, handed over by the supervisor, or opened by systemd."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import TYPE_CHECKING

from switchhook.config.files import words
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from switchhook.config.basics import ListenAddress


def listening(
    host: str, port: int, fd: int | None = None, *, at_once: bool = True
) -> socket.socket:
    """A bound TCP socket: the one that was handed over, or a new one.

    A new one listens `at_once`, so that who comes waits in its queue; else whoever comes is refused
    until a server begins on it. Raises ConfigError for an address that can't be had.
    """
    if fd is not None:
        return socket.socket(fileno=fd)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        if at_once:
            sock.listen(4096)
    except OSError as error:
        sock.close()
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        hint = _MEND.get(error.errno or 0, "say another by --answer or --console")
        raise ConfigError(
            f"it can't be listened on: {words(error)}", key=place, hint=hint
        ) from None
    return sock


_MEND = {
    errno.EADDRINUSE: "stop what listens there (ss -ltnp names it), or say another by --answer or"
    " --console; port 0 takes a free one",
    errno.EADDRNOTAVAIL: "it is no address of this machine: 127.0.0.1, or 0.0.0.0 for all",
    errno.EACCES: "ports below 1024 are root's: let a proxy listen there, and lead to this one",
}
_FIRST_SYSTEMD_FD = 3  # sd_listen_fds(3)


def inherited(*sides: tuple[str, ListenAddress]) -> dict[str, socket.socket]:
    """Sockets that systemd opened for us, by their FileDescriptorName.

    What may answer without a secret is decided by the configured address, so a socket that listens
    where the configuration says otherwise raises ConfigError.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(os.environ.get("LISTEN_FDS", "0"))
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    numbers = range(_FIRST_SYSTEMD_FD, _FIRST_SYSTEMD_FD + count)
    sockets = {
        name: socket.socket(fileno=number) for name, number in zip(names, numbers, strict=False)
    }
    for name, listen in sides:
        if name in sockets:
            _check_place(name, sockets[name], listen)
    return sockets


def _check_place(name: str, sock: socket.socket, listen: ListenAddress) -> None:
    place = sock.getsockname()
    loopback = isinstance(place, tuple) and ipaddress.ip_address(place[0]).is_loopback
    if listen.loopback and not loopback:
        where = url_of(sock).removeprefix("http://") if isinstance(place, tuple) else repr(place)
        raise ConfigError(
            f"the socket from systemd listens on {where}, but the configuration says {listen}",
            key=f"{name}.listen",
            hint="make ListenStream= and the configuration the same",
        )


def url_of(sock: socket.socket) -> str:
    """Where a socket listens, as a URL."""
    host, port, *_ = sock.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

"""A way to a server that a test breaks, after so many bytes there or back, or freezes."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple


class Cut(NamedTuple):
    """How many bytes of a connection still arrive, each way; None is all."""

    there: int | None = None
    back: int | None = None


class CuttingProxy:
    """Leads to a server on a free port of this machine; `cuts` are those of the next connections.

    Without any left connections last until `cut_all`. `away` refuses all who come. From `freeze` to
    `thaw` nothing goes either way, and whoever comes is kept waiting, as at a server that hangs.
    """

    def __init__(self, host: str, port: int, cuts: Iterable[Cut] = ()) -> None:
        self._server = (host, port)
        self._cuts = iter(cuts)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.away = False
        self.connections = 0
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """The same database by this way. `url` is any that libpq takes."""
        import psycopg
        from sqlalchemy import URL

        known = psycopg.conninfo.conninfo_to_dict(url)
        options = {name: str(known[name]) for name in ("options",) if name in known}
        user, password, name = (known.get(key) for key in ("user", "password", "dbname"))
        made = URL.create(
            "postgresql",
            str(user),
            None if password is None else str(password),
            "127.0.0.1",
            self.port,
            str(name),
            query={**options, "sslmode": "disable", "gssencmode": "disable"},
        )
        return made.render_as_string(hide_password=False)

    def freeze(self) -> None:
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def cut_all(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who accepts
        self._listener.close()
        self.cut_all()
        self.thaw()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.away:
                client.close()
                continue
            self.connections += 1
            cut = next(self._cuts, Cut())
            threading.Thread(target=self._carry, args=(client, cut), daemon=True).start()

    def _carry(self, client: socket.socket, cut: Cut) -> None:
        family = socket.AF_UNIX if self._server[0].startswith("/") else socket.AF_INET
        self._flows.wait()
        with client, socket.socket(family) as server:
            place = f"{self._server[0]}/.s.PGSQL.{self._server[1]}"
            server.connect(place if family == socket.AF_UNIX else self._server)
            with self._lock:
                self._open |= {client, server}
            left = {client: cut.there, server: cut.back}
            other = {client: server, server: client}
            with suppress(OSError):
                while all(each is None or each > 0 for each in left.values()):
                    for one in select.select([client, server], [], [])[0]:
                        data = one.recv(min(65_536, left[one] or 65_536))
                        if not data:
                            return
                        self._flows.wait()
                        other[one].sendall(data)
                        if (budget := left[one]) is not None:
                            left[one] = budget - len(data)
            with self._lock:
                self._open -= {client, server}


@contextmanager
def proxy_to(url: str, cuts: Iterable[Cut] = ()) -> Iterator[CuttingProxy]:
    """One to the server of a URL."""
    import psycopg

    known = psycopg.conninfo.conninfo_to_dict(url)
    proxy = CuttingProxy(str(known["host"]), int(known.get("port") or 5432), cuts)
    try:
        yield proxy
    finally:
        proxy.close()

"""A webhook on this machine, as somebody's chat or monitor would be."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from patience import PATIENCE_S


class Got(NamedTuple):
    path: str
    body: dict[str, object]
    id: str
    """What it says to be told from others by, and to be known again by."""


class Receiver:
    """Takes what comes; `status` is what it answers, once `gate` is open."""

    def __init__(self, status: int = 200, body: bytes = b"{}") -> None:
        self.status, self.body = status, body
        self.gate = threading.Event()
        self.gate.set()
        self.got: list[Got] = []
        self.came = threading.Condition()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait(self, count: int, timeout_s: float = PATIENCE_S) -> list[Got]:
        """What has come once there are so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, timeout_s), self.got
            return list(self.got)


@contextmanager
def receiving(
    status: int = 200, body: bytes = b"{}", host: str = "127.0.0.1"
) -> Iterator[Receiver]:
    receiver = Receiver(status, body)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            self._take(json.loads(self.rfile.read(length) or b"{}"))

        def do_GET(self) -> None:
            self._take({})

        def _take(self, body: dict[str, object]) -> None:
            with receiver.came:
                receiver.got.append(Got(self.path, body, self.headers.get("Webhook-Id", "")))
                receiver.came.notify_all()
            receiver.gate.wait()
            with suppress(OSError):  # whoever sent it may be gone by now
                self.send_response(receiver.status)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((host, 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()

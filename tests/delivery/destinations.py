"""Destinations on this machine that take what comes, or are slow, busy, hang or die."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager

import httpx2

from switchhook.delivery.delivery import SendResult

LIMIT_S = 60
"""So long may a wait take on a machine that is busy."""
HANG, DIE = "hang", "die"
"""Answers nothing until `let_go`; goes away in the middle of its answer."""


class Destination:
    """Takes what comes; `answers` are what it answers next, each a status, HANG or DIE."""

    def __init__(self, port=0):
        self.got: list[str] = []
        self.answers: list[int | str] = []
        self.retry_after = ""
        self.came, self.gate = threading.Condition(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def _handler(destination):  # noqa: N805 - `self` is the handler's
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                with destination.came:
                    destination.got.append(self.headers["Idempotency-Key"])
                    answer = destination.answers.pop(0) if destination.answers else 200
                    destination.came.notify_all()
                if answer == DIE:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
                    self.close_connection = True
                    return
                if answer == HANG:
                    destination.gate.wait(2 * LIMIT_S)
                    answer = 200
                self.send_response(int(answer))
                if destination.retry_after and answer == 429:
                    self.send_header("Retry-After", destination.retry_after)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format, *args):
                pass

        return Handler

    def wait(self, count):
        """The keys of what has come once there are so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, LIMIT_S), self.got
            return list(self.got)

    def let_go(self):
        self.gate.set()


@contextmanager
def serving(port=0):
    destination = Destination(port)
    thread = threading.Thread(
        target=destination.server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield destination
    finally:
        destination.let_go()
        destination.server.shutdown()
        thread.join()
        destination.server.server_close()


def posting(addresses):
    """A `send` by HTTP, as a webhook's would be."""

    def send(delivery):
        headers = {"Idempotency-Key": delivery.key}
        try:
            with httpx2.Client(trust_env=False, timeout=3 * LIMIT_S) as client:
                answer = client.post(
                    addresses[delivery.destination], content=delivery.payload, headers=headers
                )
        except httpx2.TransportError as error:
            return SendResult(type(error).__name__)
        if answer.is_success:
            return SendResult()
        said = answer.headers.get("Retry-After")
        return SendResult(f"it answered {answer.status_code}", float(said) if said else None)

    return send

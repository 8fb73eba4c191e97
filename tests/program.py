"""The real program, started as a user starts it, on free ports and in a folder of its own."""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch
from urllib.parse import quote

from patience import PATIENCE_S
from switchhook.cli import run
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import endpoint_secret, link_cookie, link_proof, link_token

T = TypeVar("T")


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Program:
    """A `switchhook`; `urls` has what it printed by name once it is ready: the addresses
    `answer` and `console`, of `serve` also the paths `config` and `data`.

    `python` is the interpreter that has it, `cwd` where it is started. `answer_port` and
    `console_port` are for those who have to be told of them before.
    """

    def __init__(
        self,
        command: str,
        data: Path,
        *options: str,
        python: str = sys.executable,
        cwd: Path | None = None,
        answer_port: int = 0,
        console_port: int = 0,
    ) -> None:
        self.data = data
        words = [python, "-m", "switchhook", command, "--data", str(data), *options]
        self._sides = ("answer", "console") if command == "serve" else (command,)
        ports = {"answer": answer_port, "console": console_port}
        for side in self._sides:
            words += [f"--{side}", f"127.0.0.1:{ports.get(side, 0)}"]
        self.log: list[str] = []
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
        )
        self._printed: queue.Queue[str | None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._follow, args=each, daemon=True)
            for each in (
                (self.process.stdout, self._printed.put),
                (self.process.stderr, self.log.append),
            )
        ]
        for thread in self._threads:
            thread.start()
        self.urls: dict[str, str] = {}

    def wait_until_ready(self) -> None:
        """Read where it listens."""
        while not self.urls.keys() >= {*self._sides}:
            line = self._printed.get(timeout=PATIENCE_S)
            assert line is not None, f"it ended with {self.process.wait()}: {self.said}"
            name, _, where = line.strip().partition(" ")
            self.urls[name] = where

    @staticmethod
    def _follow(pipe: Any, tell: Callable[[str | None], None]) -> None:
        for line in pipe:
            tell(line)
        tell(None if tell.__name__ == "put" else "")

    @property
    def said(self) -> str:
        """What it logged; all of it, once it has ended."""
        if self.process.poll() is not None:
            self._threads[1].join(PATIENCE_S)
        return "".join(self.log)

    def address(self, side: str) -> tuple[str, int]:
        host, _, port = self.urls[side].removeprefix("http://").rpartition(":")
        return host, int(port)

    @property
    def passthru(self) -> str:
        """The path of the endpoint `default`, which has no secret of its own."""
        return f"/passthru/default/{endpoint_secret(read_identity(self.data).key, 'default')}"

    @property
    def by_link(self) -> dict[str, str]:
        """The headers that open a console without accounts: to programs, and to browsers."""
        key = read_identity(self.data).key
        cookie = f"{link_cookie(key)}={link_proof(key)}"
        return {"Authorization": f"Bearer {link_token(key)}", "Cookie": cookie}

    def ask(self, query: str | bytes = b"", path: str | None = None, **more: Any) -> Reply:
        """A request on the answer side; the query goes out as it stands."""
        raw = query.encode() if isinstance(query, str) else query
        target = (path or self.passthru).encode() + (b"?" + raw if raw else b"")
        return http(self.address("answer"), target, **more)

    def api(self, path: str, **filters: object) -> Any:
        """What the console's API says."""
        query = "&".join(f"{key}={quote(str(value))}" for key, value in filters.items())
        target = f"/api/v1/{path}" + (f"?{query}" if query else "")
        reply = http(self.address("console"), target.encode(), headers=self.by_link)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def receipts(self, **filters: object) -> list[dict[str, Any]]:
        """Every receipt, newest first, over as many pages as it takes."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, object] = {}
        while True:
            page = self.api("receipts", limit=1000, **filters, **cursor)
            found += page["receipts"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    def health(self, side: str = "answer") -> dict[str, Any]:
        headers = self.by_link if side == "console" else None
        said: dict[str, Any] = json.loads(
            http(self.address(side), b"/healthz", headers=headers).body
        )
        return said

    def children(self) -> dict[str, int]:
        """The process numbers of the supervised programs, by name."""
        found = {}
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for pid in children.read_text().split():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since it was listed
            for side in ("answer", "console", "shipper"):
                if side.encode() in [word.rpartition(b".")[2] for word in words[:4]]:
                    found[side] = int(pid)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and give its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return code


@contextmanager
def running(
    data: Path, *options: str, command: str = "serve", ready: bool = True, **more: Any
) -> Iterator[Program]:
    """A program that has ended when the block does; with `ready` its start is waited for."""
    program = Program(command, data, *options, **more)
    try:
        if ready:
            program.wait_until_ready()
        yield program
    finally:
        program.process.kill() if program.process.poll() is None else None
        program.stop()


class Done(NamedTuple):
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str


def command(*words: str, typed: str = "", code: int | None = 0) -> Done:
    """A command of ours in a pipe, with `typed` at its input; None takes any exit code.

    It is run in this process, beside the program's own: to start another would take longer than
    all that it does.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", io.StringIO(typed)):
        done = Done(run(words), out.getvalue(), err.getvalue())
    assert code is None or done.code == code, done
    return done


def http(
    address: tuple[str, int],
    target: bytes,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    source: str = "",
) -> Reply:
    """One request on a connection of its own, its target written as it stands."""
    whence = (source, 0) if source else None
    with socket.create_connection(address, PATIENCE_S, whence) as sock:
        sock.sendall(request(target, f"{address[0]}:{address[1]}", method, headers or {}, body))
        return read_reply(sock, method)


def request(
    target: bytes, host: str, method: str = "GET", headers: Any = None, body: bytes = b""
) -> bytes:
    """The bytes of a request."""
    lines = {"Host": host, **(headers or {})}
    if body:
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return method.encode() + b" " + target + b" HTTP/1.1\r\n" + head.encode() + b"\r\n" + body


def read_reply(sock: socket.socket, method: str = "GET") -> Reply:
    """The next reply on a connection. Raises ConnectionError where it ends before."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    length = 0 if method == "HEAD" else int(headers["content-length"])
    while len(body) < length:
        body += _more(sock)
    return Reply(int(first.split()[1]), headers, body)


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("closed before the reply was whole")
    return data


def until(condition: Callable[[], T | None], what: str) -> T:
    """Wait for something to become true, and give it."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"

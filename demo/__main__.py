"""The demo: the server, real requests played into it, and a live tail of what it made of them.

`make demo` runs it. On a terminal the server stays up afterwards, to be tried by hand, until
Ctrl-C; in a pipe it ends with the last request.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console

CASES = Path(__file__).parents[1] / "tests/wire/cases/passthru.jsonl"
DATA = Path("demo-data")
SWITCHHOOK = ".venv/bin/switchhook"
TAIL_S = 0.3
"""Time for the tail to show the last receipt before more is printed."""

out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="a new data folder")
    parser.add_argument("--pace", type=float, default=0.8, help="seconds between two requests")
    given = parser.parse_args()
    play(given.data, given.pace)
    return 0


def play(data: Path, pace_s: float) -> None:
    """Serve from a new data folder, play every case, and sum up."""
    # A terminal that is closed must not leave the server behind.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    if data == DATA:
        # A repeat within ten minutes gets the first one's answer: a second demo begins anew.
        shutil.rmtree(data, ignore_errors=True)
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    with serving(data) as urls:
        out.print("Switchhook answers at", urls["answer"] + "/passthru/default", style="bold")
        out.print("Its console API is at", urls["console"] + "/api/v1/receipts", style="bold")
        out.print(
            f"\n{len(cases)} real requests, as Exotel and its users sent them. Each line says when,"
            " endpoint, call,\nwhat was said of the stream, the cause, the option, and the rule"
            " that decided.\n"
        )
        statuses: Counter[int] = Counter()
        with tailing(data, lines="99"):
            for case in cases:
                time.sleep(pace_s)
                request = case["query"] or case.get("body", "")
                out.print(cut(f"{case.get('method', 'GET')} {request}"), style="dim")
                statuses[ask(urls["answer"], case)] += 1
            time.sleep(pace_s + TAIL_S)
        out.print(
            f"\n{statuses[200]} callers went to Option A (200), {statuses[302]} to Option B (302)."
            " Every answer has a receipt on disk.\n",
            style="bold",
        )
        commands = [f"{SWITCHHOOK} {name} --data {data}" for name in ("streams", "tail")]
        print_commands("Look at them", *commands)
        if sys.stdout.isatty():
            stay(urls, data)


@contextlib.contextmanager
def serving(data: Path) -> Iterator[dict[str, str]]:
    """The server, as a user starts it; its addresses by name."""
    address = "127.0.0.1:0"
    words = ["serve", "--data", str(data), "--answer", address, "--console", address]
    log = data.with_suffix(".log")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "switchhook", *words],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        try:
            # It prints an address for each side once both are ready.
            lines = [server.stdout.readline().split() for _ in range(2)]
            if not all(lines):
                sys.exit(f"the server did not start:\n{log.read_text()}")
            yield {line[0]: line[1] for line in lines}
        finally:
            server.terminate()
    log.unlink()


@contextlib.contextmanager
def tailing(data: Path, lines: str) -> Iterator[subprocess.Popen[bytes]]:
    """`switchhook tail --follow`, on the same terminal."""
    words = ["tail", "--follow", "--lines", lines, "--data", str(data)]
    with subprocess.Popen([sys.executable, "-m", "switchhook", *words]) as tail:
        try:
            yield tail
        finally:
            tail.terminate()


def ask(url: str, case: dict[str, Any]) -> int:
    """Send a request with the query exactly as it stands, and give the answer's status."""
    parts = urlsplit(url)
    body = case.get("body", "").encode()
    head = [
        f"{case.get('method', 'GET')} /passthru/default?{case['query']} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Connection: close",
    ]
    if case.get("content_type"):
        head += [f"Content-Type: {case['content_type']}", f"Content-Length: {len(body)}"]
    with socket.create_connection((str(parts.hostname), int(parts.port or 80)), 5) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        status_line = connection.makefile("rb").readline()
    return int(status_line.split()[1])


def cut(text: str) -> str:
    """As much as fits a line."""
    return text if len(text) < out.width else text[: out.width - 1] + "…"


def print_commands(title: str, *commands: str) -> None:
    out.print(f"{title}:")
    for command in commands:
        out.print(f"  {command}")


def stay(urls: dict[str, str], data: Path) -> None:
    """Go on until Ctrl-C, with the tail."""
    print_commands(
        "Or send one yourself, from another terminal",
        f"curl -i -g '{urls['answer']}/passthru/default"
        "?CallSid=me1&Stream[StreamSID]=s1&Stream[Status]=failed&Stream[Error]=3009'",
        f"curl '{urls['console']}/api/v1/receipts?call_sid=me1'",
    )
    out.print("It goes on answering until Ctrl-C.\n")
    with contextlib.suppress(KeyboardInterrupt), tailing(data, lines="0") as tail:
        tail.wait()


if __name__ == "__main__":
    sys.exit(main())

"""The demo: an Exotel on this machine calls a bot and asks the server, good days and bad ones.

`make demo` runs it. On a terminal it goes on until Ctrl-C; in a pipe it ends with the last call.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

DATA = Path("demo-data")
SWITCHHOOK = ".venv/bin/switchhook"

out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="a new data folder")
    parser.add_argument("--calls", type=int, default=25, help="calls before it sums up")
    parser.add_argument("--virtual", action="store_true", help="let time jump: over in seconds")
    given = parser.parse_args()
    return play(given.data, given.calls, virtual=given.virtual)


def play(data: Path, calls: int, *, virtual: bool) -> int:
    """Serve from a new data folder, let the emulator call, and sum up."""
    # A terminal that is closed must not leave the server behind.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    if data == DATA:
        shutil.rmtree(data, ignore_errors=True)
    with serving(data) as urls:
        passthru = urls["answer"] + "/passthru/default"
        out.print("Switchhook answers at", passthru, style="bold")
        out.print("Its console API is at", urls["console"] + "/api/v1/streams", style="bold")
        out.print(
            f"\nNow an Exotel of our own places {calls} calls. Each meets a greeting, a bot, and a"
            " Passthru that asks\nSwitchhook where to go: A ends the call, B leads to a person. One"
            " line a call: when it ended, the\ncaller, what became of the stream, Switchhook's"
            " answer and the time it took.\n"
        )
        code = emulate(passthru, "--calls", str(calls), *(["--virtual"] if virtual else []))
        if code:
            return code
        out.print("\nWhat Switchhook made of the newest, and why:\n", style="bold")
        # The console folds what the answer side kept a moment ago.
        show("streams", "--limit", "12", "--data", str(data))
        print_commands(
            "\nLook further",
            f"{SWITCHHOOK} streams --data {data}",
            f"{SWITCHHOOK} tail --data {data}",
            f"{SWITCHHOOK} emulate run --list",
            f"{SWITCHHOOK} emulate run bot-crash --passthru {passthru}",
        )
        if sys.stdout.isatty():
            out.print("\nThe calls go on until Ctrl-C.\n")
            with contextlib.suppress(KeyboardInterrupt):
                emulate(passthru)
    return 0


def emulate(passthru: str, *options: str) -> int:
    """The emulator, as a user starts it, on this terminal."""
    words = ["emulate", "--listen", "127.0.0.1:0", "--passthru", passthru, *options]
    return subprocess.run([sys.executable, "-m", "switchhook", *words], check=False).returncode


def show(*words: str) -> None:
    """A command's table."""
    subprocess.run([sys.executable, "-m", "switchhook", *words], check=True)


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


def print_commands(title: str, *commands: str) -> None:
    out.print(f"{title}:")
    for command in commands:
        out.print(f"  {command}")


if __name__ == "__main__":
    sys.exit(main())

"""The demo: an Exotel on this machine calls a bot and asks the server, good days and bad ones.

`make demo` runs it. On a terminal it goes on until Ctrl-C; in a pipe it ends with the last call of
`--calls`. What its bots take is configured once they are there, just before the first call.
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
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

from rich.console import Console

from demo import survey
from demo.files import (
    A_DIES_AFTER_S,
    DEAD_FOR_S,
    DIES_AFTER_S,
    RUSH,
    RUSH_AFTER_S,
    STREAMS,
    Ports,
    add_account,
    addresses,
    plan,
    urls_of,
    write_config,
)

FOLDER = Path("demo-data")
SWITCHHOOK = ".venv/bin/switchhook"
LOOPBACK = "127.0.0.1"
_PATIENCE_S = 30.0

out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER, help="a new folder for its files")
    parser.add_argument("--calls", type=int, default=25, help="calls before it sums up")
    parser.add_argument("--virtual", action="store_true", help="let time jump: over in seconds")
    given = parser.parse_args()
    return play(given.data, given.calls, virtual=given.virtual)


def play(folder: Path, calls: int, *, virtual: bool) -> int:
    """Serve from a new data folder, let the emulator call, and sum up."""
    # A terminal that is closed must not leave the server behind.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    if folder == FOLDER:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    out.print("starting Switchhook, and an Exotel of its own", style="dim")
    vendors, reserve, *surveys = (another_host(f"127.0.0.{last}") for last in range(2, 7))
    bots = addresses(Ports(*free_ports(4)), vendors, reserve)
    if not virtual:  # two Exotels, whose times would not jump alike
        bots |= survey.addresses(surveys, free_ports(len(surveys)))
    with serving(write_config(folder, bots, whole=virtual)) as (console, passthru):
        introduce(console, passthru, calls)
        urls = urls_of(passthru)
        for_ever = sys.stdout.isatty() and not virtual
        with contextlib.suppress(KeyboardInterrupt):
            with surveyed(folder, bots, urls):
                code = emulate(folder, bots, urls, None if for_ever else calls, virtual=virtual)
            if code:
                return code
        out.print("\nWhat Switchhook made of the newest, and why:\n", style="bold")
        wait_for_fold(console)
        show(
            "streams",
            "endpoint:default,sales,support",
            "--limit",
            "12",
            "--data",
            str(folder / "data"),
        )
    print_commands(
        "\nNext, your own: a configuration, rules and the URL for your flow's Passthru applet",
        *("mkdir hooks && cd hooks", "../.venv/bin/switchhook init"),
    )
    print_commands(
        "\nOr try your bot, wherever it listens",
        f"{SWITCHHOOK} emulate --bot ws://127.0.0.1:9000/media",
    )
    return 0


def introduce(console: str, passthru: str, calls: int) -> None:
    """What there is to see, and where."""
    out.print("\nOpen this in a browser:", console, style="bold")
    out.print(
        "  Now       the first line says whether something is wrong, with whose bot, which callers"
        " it hit and\n            what to do; below it, each minute of the last hour\n"
        "  Streams   one call from end to end: press one that failed\n"
        f"  Capacity  how many streams run: {STREAMS} may at once, and they run out at times\n"
        "  Routes    which vendor gets the calls of Sales; move those of Bookings by one press\n"
        "  Alerts    who would have been told, and when\n"
        "  Promises  callers of Support whom no bot could take: whom to call back\n"
    )
    out.print(
        "An Exotel of our own calls three numbers, Support, Bookings and Sales. Each call meets a"
        " greeting, a bot, and a\nPassthru that asks Switchhook: A ends the call, B leads to a"
        f" person. After {DIES_AFTER_S} seconds the bot of Bookings dies;\n{DEAD_FOR_S} seconds"
        " later it is back. Watch the first line say so, and see it end.\n"
        "Sales has two vendors: Switchhook says which of them takes a call, and whether there is"
        f" room. After {A_DIES_AFTER_S} seconds\none of them dies, and its calls go to the"
        " other.\n"
    )
    out.print(
        f"After {RUSH_AFTER_S} seconds {RUSH} people call Support at once, more than there are"
        " streams. Those whom no bot takes are\npromised a callback. Nobody is dialled until"
        f" somebody allows it: in another terminal, in {FOLDER},\n"
        f"  ../{SWITCHHOOK} promises allow-dialling demo --reason demo\n"
        "has them called back as streams come free. Watch it on the page Promises.\n"
    )
    out.print(
        "To ship a change, there is a line with hundreds of calls a minute, Survey. Once calls are"
        f" shown, in another\nterminal, in {FOLDER}:\n"
        f"  ../{SWITCHHOOK} release canary {survey.BETTER} 25% --of survey-in --reason better\n"
        "sends a fifth of its callers to a new bot, and goes to all of them by itself. The same"
        f" with {survey.BROKEN}\nsends them to a bot that drops each call, and is taken back by"
        " itself. Watch it on the page Releases.\n"
    )
    out.print(f"Switchhook answers at {passthru}")
    more = ", until Ctrl-C" if sys.stdout.isatty() else f", for {calls} calls in all"
    out.print(f"Where that Exotel is, for programs; then one line a call{more}:\n")


@contextlib.contextmanager
def surveyed(folder: Path, bots: dict[str, str], urls: dict[str, str]) -> Iterator[None]:
    """The second Exotel, with its busy line, where its bots are among those there are."""
    if not set(survey.BOTS) <= bots.keys():
        yield
        return
    ready, file = folder / "survey.json", folder / "survey-plan.toml"
    ready.unlink(missing_ok=True)
    file.write_text(survey.plan(bots, urls["survey-in"], urls["survey"]))
    words = ["emulate", "--file", str(file), "--brief", "--listen", f"{LOOPBACK}:0"]
    words += ["--ready", str(ready)]
    with (
        (folder / "survey.log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "switchhook", *words], stdout=log, stderr=log
        ) as exotel,
    ):
        try:
            wait_for(ready, exotel)
            yield
        finally:
            exotel.terminate()


def wait_for(ready: Path, exotel: subprocess.Popen[bytes]) -> bool:
    """Wait until an emulator serves; whether it does."""
    until = time.monotonic() + _PATIENCE_S
    while exotel.poll() is None and time.monotonic() < until and not ready.exists():
        time.sleep(0.05)
    return ready.exists()


def emulate(
    folder: Path,
    bots: dict[str, str],
    urls: dict[str, str],
    calls: int | None,
    *,
    virtual: bool,
) -> int:
    """The emulator, as a user starts it, on this terminal; Switchhook learns of its account."""
    ready, file = folder / "exotel.json", folder / "plan.toml"
    ready.unlink(missing_ok=True)
    (port,) = free_ports(1)
    file.write_text(plan(f"ws://{LOOPBACK}:{port}/bot", bots, urls))
    words = ["emulate", "--file", str(file), "--brief", "--listen", f"{LOOPBACK}:{port}"]
    words += ["--ready", str(ready)]
    words += [] if calls is None else ["--calls", str(calls)]
    words += ["--virtual"] if virtual else []
    with subprocess.Popen([sys.executable, "-m", "switchhook", *words]) as exotel:
        try:
            if wait_for(ready, exotel):
                add_account(folder, bots, ready)
            return exotel.wait()
        except BaseException:
            exotel.terminate()
            raise


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody has."""
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind((LOOPBACK, 0))
        return [sock.getsockname()[1] for sock in socks]


def another_host(host: str) -> str:
    """Another address of this machine, by which the console tells its bots from others'."""
    with socket.socket() as sock:
        try:
            sock.bind((host, 0))
        except OSError:  # macOS has one only
            return LOOPBACK
    return host


def wait_for_fold(console: str) -> None:
    """Wait until the console has folded what the answer side kept a moment ago."""
    address, token = console.split("/open/")
    asked = Request(f"{address}/healthz", headers={"Authorization": f"Bearer {token}"})
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        # Until its store is open it answers for itself, and knows of no fold.
        with (
            contextlib.suppress(OSError),
            urlopen(asked, timeout=_PATIENCE_S) as reply,
        ):
            if json.load(reply).get("fold_lag") == 0:
                return
        time.sleep(0.05)


def show(*words: str) -> None:
    """A command's table."""
    subprocess.run([sys.executable, "-m", "switchhook", *words], check=True)


def links(folder: Path) -> tuple[str, str]:
    """What opens the console, and the URL of the endpoint `default`."""
    words = ["link", "--json", "--data", str(folder / "data")]
    said = subprocess.run(
        [sys.executable, "-m", "switchhook", *words], stdout=subprocess.PIPE, check=True
    )
    found = json.loads(said.stdout)
    return found["console"], found["passthru"]["default"]


@contextlib.contextmanager
def serving(config: Path) -> Iterator[tuple[str, str]]:
    """The server, as a user starts it; the link to its console, and its passthru URL."""
    address, folder = f"{LOOPBACK}:0", config.parent
    words = ["serve", "--config", str(config), "--data", str(folder / "data")]
    words += ["--answer", address, "--console", address]
    log = folder / "server.log"
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
            # It prints where each side is, the console's last, once both are ready.
            if not any(line.startswith("console ") for line in server.stdout):
                sys.exit(f"the server did not start:\n{log.read_text()}")
            yield links(folder)
        finally:
            server.terminate()


def print_commands(title: str, *commands: str) -> None:
    out.print(f"{title}:")
    for command in commands:
        out.print(f"  {command}")


if __name__ == "__main__":
    sys.exit(main())

"""A Switchhook to attack: its configuration, its accounts, and what its journal kept."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from patience import PATIENCE_S
from program import Program, Reply, http, running
from switchhook.errors import SwitchhookError
from switchhook.journal import JournalReader, Record
from switchhook.journal.receipt import Receipt, RecordKind, decode_receipt

SECRET = "attack-secret-of-all-0"
PASSWORD = "nine blue attackers paint the gravel"
CONFIG = f"""
[answer]
max_connections = 2000
max_connections_per_address = 2000

[console]
users = true

[journal]
segment_mb = 1

[endpoints.sales]
secrets = ["{SECRET}"]

[endpoints.people]
safe_option = "A"
secrets = ["{SECRET}"]

[endpoints.later]
mode = "async"
secrets = ["{SECRET}"]
"""


@dataclass(frozen=True)
class Attack:
    """What a part of the attack is given: a folder, its chance, the share of its counts."""

    work: Path
    chance: random.Random
    scale: float
    say: Callable[[str], None]
    end: float = float("inf")
    """When it has to come to its end, by the steady clock."""

    @property
    def late(self) -> bool:
        """Whether no more may be begun."""
        return time.monotonic() > self.end

    def many(self, count: int) -> int:
        """So many of a thing, at this scale."""
        return max(1, round(count * self.scale))


class World:
    """A data folder and its configuration, in a folder of their own."""

    def __init__(self, folder: Path, more: str = "", config: str = CONFIG) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.config = folder / "switchhook.toml"
        self.config.write_text(config + more)
        self.config.chmod(0o600)  # it holds secrets

    @classmethod
    def at(cls, folder: Path, name: str = "data") -> World:
        """One that is in a folder already, or another data folder beside its configuration."""
        found = cls.__new__(cls)
        found.data, found.config = folder / name, folder / "switchhook.toml"
        return found

    @contextmanager
    def running(self) -> Iterator[Program]:
        """The program on it; ended with the block."""
        with running(self.data, "--config", str(self.config)) as program:
            yield program

    def command(self, *words: str, typed: str = "") -> str:
        """What a command of ours says. Raises RuntimeError with its error."""
        done = subprocess.run(
            [sys.executable, "-m", "switchhook", *words],
            # Its clock is right: libfaketime refuses to sleep before 1970.
            env={name: text for name, text in os.environ.items() if name != "LD_PRELOAD"},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        if done.returncode:
            raise RuntimeError(f"switchhook {words[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def of_data(self, *words: str, typed: str = "") -> str:
        """The same, on this data folder."""
        return self.command(*words, "--data", str(self.data), typed=typed)

    def token(self, scope: str = "admin") -> dict[str, str]:
        """Headers that let in, with a token made now."""
        return {"Authorization": f"Bearer {self.of_data('tokens', 'make', 'x', '--scope', scope)}"}

    def user(self, name: str, role: str) -> None:
        """Make an account."""
        self.of_data("users", "add", name, "--role", role, typed=f"{PASSWORD}\n")

    def receipts(self) -> list[Receipt]:
        """All receipts of the journal, in its order."""
        reader, found, after = JournalReader(self.data / "journal"), [], 0
        try:
            while records := reader.read(after, 2000):
                after = records[-1].seq
                found += [decode_receipt(x.body) for x in records if _readable(x)]
        finally:
            reader.close()
        return found


def sign_in(program: Program, name: str) -> dict[str, str]:
    """The cookie of a session. Raises RuntimeError where the console lets nobody in."""
    address = program.address("console")
    page = http(address, b"/login", headers={"Accept": "text/html"})
    token = re.search(rb'name="csrf" value="([^"]+)"', page.body)
    if token is None:
        raise RuntimeError(f"no form to sign in: {page.status}")
    cookie = page.headers.get("set-cookie", "").partition(";")[0]
    form = urlencode({"csrf": token[1].decode(), "name": name, "password": PASSWORD}).encode()
    headers = {
        "Origin": f"http://{address[0]}:{address[1]}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": cookie,
    }
    reply = http(address, b"/login", method="POST", headers=headers, body=form)
    if reply.status != 303:
        raise RuntimeError(f"signing in was answered with {reply.status}")
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


def _readable(record: Record) -> bool:
    """Whether it is a passthru's that was kept as it is; what a flip damaged is told as such."""
    return record.kind == RecordKind.PASSTHRU and not record.damage


def ask(program: Program, marker: str, endpoint: str = "sales") -> Reply:
    """An honest caller's passthru, after a talk that went well: Option A by the built-in rules."""
    query = (
        f"fz={marker}z&CallSid=call{marker}&Direction=incoming&Stream[StreamSID]=s{marker}"
        "&Stream[Status]=completed&Stream[Duration]=28&Stream[DisconnectedBy]=bot"
    )
    return program.ask(query, f"/passthru/{endpoint}/{SECRET}")


def complained(program: Program, headers: dict[str, str]) -> list[str]:
    """The problems that /healthz of either side, or its refusal to answer, tells of."""
    found = list(program.health("answer")["problems"])
    try:
        reply = http(program.address("console"), b"/healthz", headers=headers)
        if reply.status != 200:
            return [
                *found,
                f"console: {reply.status} {reply.body[:200].decode('utf-8', 'replace')}",
            ]
        body = json.loads(reply.body)
        found += body.get("problems", [])
        if body.get("status") != "ok":
            found.append(f"console: {body['status']}")
    except (OSError, ValueError, SwitchhookError) as error:
        found.append(f"console: {error}")
    return found

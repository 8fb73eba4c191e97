"""Part: no room left, under the journal, the store and the ledger, one after the other."""

from __future__ import annotations

import contextlib
import html
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from attack.report import NO_TIME, Check, check, not_tried
from attack.wire import MARKER
from attack.world import Attack, World, ask, complained, sign_in
from patience import PATIENCE_S
from program import Program, http

T = TypeVar("T")

_CALLS = 300
_SIZE = "24m"
_PLACES = ("journal", "store", "ledger")


def attack(given: Attack) -> list[Check]:
    """Fill each place while callers call; then make room, and count."""
    found: list[Check] = []
    for place in _PLACES:
        if given.late:
            found.append(not_tried(f"full disk under the {place}", NO_TIME))
            continue
        given.say(f"disks: {place}")
        world = World(given.work / place)
        with world.running() as program:  # makes its folders, so that one can be mounted over
            ask(program, "90000000")
            world.user("asha", "administrator")
            program.stop()
        with contextlib.ExitStack() as stack:
            why = stack.enter_context(_small(world.data / place))
            if why:
                found.append(not_tried(f"full disk under the {place}", why))
            else:
                found += _fill_and_free(world, place, given)
    return found


@contextmanager
def _small(place: Path) -> Iterator[str]:
    """A small file system in the place of a folder, with what is in it; else why there is none."""
    if sys.platform != "linux" or os.geteuid() != 0:
        yield "mounting a small file system needs root on Linux"
        return
    aside = place.with_name(place.name + ".aside")
    place.rename(aside)
    place.mkdir(mode=0o700)
    words = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=700", "tmpfs", str(place)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"mounting isn't permitted here: {done.stderr.strip()}"
        return
    try:
        for each in aside.iterdir():
            if each.is_file():
                (place / each.name).write_bytes(each.read_bytes())
                (place / each.name).chmod(0o600)
        yield ""
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def _fill_and_free(world: World, place: str, given: Attack) -> list[Check]:
    told = f"full disk under the {place}: "
    calls = given.many(_CALLS)
    answers: dict[str, int] = {}
    with world.running() as program:
        headers = world.token()
        cookie = sign_in(program, "asha")
        session = {**cookie, "Accept": "text/html"}
        _call(program, answers, 20)
        ballast = world.data / place / "ballast"
        _fill(ballast)
        _call(program, answers, calls)
        page = _until(lambda: _page(program, session))
        said = complained(program, headers)
        ballast.unlink()
        _call(program, answers, 20)
        left = _until_none(lambda: complained(program, headers))
        shown = _until(lambda: _shown(program, headers, len(answers) + 1))
        ended = program.stop()
        log = program.said
    kept = {found[1].decode() for each in world.receipts() if (found := MARKER.search(each.raw))}
    counted = re.findall("receipts? (?:is|are|was|were) lost|no room", log)
    wrong = [f"{marker}: {status}" for marker, status in answers.items() if status != 200]
    return [
        check(told + "callers are answered as decided", f"{len(answers)} calls", wrong),
        check(told + "the page says so", "1", [] if page else ["it doesn't"], f"“{page}”"),
        *(
            # The ledger is written by what people do; until they do, only the page knows.
            [check(told + "/healthz says so", "1", [] if said else ["it doesn't"], _first(said))]
            if place != "ledger"
            else []
        ),
        check(
            told + "no receipt is lost, or it is counted",
            f"{len(answers)} calls",
            [] if counted else [each for each in answers if each not in kept],
        ),
        check(
            told + "with room again it is well by itself", "1", [*left, *([ended] if ended else [])]
        ),
        check(
            told + "and the console shows every call", "1", [] if shown else ["it doesn't"], "yes"
        ),
    ]


def _call(program: Program, answers: dict[str, int], times: int) -> None:
    for _ in range(times):
        marker = f"{len(answers) + 1:08d}"
        answers[marker] = ask(program, marker).status


def _page(program: Program, session: dict[str, str]) -> str:
    """The page's first line, where it tells of a disk; empty while it doesn't."""
    reply = http(program.address("console"), b"/", headers=session)
    plain = html.unescape(re.sub(r"<[^>]+>", " ", reply.body.decode("utf-8", "replace")))
    text = " ".join(plain.split())
    line = text.rpartition("Sign out")[2].strip()[:100]
    return line if "disk" in line or "no room" in line else ""


def _shown(program: Program, headers: dict[str, str], count: int) -> bool:
    try:
        reply = http(program.address("console"), b"/api/v1/receipts?limit=1000", headers=headers)
    except OSError:
        return False
    return reply.status == 200 and reply.body.count(b'"received_at"') >= count


def _fill(ballast: Path) -> None:
    for size in (65536, 4096, 1):
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(bytes(size))


def _until(look: Callable[[], T]) -> T:
    """What a look gives, as soon as it gives something, or at last."""
    end = time.monotonic() + PATIENCE_S
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _until_none(look: Callable[[], T]) -> T:
    """What a look gives, as soon as it gives nothing, or at last."""
    end = time.monotonic() + PATIENCE_S
    while (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _first(said: list[str]) -> str:
    return said[0] if said else ""


def _ending(code: int) -> list[str]:
    return [f"it ended with {code}"] if code else []

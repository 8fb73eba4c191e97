"""`python -m attack [PART …]`: attack the real program, and say what held."""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import msgspec

from attack import ROOT
from attack.report import BROKE, Check, Part, Result, put_between_marks, table
from attack.world import Attack

RESULTS = ROOT / "attack" / "results"
PAGE = ROOT / "docs" / "security.md"
PARTS = {
    "fuzz": ("requests nobody should send, on both ports", 120),
    "kills": ("processes killed and stopped under load", 150),
    "clocks": ("the clock set forth and back", 150),
    "disks": ("a full disk under journal, store and ledger", 90),
    "flips": ("one flipped bit in every kind of file", 260),
    "numbers": ("telephone numbers, read as a viewer", 90),
}
"""What each part is, and after how many seconds it begins nothing more."""


def main() -> int:
    """Attack; 1 where a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m attack", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"all of: {', '.join(PARTS)}")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--scale", type=float, default=1.0, help="of the counts, for a first look")
    options = parser.parse_args()
    chosen = options.part or list(PARTS)
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, _end)
    result = run(chosen, options.seed, options.scale)
    _write(result, whole=chosen == list(PARTS) and options.scale == 1)
    print(table(result))
    return 1 if result.broke else 0


def run(chosen: list[str], seed: int, scale: float) -> Result:
    """Run the parts, each in a folder of its own that is gone afterwards."""
    began = time.perf_counter()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.perf_counter() - began:6.0f} s  {text}\n")
        sys.stderr.flush()

    parts = []
    for name in chosen:
        told, seconds = PARTS[name]
        say(f"{name}: {told}")
        work = Path(tempfile.mkdtemp(prefix=f"attack-{name}-"))
        started = time.perf_counter()
        tried: Callable[[Attack], list[Check]] = import_module(f"attack.{name}").attack
        try:
            chance = random.Random(f"{seed} {name}")
            checks = tried(Attack(work, chance, scale, say, time.monotonic() + seconds))
        except Exception as error:
            # A part that can't go on is told as such, and the others are still tried.
            say(f"{name}: broken off by {type(error).__name__}: {error}")
            checks = [
                Check("the part goes on to its end", "1", BROKE, f"{type(error).__name__}: {error}")
            ]
        finally:
            shutil.rmtree(work, ignore_errors=True)
        # The folder is gone, and another's next time: it says nothing.
        checks = [msgspec.structs.replace(x, seen=x.seen.replace(f"{work}/", "")) for x in checks]
        for each in checks:
            say(f"{name}: {each.state}: {each.promise}: {each.seen}")
        parts.append(Part(name, round(time.perf_counter() - started), checks))
    return Result(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("switchhook"),
        machine=f"Python {platform.python_version()}, Linux {platform.release().split('-')[0]}",
        seed=seed,
        parts=parts,
    )


def _write(result: Result, *, whole: bool) -> None:
    RESULTS.mkdir(exist_ok=True)
    name = "latest" if whole else "part"
    text = msgspec.json.format(msgspec.json.encode(result), indent=1)
    (RESULTS / f"{name}.json").write_bytes(text + b"\n")
    if whole:
        PAGE.write_text(put_between_marks(PAGE.read_text(), table(result)))


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # runs every `finally`, so that nothing is left behind


if __name__ == "__main__":
    sys.exit(main())

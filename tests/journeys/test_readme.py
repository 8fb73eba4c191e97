"""The README's way from a clone to an applet's URL, walked command by command in a shell."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("\n## Your own, in ten minutes\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)
COMMANDS = [line[2:] for block in BLOCKS for line in block.splitlines() if line[:2] == "$ "]
FREE = "--answer 127.0.0.1:0 --console 127.0.0.1:0"
"""What a machine needs on which other tests run beside this one."""


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A command in the folder that the ones before have led to, without a terminal."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def environment() -> dict[str, str]:
    """The clone's environment is first on the PATH, as the README's first line puts it."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@contextmanager
def served(folder: Path, command: str) -> Iterator[list[str]]:
    """What a server prints up to its last address, in a process group of its own."""
    process = subprocess.Popen(
        ["sh", "-c", f"exec {command} {FREE}"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("console "):
                break
        yield lines
    finally:
        process.send_signal(signal.SIGTERM)
        process.stdout.close()
        process.wait(PATIENCE_S)


def test_the_way_is_walked_as_it_is_written(tmp_path):
    """Each command works where it stands, and what is shown is what is seen."""
    assert COMMANDS[:4] == [
        'export PATH="$PWD/.venv/bin:$PATH"',
        "mkdir hooks && cd hooks",
        "switchhook init",
        "switchhook serve",
    ]
    assert shell(tmp_path, "mkdir hooks").returncode == 0
    hooks = tmp_path / "hooks"
    made = shell(hooks, COMMANDS[2])
    assert made.returncode == 0, made.stderr
    with served(hooks, COMMANDS[3]) as said:
        assert said[0] == f"config {hooks}/switchhook.toml"
        assert said[1] == f"data {hooks}/data"
        told = {}
        for command in COMMANDS[4:]:
            done = shell(hooks, command)
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            told[command] = done.stdout
        shown = BLOCKS[2].partition("$ switchhook endpoint test\n")[2].partition("$ ")[0]
        assert without_time(told["switchhook endpoint test"], shown)
        assert "pass bot-crash" in told["switchhook emulate run bot-crash"]
        # The test is kept out of the list, the emulator's call is in it.
        assert len(told["switchhook tail"].splitlines()) == 1
        rules = shell(hooks, "switchhook check rules/default.toml --against 24h")
        assert "0 of 1 receipts would be answered otherwise" in rules.stderr
        looked = shell(hooks, "switchhook doctor")
        wrong = [line for line in looked.stdout.splitlines() if line[:1] in "✗!"]
        # Nobody was named to be told: what is left for later. The machine itself may be slow.
        found = {line[2:].split("  ")[0] for line in wrong} - {"disk", "disk's speed", "clock"}
        assert found == {"alerts", "heartbeat"}, looked.stdout
        url = shell(hooks, "switchhook endpoint url")
        assert url.stdout in made.stdout.replace("127.0.0.1:8080", url.stdout.split("/")[2])


def without_time(said: str, shown: str) -> bool:
    """Whether each line that is shown was said, whatever time it took."""
    times = re.compile(r"in \d+ ms")
    lines = {times.sub("", line).strip() for line in said.splitlines()}
    return {times.sub("", line).strip() for line in shown.splitlines()} <= lines


def test_the_rules_that_are_shown_are_those_that_are_written(tmp_path):
    """With the remarks taken away from the second rule."""
    shell(tmp_path, "switchhook init")
    written = (tmp_path / "rules/default.toml").read_text()
    bare = re.sub(r"^# (\[\[|[a-z]+ = )", r"\1", written, flags=re.M)
    bare = "\n".join(line for line in bare.splitlines() if not line.startswith("#"))
    (shown,) = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)
    assert bare.split() == shown.split()

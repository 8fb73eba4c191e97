"""A process that is killed at any moment has kept what it said it had."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import switchhook
from patience import PATIENCE_S
from switchhook.journal import JournalReader

PROGRAM = """
import queue, sys
from pathlib import Path
from switchhook.journal import JournalWriter

calls = queue.SimpleQueue()
writer = JournalWriter(
    Path(sys.argv[1]), node=1, notify=calls.put, observe=lambda event: None,
    segment_bytes=300_000, checkpoint_bytes=100_000,
)
told = writer.next_seq - 1
def say(seq):
    global told
    told = seq
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
while True:
    for _ in range(20):
        seq = writer.next_seq
        writer.append(1, seq, str(seq).encode() * 100, done=lambda kept, seq=seq: say(seq))
    while writer.next_seq - told > 11:
        calls.get()()
"""


def run_and_kill(folder: Path, lines: int) -> list[int]:
    """Let the program write, kill it after so many lines, and give all seqs it printed."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(switchhook.__file__).parent.parent)},
    )
    try:
        said = [program.stdout.readline() for _ in range(lines)]
        program.send_signal(signal.SIGKILL)
        said += program.stdout.readlines()
    finally:
        program.kill()
        program.wait(PATIENCE_S)
        program.stdout.close()
    return [int(line) for line in said if line.endswith("\n")]


@pytest.mark.process
@pytest.mark.parametrize("seed", range(2))
def test_killed_process_lost_nothing_it_acknowledged(folder, seed):
    """Round after round, with a reader that stays while writers come and go."""
    chance = random.Random(seed)
    reader = JournalReader(folder)
    acknowledged: list[int] = []
    for _ in range(5):
        acknowledged += run_and_kill(folder, chance.randrange(1, 1500))
        seen, after = [], 0
        while records := reader.read(after, 500):
            seen += records
            after = records[-1].seq
        kept = {record.seq: record.body for record in seen}
        assert [seq for seq in acknowledged if kept.get(seq) != str(seq).encode() * 100] == []
        assert list(kept) == list(range(1, len(kept) + 1))
    assert len(acknowledged) == len(set(acknowledged)) > 0

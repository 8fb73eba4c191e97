"""Whoever keeps promises is killed at any moment: nothing said is lost, nothing is there twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import switchhook
from callbacks.test_ledger import Book
from patience import PATIENCE_S
from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.promise import AttemptState, PromiseEvent, PromiseState
from switchhook.server.tables import open_ledger

PROGRAM = """
import sys
from pathlib import Path
from callbacks.some_promises import T, promise
from callbacks.test_ledger import Book
from switchhook.callbacks.promise import PromiseEvent
from switchhook.server.tables import open_ledger

book = Book(open_ledger(Path(sys.argv[1])))

def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

while True:
    seq = (book.promises.progress("hearing") or 0) + 1
    with book.promises.writing() as batch:
        token = "".join(chr(97 + int(each)) for each in f"{seq:020}")
        kept = batch.make(promise(number=f"+9198{seq:08}", call_sid=f"call-{seq}", token=token))
        batch.set_progress("hearing", seq)
    say("made", seq)
    claimed = book.claim(kept)
    say("claimed", claimed.attempt.custom_field)
    if seq % 3 == 0:
        book.promises.settle(kept.id, PromiseEvent.MISSED, T, attempt=1)
"""
ROOT = Path(switchhook.__file__).parent.parent
TESTS = Path(__file__).parent.parent


def run_and_kill(folder: Path, lines: int) -> list[list[str]]:
    """Let the program work, kill it after so many lines, and give the words of all it printed."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{TESTS}"},
    )
    try:
        assert program.stdout is not None
        said = [program.stdout.readline() for _ in range(lines)]
        program.send_signal(signal.SIGKILL)
        said += program.stdout.readlines()
    finally:
        program.kill()
        program.wait(PATIENCE_S)
    return [line.split() for line in said if line.endswith("\n")]


@pytest.mark.process
def test_nothing_said_is_lost_and_nothing_is_heard_or_claimed_twice(tmp_path):
    chance, said = random.Random(19), []
    for _ in range(4):
        said += run_and_kill(tmp_path / "ledger", chance.randrange(1, 40))
        book = Book(open_ledger(tmp_path / "ledger"))
        made = book.lists.find(PromiseFilter(), 10_000)
        assert len(made) == book.promises.progress("hearing")
        assert len({each.call_sid for each in made}) == len(made)
        for each in made:
            attempts = book.lists.attempts(each.id)
            steps = [step.event for step in book.lists.history(each.id)]
            dialled = steps.count(PromiseEvent.DIALLED)
            assert len(attempts) == each.attempts == dialled <= 1
            assert (each.state is PromiseState.DIALLING) == (dialled and len(steps) == 2)
        in_flight = book.queue.in_flight()
        assert all(attempt.state is AttemptState.ASKED for _, attempt in in_flight)
        heard = {int(words[1]) for words in said if words[0] == "made"}
        assert heard <= {int(each.call_sid.removeprefix("call-")) for each in made}
        claimed = [words[1] for words in said if words[0] == "claimed"]
        assert all(book.promises.by_custom_field(each) for each in claimed)
        assert len(claimed) == len({*claimed})
        book.ledger.close()
    assert said

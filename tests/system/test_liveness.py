"""What hangs is told from what is busy, starved or suspended; and what hangs is replaced."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patience import PATIENCE_S
from switchhook.system import liveness, supervisor
from switchhook.system.liveness import DISK_S, SPINNING_S, STILL_S, Look, Silence, State, read_look
from switchhook.system.supervisor import START_PATIENCE, Child

TICK_S = 0.05


def silent_until_hung(
    state: State, share: float | None, *, waits: float = 0.0, patience: float = 1.0
) -> float | None:
    """After how long a silence a process is replaced that runs for a share of the time.

    For the share `waits` of it, it waits for its turn.
    """
    silence, now = Silence(TICK_S, 0.0, patience), 0.0
    while now < 60:
        now += TICK_S
        cpu_s = None if share is None else 100 + now * share
        if silence.watch(now) and silence.hangs(Look(state, cpu_s, 7 + now * waits)):
            return now
    return None


@pytest.mark.parametrize(
    "state, share, after_s",
    [
        (State.STOPPED, 0.0, STILL_S),
        (State.WAITS, 0.0, STILL_S),
        (State.WAITS_FOR_DISK, 0.0, DISK_S),
        (State.UNKNOWN, None, DISK_S),
        (State.RUNS, 1.0, SPINNING_S + 0.5),
        (State.WAITS, 1.0, SPINNING_S + 0.5),  # another thread has the interpreter's lock
        (State.RUNS, 0.5, 2 * SPINNING_S + 0.5),
    ],
)
def test_what_hangs_is_replaced_long_before_the_longest_deadline(state, share, after_s):
    found = silent_until_hung(state, share)
    assert found is not None
    assert found == pytest.approx(after_s, abs=3 * TICK_S)
    assert found < 10 / 2


def test_a_process_that_gets_no_turn_is_not_replaced():
    """A machine that is far too busy: it could run, and does not."""
    assert silent_until_hung(State.RUNS, 0.0) is None
    assert silent_until_hung(State.RUNS, 0.03) is None


def test_a_process_whose_threads_starve_is_not_replaced_while_its_loop_waits_for_one_of_them():
    """Another thread of it has the interpreter's lock, and has no turn."""
    assert silent_until_hung(State.WAITS, 0.02, waits=0.5) is None
    assert silent_until_hung(State.WAITS, 0.02, waits=0.02) == pytest.approx(STILL_S, abs=0.2)


def test_the_console_has_more_patience():
    assert silent_until_hung(State.WAITS, 0.0, patience=5) == pytest.approx(5 * STILL_S, abs=0.2)


def test_a_start_may_recover_a_long_journal_on_few_cores_but_not_stand_still():
    for share, waits in ((0.2, 0.0), (0.02, 0.5)):
        assert silent_until_hung(State.WAITS, share, waits=waits, patience=START_PATIENCE) is None
    still = silent_until_hung(State.WAITS, 0.0, patience=START_PATIENCE)
    assert still == pytest.approx(START_PATIENCE * STILL_S, abs=0.2)


@given(st.lists(st.floats(0.001, 0.2), max_size=50), st.sampled_from(State))
def test_who_beats_is_never_replaced(pauses, state):
    silence, now = Silence(TICK_S, 0.0), 0.0
    for pause in pauses:
        now += pause
        assert not (silence.watch(now) and silence.hangs(Look(state, now)))
        silence.broken()


@given(
    st.lists(st.floats(1, 1e6), min_size=1, max_size=4),
    st.sampled_from([State.WAITS, State.STOPPED]),
)
def test_a_machine_that_was_suspended_has_not_silenced_anybody(gaps, state):
    """Its clock went on, and neither of us: the next beat is on its way."""
    silence, now = Silence(TICK_S, 0.0), 0.0
    for gap in gaps:
        now += gap
        assert not (silence.watch(now) and silence.hangs(Look(state, 5.0)))


@pytest.mark.parametrize(
    "stat, schedstat, look",
    [
        (b"7 (a) b) S 1 7 7 0 -1 4 0 0 0 0 150 50 0 0 20 0", b"", Look(State.WAITS, 2.0)),
        (b"7 (a) R 1 7 7 0 -1 4 0 0 0 0 150 50", b"9 1500000000 2", Look(State.RUNS, 2.0, 1.5)),
        (b"7 (a) R 1 7 7 0 -1 4 0 0 0 0 150 50", b"9\n", Look(State.RUNS, 2.0)),
        (b"7 (a) R 1 7 7 0 -1 4 0 0 0 0 150 50", b"9 x 2", Look(State.RUNS, 2.0)),
        (b"7 (t) t 1 7 7 0 -1 4 0 0 0 0 0 0 0", b"", Look(State.STOPPED, 0.0)),
        (b"7 (x) Z 1 7 7 0 -1 4 0 0 0 0 0 0 0", b"", Look(State.UNKNOWN, 0.0)),
        (b"7 (x) S 1 7", b"", Look()),
        (b"\xff", b"", Look()),
        (b"", b"", Look()),
    ],
)
def test_what_the_system_says(stat, schedstat, look):
    assert read_look(stat, schedstat, 100) == look


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_it_reads_of_itself_that_it_runs():
    stat, schedstat = (Path(f"/proc/self/{name}").read_bytes() for name in ("stat", "schedstat"))
    look = read_look(stat, schedstat, os.sysconf("SC_CLK_TCK"))
    assert look.state is State.RUNS
    assert look.waited_s > 0


HANGS_ONCE = """
import asyncio, os, socket, sys, time
from pathlib import Path
from switchhook.system.supervised import SupervisorPipes

given = dict(zip(sys.argv[4::2], map(int, sys.argv[5::2])))
first = Path(sys.argv[3])

async def main():
    loop = asyncio.get_running_loop()
    again = first.exists()
    if not again:
        first.write_text(str(os.getpid()))
        exec(sys.argv[1])
    SupervisorPipes(given["--beat-fd"], given["--life-fd"]).ready(loop)
    if not again:
        loop.call_later(0.3, lambda: exec(sys.argv[2]))
        await asyncio.sleep(3600)
    sock = socket.socket(fileno=given["--socket-fd"])
    sock.setblocking(False)
    while True:
        caller, _ = await loop.sock_accept(sock)
        await loop.sock_sendall(caller, str(os.getpid()).encode())
        caller.close()

asyncio.run(main())
"""


@pytest.mark.process
@pytest.mark.parametrize(
    "hang",
    [
        pytest.param("while True: pass", id="runs in a circle"),
        pytest.param("time.sleep(3600)", id="a blocked loop"),
        pytest.param("import re; re.match('(a*)*b', 'a' * 60)", id="an expression without an end"),
        pytest.param("os.kill(os.getpid(), 19)", id="stopped"),
    ],
)
def test_who_waits_at_a_hung_process_is_answered_by_the_next(tmp_path, monkeypatch, hang):
    monkeypatch.setattr(liveness, "SPINNING_S", 0.3)  # of a whole core each
    assert replaced(tmp_path, "", hang)


@pytest.mark.process
@pytest.mark.parametrize("hang", ["while True: pass", "time.sleep(3600)"])
def test_one_that_hangs_at_its_start_is_replaced(tmp_path, monkeypatch, hang):
    monkeypatch.setattr(liveness, "SPINNING_S", 0.3)
    monkeypatch.setattr(supervisor, "START_PATIENCE", 2.0)
    assert replaced(tmp_path, hang, "")


def replaced(folder, at_start, later):
    """Whether a caller at a first process that does these is answered by a second one."""
    script, first = folder / "program.py", folder / "first"
    script.write_text(HANGS_ONCE)

    async def answered() -> str:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            words = [sys.executable, str(script), at_start, later, str(first)]
            child = Child("answer", words, sock)
            child.start()
            keeping = asyncio.create_task(child.keep())
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            async with asyncio.timeout(PATIENCE_S):
                said = (await reader.read()).decode()
            assert said == str(child.pid)
            writer.close()
            keeping.cancel()
            await asyncio.wait([keeping])
            await child.stop()
            return said

    return asyncio.run(answered()) != first.read_text()

"""The program's life: started, killed, hung, upgraded and ended, with callers on the line."""

from __future__ import annotations

import os
import signal
import socket
import threading
from functools import partial

import pytest

from patience import PATIENCE_S
from program import Program, alive, http, read_reply, request, running, until

PACE_S = 0.01
"""Between two calls of one caller: what is asked has to be folded before a test can end, and the
console stands back behind whatever else runs here."""


class Callers(threading.Thread):
    """Ask on `count` connections until told to stop; remembers who was answered."""

    def __init__(self, program, name: str, count: int = 4) -> None:
        super().__init__(daemon=True)
        self.program, self.tag = program, name
        self.answered: set[str] = set()
        self.unanswered = 0
        self.strange: list[int] = []
        self._stop_asking = threading.Event()
        self._lock = threading.Lock()
        self._count = count

    def run(self) -> None:
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self._count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _ask(self, number: int) -> None:
        asked = 0
        while not self._stop_asking.wait(PACE_S):
            asked += 1
            sid = f"{self.tag}-{number}-{asked}"
            query = f"CallSid={sid}&Stream[StreamSID]=s{sid}&Stream[Status]=completed"
            try:
                reply = self.program.ask(query)
            except OSError:
                with self._lock:
                    self.unanswered += 1
                continue
            with self._lock:
                self.answered.add(sid)
                if reply.status not in (200, 302):
                    self.strange.append(reply.status)

    def has(self, count: int) -> bool:
        return len(self.answered) >= count

    def finish(self) -> None:
        self._stop_asking.set()
        self.join()


def kept(program) -> set[str]:
    return {receipt["call_sid"] for receipt in program.receipts()}


def test_it_says_where_it_is_and_nothing_else(tmp_path):
    with running(tmp_path / "data") as program:
        assert set(program.urls) == {"config", "data", "answer", "console"}
        assert program.ask("CallSid=a1").status in (200, 302)
        assert program.health()["status"] == "ok"
        assert program.health("console")["status"] == "ok"
        assert program.stop() == 0
        assert program._printed.get(timeout=PATIENCE_S) is None  # nothing more on stdout
        assert oct((tmp_path / "data").stat().st_mode)[-3:] == "700"
        for file in (tmp_path / "data").rglob("*"):
            assert oct(file.stat().st_mode)[-3:] == ("700" if file.is_dir() else "600"), file


@pytest.mark.parametrize("on_a_node", [False, True])
def test_it_says_when_it_goes_by_what_ran_last(on_a_node, tmp_path, request):
    """And why: on a node of a cluster before it asks anything of the others."""
    file = tmp_path / "switchhook.toml"
    url = request.getfixturevalue("postgresql_schema") if on_a_node else ""
    file.write_text(f'[cluster]\ndatabase = "{url}"\n' if on_a_node else '[log]\nlevel = "info"\n')
    with running(tmp_path / "data", "--config", str(file)) as program:
        assert program.urls["config"] == str(file)
    file.write_text(file.read_text() + "nothing = 1\n")
    with running(tmp_path / "data", "--config", str(file)) as program:
        assert program.urls["config"] == f"what ran last of {file}"
        said = f"by what ran last of {file}, as {file}: "
        assert any(said in line and "unknown key 'nothing'" in line for line in program.log)


@pytest.mark.parametrize("sides", [("answer",), ("console",), ("answer", "console")])
def test_killed_under_load_it_comes_back_and_has_every_receipt(tmp_path, sides):
    with running(tmp_path / "data") as program:
        callers = Callers(program, "k")
        callers.start()
        for round_ in range(3):
            target = len(callers.answered) + 20
            until(partial(callers.has, target), "callers to be answered")
            before = program.children()
            for side in sides:
                os.kill(before[side], signal.SIGKILL)
            until(partial(_anew, program, before, sides), f"new processes, round {round_}")
        target = len(callers.answered) + 20
        until(lambda: callers.has(target), "callers to be answered again")
        callers.finish()
        assert not callers.strange
        # The console may be on its way up still.
        until(lambda: _reachable(program), "the console")
        assert callers.answered <= kept(program)
        assert program.stop() == 0


def _anew(program: Program, before: dict[str, int], sides: tuple[str, ...]) -> bool:
    """Whether each of these sides runs, in another process than before."""
    now = program.children()
    return all(now.get(side) not in (None, before[side]) for side in sides)


def _reachable(program: Program) -> bool:
    try:
        return bool(program.health("console")["fold_lag"] == 0)
    except OSError:
        return False


def test_an_upgrade_under_load_loses_no_answer(tmp_path):
    with running(tmp_path / "data") as program:
        callers = Callers(program, "u")
        callers.start()
        until(lambda: callers.has(20), "callers to be answered")
        for _ in range(2):
            before = program.children()["answer"]
            program.process.send_signal(signal.SIGHUP)
            until(partial(_left, program, before), "the old process to leave")
            target = len(callers.answered) + 20
            until(partial(callers.has, target), "callers to be answered")
        callers.finish()
        assert callers.unanswered == 0
        assert not callers.strange
        until(lambda: _reachable(program), "the console")
        assert callers.answered <= kept(program)


def _left(program: Program, pid: int) -> bool:
    """Whether a process that answered is gone, and another is there."""
    return not alive(pid) and "answer" in program.children()


def test_a_hung_process_is_replaced(tmp_path):
    with running(tmp_path / "data") as program:
        hung = program.children()["answer"]
        os.kill(hung, signal.SIGSTOP)
        # The question waits in the socket's queue until somebody works again.
        assert program.ask("CallSid=waited").status in (200, 302)
        assert not alive(hung)
        assert program.receipts(call_sid="waited")


def test_children_die_with_their_supervisor(tmp_path):
    with running(tmp_path / "data") as program:
        children = program.children()
        program.process.kill()
        for side, pid in children.items():
            until(partial(_gone, pid), f"the end of {side}")
    with running(tmp_path / "data") as program:
        assert program.ask("CallSid=again").status in (200, 302)


def _gone(pid: int) -> bool:
    return not alive(pid)


def test_the_end_waits_for_those_who_are_owed_an_answer(tmp_path):
    """A body is on its way when SIGTERM comes; its sender is answered before the program ends."""
    with running(tmp_path / "data", command="answer") as program:
        host, port = program.address("answer")
        whole = request(
            f"{program.passthru}?CallSid=owed".encode(),
            f"{host}:{port}",
            "POST",
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"Stream[Status]=completed",
        )
        with socket.create_connection((host, port), timeout=PATIENCE_S) as sock:
            sock.sendall(whole[:-5])
            until(lambda: http((host, port), b"/healthz").status == 200, "its head to be read")
            program.process.send_signal(signal.SIGTERM)
            sock.sendall(whole[-5:])
            assert read_reply(sock).status in (200, 302)
        assert program.stop() == 0
    with running(tmp_path / "data") as program:
        assert program.receipts(call_sid="owed")


def test_repeats_are_known_after_a_restart(tmp_path):
    with running(tmp_path / "data") as program:
        program.ask("CallSid=r1&digits=1&CurrentTime=1")
    with running(tmp_path / "data") as program:
        program.ask("CallSid=r1&digits=1&CurrentTime=2")
        program.ask("CallSid=r1&digits=2&CurrentTime=2")
        other, second, first = program.receipts(call_sid="r1")
        assert second["repeat_of"] == first["id"]
        assert other["repeat_of"] is None


def test_a_second_program_on_the_same_folder_waits_for_the_first(tmp_path):
    """It says for whom, and answers when that one has ended."""
    with (
        running(tmp_path / "data", command="answer") as first,
        running(tmp_path / "data", command="answer", ready=False) as second,
    ):
        until(lambda: "waiting 15 s for it" in second.said, "it to say so")
        assert f"held by switchhook answer (process {first.process.pid} on" in second.said
        assert second.urls == {}
        assert first.stop() == 0
        second.wait_until_ready()
        assert second.ask("CallSid=second").status in (200, 302)

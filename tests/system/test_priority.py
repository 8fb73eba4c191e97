"""Working behind the answer process."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess
import sys
from ast import literal_eval

import pytest

from program import running
from switchhook.system import priority
from switchhook.system.priority import lower_priority, take_short_turns, yield_cpu

_NICENESS = """
import os, threading
from switchhook.system.priority import lower_priority
lower_priority()
seen = []
thread = threading.Thread(target=lambda: seen.append(os.nice(0)))
thread.start(); thread.join()
print(os.nice(0), *seen)
"""


@pytest.mark.process
def test_what_stands_back_has_the_processor_last():
    """All its threads."""
    done = subprocess.run([sys.executable, "-c", _NICENESS], capture_output=True, text=True)

    assert done.stdout.split() == ["19", "19"], done.stderr


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="cores can be chosen on Linux only")
@pytest.mark.parametrize("allowed", [1, 2])
def test_one_core_of_several_is_left_alone(allowed):
    """With a single one there is no choice."""
    cores = sorted(os.sched_getaffinity(0))[:allowed]
    code = (
        "import os; from switchhook.system.priority import lower_priority;"
        f" os.sched_setaffinity(0, {cores}); lower_priority(); print(*os.sched_getaffinity(0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert [int(core) for core in done.stdout.split()] == (cores[1:] or cores), done.stderr


_SHORT = """
import ctypes, os, struct, threading
from switchhook.system.priority import lower_priority, take_short_turns
def turn():
    said = ctypes.create_string_buffer(48)
    number = {"x86_64": 315, "aarch64": 275}[os.uname().machine]  # sched_getattr(2)
    assert ctypes.CDLL(None).syscall(number, 0, said, 48, 0) == 0
    print(struct.unpack("=IIQiIQQQ", said.raw)[3:6])
turn()
take_short_turns()
turn()
thread = threading.Thread(target=turn)
thread.start(); thread.join()
lower_priority()
turn()
"""


TURNS = pytest.mark.skipif(
    sys.platform != "linux"
    or platform.machine() not in {"x86_64", "aarch64"}
    or tuple(map(int, platform.release().split(".")[:2])) < (6, 12),
    reason="turns can be chosen on Linux 6.12 and newer",
)


@pytest.mark.process
@TURNS
@pytest.mark.parametrize(("program", "short"), [("answer", True), ("console", False)])
def test_of_the_programs_the_one_that_answers_has_short_turns(program, short, tmp_path):
    """As the kernel has it."""
    said = ctypes.create_string_buffer(48)
    number = {"x86_64": 315, "aarch64": 275}[platform.machine()]  # sched_getattr(2)
    with running(tmp_path, command=program) as started:
        assert ctypes.CDLL(None).syscall(number, started.process.pid, said, 48, 0) == 0
    assert (struct.unpack("=IIQiIQQQ", said.raw)[5] == 300_000) is short


@pytest.mark.process
@TURNS
def test_who_answers_has_shorter_turns_than_others_in_all_its_threads():
    done = subprocess.run([sys.executable, "-c", _SHORT], capture_output=True, text=True)
    usual, *short, stood_back = map(literal_eval, done.stdout.splitlines())
    nice = os.getpriority(os.PRIO_PROCESS, 0)  # as nice as the tests are
    assert usual[:2] == (nice, 0), done.stderr
    assert usual[2] > 300_000
    assert short == 2 * [(nice, 0, 300_000)]
    assert stood_back == (19, 0, usual[2])


def test_where_turns_cant_be_chosen_nothing_is_asked(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    for system, machine in (("linux", "riscv64"), ("darwin", "x86_64")):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        monkeypatch.setattr(priority.sys, "platform", system)
        take_short_turns()


def test_a_sandbox_that_forbids_it_is_no_trouble(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "nice", refuse)
    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    lower_priority()
    take_short_turns()
    for name in ("getpriority", "sched_getscheduler"):
        monkeypatch.setattr(os, name, refuse, raising=False)
        take_short_turns()


def test_a_breath_does_not_stop_a_query():
    assert yield_cpu() is False

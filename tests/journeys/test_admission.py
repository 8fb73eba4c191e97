"""A line that fills: who comes while there is room is let in, over restarts of either program."""

from __future__ import annotations

import itertools
import os
import signal
from functools import partial

import pytest

from program import http, running
from program import until as program_until
from switchhook.emulator.testing import Exotel

pytestmark = pytest.mark.process

STREAMS = 4


@pytest.fixture
def exotel():
    with Exotel() as made:
        made.account.streams = STREAMS
        yield made


@pytest.fixture
def config(tmp_path, exotel, monkeypatch):
    """Exotel, which knows of none of these callers, is asked too seldom to say so."""
    account = exotel.account
    monkeypatch.setenv("KEY", account.key)
    monkeypatch.setenv("TOKEN", account.token)
    file = tmp_path / "s.toml"
    file.write_text(
        f'[accounts.main]\nsid = "{account.sid}"\nurl = "{exotel.url}"\n'
        'key_env = "KEY"\ntoken_env = "TOKEN"\nquiet_s = 45\nbusy_s = 45\n'
        '[endpoints.default]\nauth = "open"\n'
        '[endpoints.gate]\nauth = "open"\nkind = "admit"\nsafe_option = "B"\n'
    )
    return file


def started_again(program, name, before):
    return program.children().get(name, before) != before


def shown(program):
    (found,) = program.api("admission")["accounts"]
    return found


def test_callers_are_let_in_while_there_is_room_over_restarts_of_either_program(tmp_path, config):
    asked = itertools.count()
    with running(tmp_path / "data", "--config", str(config)) as program:

        def admitted(call):
            """Each asks once: whoever asks again gets the first answer."""
            query = f"CallSid={call}{next(asked)}"
            return program.ask(query, "/passthru/gate").status == 200

        program_until(lambda: admitted("c"), "the first budget")
        first = f"c{next(asked) - 1}"
        assert [admitted("c") for _ in range(5)] == [True] * 3 + [False] * 2
        program.ask(f"CallSid={first}&Stream[StreamSID]=s1&Stream[Status]=completed")
        program_until(lambda: admitted("next"), "the place of one who left")
        assert not admitted("over")
        program_until(lambda: shown(program)["asked"]["admitted"] == 5, "all five")
        found = shown(program)
        assert (found["allowed"], found["room"]) == (STREAMS, 0)
        assert found["live"] + found["pending"] == STREAMS
        assert found["asked"]["refused"] >= 2
        host, port = program.address("console")
        page = http((host, port), b"/capacity", headers=program.by_link).body.decode()
        assert "Admission" in page
        assert "refused for want of room" in page
        for name in ("console", "answer"):
            before = program.children()[name]
            os.kill(before, signal.SIGKILL)
            program_until(partial(started_again, program, name, before), f"a new {name}")
            program_until(lambda: program.health()["status"] == "ok", "answers")
            assert not any(admitted(name) for _ in range(5))
        program.ask(f"CallSid=c{int(first[1:]) + 2}&Stream[StreamSID]=s2&Stream[Status]=completed")
        program_until(lambda: admitted("last"), "the place of one who left")
        assert not admitted("over again")

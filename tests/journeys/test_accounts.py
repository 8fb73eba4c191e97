"""An account of the emulator, watched as the console does: real sockets, into a real ledger."""

from __future__ import annotations

import asyncio
import itertools
import json
import time

import pytest

from exotel.peers import SystemClock
from patience import PATIENCE_S
from program import running
from program import until as program_until
from switchhook.capacity.facts_document import FILE
from switchhook.capacity.facts_file import FactsFile, FactsReader
from switchhook.config import load_config
from switchhook.emulator.testing import Exotel
from switchhook.server.accounts import Accounts
from switchhook.server.tables import open_ledger


@pytest.fixture
def exotel():
    with Exotel() as made:
        yield made


@pytest.fixture
def ledger(tmp_path):
    ledger = open_ledger(tmp_path)
    yield ledger
    ledger.close()


def config_of(exotel, **more):
    account = exotel.account
    extra = "\n".join(f"{name} = {json.dumps(value)}" for name, value in more.items())
    return load_config(
        f'[accounts.main]\nsid = "{account.sid}"\nurl = "{exotel.url}"\n'
        f'key_env = "KEY"\ntoken_env = "TOKEN"\nquiet_s = 1\nbusy_s = 1\n{extra}',
        file="s.toml",
        environ={"KEY": account.key, "TOKEN": account.token},
        read_file=lambda _: b"",
    )


async def until(true):
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - it is another process's or thread's doing
            await asyncio.sleep(0.005)


def now_ms():
    return time.time_ns() // 1_000_000


def watching(tmp_path, ledger, steps):
    async def main():
        accounts = Accounts(ledger, FactsFile(tmp_path), SystemClock())
        try:
            await steps(accounts)
        finally:
            await accounts.stop()

    asyncio.run(main())


def test_rules_learn_what_exotel_says(tmp_path, exotel, ledger):
    exotel.account.streams = 7
    reader = FactsReader(tmp_path)

    async def steps(accounts):
        await accounts.use(config_of(exotel))
        await until(lambda: reader.look(now_ms())[0])
        facts = reader.look(now_ms())[0]["main"]
        assert (facts.active, facts.allowed, facts.headroom) == (0, 7, 7)
        (standing,) = accounts.watch.now(now_ms())
        assert (standing.account, standing.active, standing.problem) == ("main", 0, "")
        await until(lambda: accounts.history.recent("main", 0))
        exotel.account.streams = 9
        await until(lambda: reader.look(now_ms())[0]["main"].allowed == 9)
        assert accounts.complaints() == []

    watching(tmp_path, ledger, steps)
    assert json.loads((tmp_path / FILE).read_text())["version"] == 2


def test_trouble_is_an_alarm_and_then_over(tmp_path, exotel, ledger):
    async def steps(accounts):
        fault = exotel.fault("rest", code=404)
        await accounts.use(config_of(exotel))
        await until(lambda: accounts.watch.now(now_ms())[0].unread)
        (standing,) = accounts.watch.now(now_ms())
        assert (standing.active, standing.age_s) == (None, None)
        assert "check the SID and the region" in standing.problem
        assert accounts.complaints() == [f"account main: {standing.problem}"]
        exotel.mend(fault)
        # Whoever mends it changes the configuration too, and need not wait out the patience.
        await accounts.use(config_of(exotel, rate_per_minute=61))
        await until(lambda: accounts.watch.now(now_ms())[0].active == 0)

    watching(tmp_path, ledger, steps)


def test_call_details_come_from_the_api(tmp_path, exotel, ledger):
    class Hooks:
        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    exotel.passthru(Hooks())
    call = exotel.call(from_="+919811100001").wait()

    async def steps(accounts):
        await accounts.use(config_of(exotel, poll=False, call_details=True))
        accounts.fetcher.ended(call.sid, "main", now_ms() - 130_000)
        await until(lambda: accounts.calls.details(call.sid))
        (kept,) = accounts.calls.details(call.sid)
        assert json.loads(kept.body)["Call"]["Sid"] == call.sid
        assert len(accounts.calls.due("main", 2**53, 10)) == 1
        assert accounts.watch.now(now_ms()) == []

    watching(tmp_path, ledger, steps)


def test_without_accounts_nobody_is_asked_and_nothing_written(tmp_path, ledger):
    async def steps(accounts):
        for text in ("[endpoints.a]", '[accounts.a]\nsid = "a"\npoll = false'):
            config = load_config(text, file="", environ={}, read_file=lambda _: b"")
            await accounts.use(config)

    watching(tmp_path, ledger, steps)
    assert not (tmp_path / FILE).exists()


RULES = """
[[rule]]
name = "few left"
when = "account.headroom < 5 && account.age < 30.0"
option = "B"

[[rule]]
name = "some left"
when = "account.headroom >= 5"
option = "A"

[default]
option = "B"
"""


def test_callers_are_led_by_what_exotel_says(tmp_path, exotel, monkeypatch):
    """The whole program: the console asks, the answer process decides by it within a moment."""
    account = exotel.account
    monkeypatch.setenv("KEY", account.key)
    monkeypatch.setenv("TOKEN", account.token)
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "s.toml").write_text(
        f'[accounts.main]\nsid = "{account.sid}"\nurl = "{exotel.url}"\n'
        'key_env = "KEY"\ntoken_env = "TOKEN"\nquiet_s = 1\nbusy_s = 1\n'
        '[endpoints.default]\nrules = "rules.toml"\n'
    )
    data = tmp_path / "data"
    with running(data, "--config", str(tmp_path / "s.toml")) as program:
        asked = itertools.count()

        def status():
            return program.ask(f"CallSid=c{next(asked)}").status

        program_until(lambda: status() == 200, "streams left")
        account.streams = 4
        program_until(lambda: status() == 302, "few streams left")
        facts = json.loads((data / FILE).read_text())["accounts"]["main"]
        assert (facts["active"], facts["allowed"]) == (0, 4)

"""Promises, wired: which accounts call back, into what, and whom never."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from callbacks.exotel_world import DEED, Leases
from callbacks.promised import NOON, NUMBER, promise_of
from kept_receipts import Kept
from patience import PATIENCE_S
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.do_not_call_ledger import LedgerDoNotCall
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import PromiseState
from switchhook.config import load_config
from switchhook.errors import LedgerError
from switchhook.exotel.connect_answer import ConnectAnswer, ConnectOutcome
from switchhook.server import promising as module
from switchhook.server.promising import Promising
from switchhook.server.tables import open_ledger

FILES = {
    "/etc/status": b"a-secret-for-status-1\n",
    "/etc/never": b"# friends\n+919811100002\n",
    "/etc/login": b"user:pass-of-the-bot\n",
}
WHOLE = "wss://user:pass-of-the-bot@bot.example/v1"
TEXT = """
[answer]
url = "https://hooks.example/switchhook"
[accounts.main]
sid = "acme"
region = "mumbai"
key_env = "KEY"
token_env = "TOKEN"
status_secret_files = ["status"]
[accounts.main.callbacks]
exophone = "+918047112233"
flow = "77001"
do_not_call_file = "never"
[accounts.other]
sid = "acme2"
region = "mumbai"
key_env = "KEY"
token_env = "TOKEN"
"""


def load(text=TEXT):
    return load_config(
        text,
        file="/etc/s.toml",
        environ={"KEY": "the-key", "TOKEN": "the-token"},
        read_file=lambda path: FILES[path],
    )


class Clock:
    """Time that stands still at noon."""

    def now_ms(self):
        return NOON

    wall_ms = mono_ms = now_ms

    async def sleep(self, seconds):
        await asyncio.sleep(0.01)


class Client:
    """Takes what it is asked for."""

    def __init__(self):
        self.requests = []
        self.asked = asyncio.Event()

    async def turn(self):
        pass

    def give_back_turn(self):
        pass

    async def connect(self, request):
        self.requests.append(request)
        self.asked.set()
        return ConnectAnswer(ConnectOutcome.PLACED, "c1")


class Accounts:
    def __init__(self):
        self.clients = {"main": Client(), "other": Client()}
        self.fetcher, self.observers = self, []

    def observe(self, observer):
        self.observers.append(observer)

    def client(self, name):
        return self.clients.get(name)


@pytest.fixture
def ledger(tmp_path):
    found = open_ledger(tmp_path)
    yield found
    found.close()


@pytest.fixture
def accounts():
    return Accounts()


@pytest.fixture
def kept(tmp_path):
    found = Kept(tmp_path / "journal")
    yield found
    found.close()


@pytest.fixture
def promising(ledger, accounts, kept):
    clock: Any = Clock()
    return Promising(
        ledger=ledger,
        clock=clock,
        accounts=accounts,
        leases=Leases(),
        journal=kept.reader,
        config=load,
    )


def run(work):
    async def within():
        async with asyncio.timeout(PATIENCE_S):
            await work

    asyncio.run(within())


def test_who_is_owed_a_call_is_called_into_the_flow_and_its_end_is_told_to_us(
    ledger, accounts, promising
):
    LedgerDialling(ledger).allow("main", DEED, NOON)
    promises = LedgerPromises(ledger)
    promises.make(promise_of(id=0))

    async def work():
        await promising.use(load())
        promising.hearing.begin()  # until then somebody may have been served, unheard
        await accounts.clients["main"].asked.wait()
        await promising.stop()

    run(work())
    (request,) = accounts.clients["main"].requests
    assert (request.from_, request.caller_id) == (NUMBER, "08047112233")
    assert (request.mode, request.app_id) == ("flow", "77001")
    assert request.custom_field == "switchhook:abc:1"
    assert request.status_callback == (
        "https://hooks.example/switchhook/status/main/a-secret-for-status-1"
    )
    assert promises.get(1).state is PromiseState.RINGING
    assert accounts.clients["other"].requests == []
    assert promising.complaints() == []


def test_a_bot_is_called_by_its_whole_address_which_is_shown_nowhere(promising):
    text = TEXT.replace('flow = "77001"', 'bot = "wss://bot.example/v1"\nbot_auth_file = "login"')
    config = load(text)
    found = promising._account(config, config.accounts[0])
    request = found.request(NUMBER, "switchhook:abc:1")
    assert (request.mode, request.stream_url) == ("voice_ai", WHOLE)
    assert "pass-of" not in repr(found)
    assert "a-secret" not in repr(found)


def test_an_account_that_stays_the_same_goes_on_undisturbed(promising):
    async def work():
        await promising.use(load())
        first = promising.worker._running["main"]
        await promising.use(load())
        assert promising.worker._running == {"main": first}
        await promising.use(load(TEXT.replace("77001", "77002")))
        assert promising.worker._running["main"] is not first
        await promising.use(load(TEXT.partition("[accounts.main.callbacks]")[0]))
        assert promising.worker._running == {}
        await promising.stop()

    run(work())


def test_numbers_of_the_file_are_never_called(ledger, promising):
    promises = LedgerPromises(ledger)
    promises.make(promise_of("+919811100002", id=0))

    async def work():
        await promising.use(load())
        await promising.stop()

    run(work())
    assert promises.get(1).state is PromiseState.DROPPED
    assert LedgerDoNotCall(ledger).has("+919811100002")


def test_while_the_file_is_not_taken_over_nobody_is_called(promising, monkeypatch):
    replace, tried = promising._do_not_call.replace_file, []

    def failing(numbers, now_ms):
        tried.append(numbers)
        if len(tried) == 1:
            raise LedgerError("/data/ledger", "the disk is full", "make room")
        return replace(numbers, now_ms)

    monkeypatch.setattr(promising._do_not_call, "replace_file", failing)
    monkeypatch.setattr(module, "AGAIN_S", 0.01)

    async def work():
        await promising.use(load())
        assert promising.worker._running == {}
        (said,) = promising.complaints()
        assert said.startswith("the file of numbers that are never called is not taken over")
        await promising._again
        assert list(promising.worker._running) == ["main"]
        assert promising.complaints() == []
        await promising.stop()

    run(work())
    assert len(tried) == 2

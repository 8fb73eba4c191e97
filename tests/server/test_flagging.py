"""The listener for bots: read by OpenFeature's own SDK, opened and closed while it runs."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from flags.some_flags import deed, want
from patience import PATIENCE_S
from program import until
from switchhook.access.audit import Deed
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Scope
from switchhook.capacity.facts_file import FactsFile
from switchhook.config import load_config
from switchhook.config.rules_terms import terms_of
from switchhook.server import flagging as module
from switchhook.server.flagging import Flagging, readers_of
from switchhook.server.tables import open_ledger
from switchhook.web.sign_in.tokens import hashed, new_proof

CONFIG = """
[ofrep]
{listen}
[flags.off]
kind = "boolean"
default = false
[flags.vendor]
kind = "text"
default = "a"
[flags.most]
kind = "number"
default = 5
[flags.part]
kind = "number"
default = 3.0
[flags.share]
kind = "percentage"
default = 50
[flags.day]
kind = "window"
default = {{ from = "00:00", until = "23:59" }}
[flags.lines]
kind = "list"
default = ["+918047112233"]
"""
ANY_PORT = 'listen = "127.0.0.1:0"'
YEAR_US = 365 * 86_400 * 1_000_000


def settings(listen=ANY_PORT):
    text = CONFIG.format(listen=listen)
    config = load_config(text, file="c", environ={}, read_file=lambda path: b"")
    return SimpleNamespace(config=config, rulesets={}, candidates={})


class Console:
    """The console's part of flags, in a loop of its own thread."""

    def __init__(self, folder, listen=ANY_PORT):
        self.ledger = open_ledger(folder / "ledger")
        self.now_us = 1_795_423_380_000_000
        clock: Any = SimpleNamespace(
            now_us=lambda: self.now_us,
            now_ms=lambda: self.now_us // 1000,
            mono_ms=lambda: self.now_us // 1000,
        )
        self.loop = asyncio.new_event_loop()
        self.providers: list[OFREPProvider] = []
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        facts = FactsFile(folder)
        self.flagging = Flagging(
            settings(listen), ledger=self.ledger, facts=facts, clock=clock, key=b"key"
        )
        self.flagging.start()
        self.do(self.flagging.serve())

    def do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(10)

    def use(self, listen):
        self.loop.call_soon_threadsafe(self.flagging.use, settings(listen))

    @property
    def url(self):
        until(lambda: self.flagging.url, "it to listen")
        return self.flagging.url

    def token(self, scope=Scope.FLAGS):
        proof = new_proof("shk_")
        made = Deed(who="asha", what="made a token")
        passes = LedgerAccess(self.ledger).passes
        passes.make_token(
            "bot", scope, None, hashed(proof), self.now_us + YEAR_US, made, self.now_us
        )
        return proof

    def set(self, flag, value):
        return self.flagging.worker.set(want(flag, value), "asha", deed)

    def close(self):
        for each in self.providers:
            each.session.close()
        self.do(self.flagging.end())
        self.flagging.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)
        self.loop.close()
        self.ledger.close()


@pytest.fixture
def console(tmp_path):
    made = Console(tmp_path)
    yield made
    made.close()


def client_of(console, token=None):
    """OpenFeature's own client, as a bot has it."""
    proof = console.token() if token is None else token
    headers = {"Authorization": f"Bearer {proof}"}
    provider = OFREPProvider(console.url, headers_factory=lambda: headers)
    console.providers.append(provider)
    api.set_provider(provider, domain=console.url)
    return api.get_client(domain=console.url)


def test_the_published_sdk_reads_every_kind_with_its_type(console):
    bot = client_of(console)
    somebody = EvaluationContext("+919876543210")
    assert bot.get_boolean_value("off", True) is False
    assert bot.get_boolean_value("day", False) is True
    assert bot.get_string_value("vendor", "?") == "a"
    assert bot.get_integer_value("most", 0) == 5
    assert bot.get_float_value("part", 0.5) == 3.0
    assert bot.get_object_value("lines", []) == ["+918047112233"]
    shares = {bot.get_boolean_value("share", False, somebody) for _ in range(3)}
    assert len(shares) == 1
    details = bot.get_boolean_details("share", False, somebody)
    assert (details.reason, details.error_code, details.variant in ("on", "off")) == (
        Reason.SPLIT,
        None,
        True,
    )


def test_the_published_sdk_sees_a_flag_change(console):
    bot = client_of(console)
    assert bot.get_boolean_value("off", False) is False
    console.set("off", True)
    assert bot.get_boolean_value("off", False) is True
    console.set("off", None)
    assert bot.get_boolean_value("off", False) is False
    console.set("part", 7.0)
    assert bot.get_float_value("part", 0.5) == 7.0


def test_the_published_sdk_falls_back_to_the_bots_default_and_says_why(console):
    bot = client_of(console)
    nobody = bot.get_boolean_details("share", True)
    assert (nobody.value, nobody.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)
    assert "targetingKey" in (nobody.error_message or "")
    unknown = bot.get_string_details("vend", "mine")
    assert (unknown.value, unknown.error_code) == ("mine", ErrorCode.FLAG_NOT_FOUND)
    wrong = bot.get_string_details("off", "mine")
    assert (wrong.value, wrong.error_code) == ("mine", ErrorCode.TYPE_MISMATCH)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.ADMIN])
def test_tokens_of_other_scopes_open_nothing(console, scope):
    bot = client_of(console, console.token(scope))
    details = bot.get_boolean_details("off", True)
    assert (details.value, details.error_message) == (True, "forbidden")


def test_a_token_ends_and_its_use_is_noted(console):
    proof = console.token()
    bot = client_of(console, proof)
    assert bot.get_boolean_value("off", True) is False
    passes = LedgerAccess(console.ledger).passes
    (token,) = passes.tokens()
    assert token.used_us == console.now_us
    passes.revoke_token(token.id, Deed(who="asha", what="revoked a token"), console.now_us)
    details = bot.get_boolean_details("off", True)
    assert (details.value, details.error_message) == (True, "unauthorized")
    assert client_of(console, "shk_" + "x" * 300).get_boolean_value("off", True) is True


def test_it_listens_where_the_configuration_says_while_it_runs(console):
    before = console.url
    console.use("")
    until(lambda: not console.flagging.url, "it to listen no more")
    with pytest.raises(httpx2.HTTPError):
        httpx2.get(f"{before}/healthz")
    console.use(ANY_PORT)
    assert httpx2.get(f"{console.url}/healthz").json() == {"status": "ok"}


def test_a_port_that_another_has_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", 0.05)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        console = Console(tmp_path, f'listen = "127.0.0.1:{port}"')
        until(lambda: console.flagging.problem, "it to say so")
        assert f"127.0.0.1:{port}" in console.flagging.problem
    try:
        assert httpx2.get(f"{console.url}/healthz").json() == {"status": "ok"}
        assert console.flagging.problem == ""
    finally:
        console.close()


def test_who_reads_a_flag_goes_by_the_rules_that_run():
    config = settings().config
    terms = terms_of(config, config.endpoints[0])
    one, other = (
        terms.load(
            f"[[rule]]\nname='r'\nwhen='{when}'\noption='B'\n[default]\noption='A'\n", file="r"
        )
        for when in ("flags.off && flags.day", "flags.off")
    )
    running = {"a": one, "b": other, "c": terms.builtin}
    assert readers_of(running) == {"off": ("a", "b"), "day": ("a",)}
    assert readers_of(running, {"a": one, "c": other}) == {"off": ("a", "b", "c"), "day": ("a",)}

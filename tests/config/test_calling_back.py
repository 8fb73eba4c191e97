"""What calling back needs of the whole configuration, and what is said of it though it can run."""

from __future__ import annotations

import pytest

from switchhook.answer.callback_receivers import ReceivingAccount, Webhook, admit
from switchhook.answer.http.messages import Head
from switchhook.answer.redact import Redactor
from switchhook.config import Config, load_config
from switchhook.config.calling_back import own_numbers, promise_warnings, status_callback_url
from switchhook.journal.receipt import RecordKind
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rules_file import load_rules

FILES = {"/etc/status": b"a-secret-for-status-1\nanother-for-status-2\n"}
HEAD = '[answer]\nurl = "https://hooks.example/switchhook"\n'
ACCOUNT = """
[accounts."मुख्य"]
sid = "acme"
region = "mumbai"
key_env = "KEY"
token_env = "TOKEN"
status_secret_files = ["status"]
"""
CALLBACKS = """
[accounts."मुख्य".callbacks]
exophone = "+918047112233"
flow = "77001"
"""


def load(text: str) -> Config:
    environ = {"KEY": "the-key", "TOKEN": "the-token", "OPS": "json://ops.example"}
    return load_config(
        text, file="/etc/s.toml", environ=environ, read_file=lambda path: FILES[path]
    )


def test_exotel_tells_of_a_call_at_the_accounts_own_address():
    config = load(HEAD + ACCOUNT + CALLBACKS)
    assert status_callback_url(config, config.accounts[0]) == (
        "https://hooks.example/switchhook/status/%E0%A4%AE%E0%A5%81%E0%A4%96%E0%A5%8D%E0%A4%AF"
        "/a-secret-for-status-1"
    )
    assert config.warnings == ()


def test_what_exotel_tells_there_is_let_in():
    """The address that is given away with each call is one that the answer side knows."""
    config = load(HEAD + ACCOUNT + CALLBACKS)
    (account,) = config.accounts
    secrets = tuple(each.reveal().encode() for each in account.webhook_secrets.status)
    receiving = ReceivingAccount(account.name, {RecordKind.STATUS: secrets}, Redactor(b"key"))
    url = status_callback_url(config, account)
    path = url.removeprefix("https://hooks.example/switchhook").encode()
    head = Head(
        method="POST",
        path=path,
        query=b"",
        content_type="application/json",
        authorization=None,
        host="hooks.example",
        forwarded_for=None,
        forwarded=False,
        peer="192.0.2.7",
    )
    webhook = admit({account.name: receiving}, head)
    assert isinstance(webhook, Webhook)
    assert webhook.account is receiving


@pytest.mark.parametrize(
    "text, lacks",
    [
        (ACCOUNT, "answer.url"),
        (HEAD + ACCOUNT.replace('status_secret_files = ["status"]\n', ""), "status_secret_files"),
    ],
)
def test_where_nobody_listens_it_says_what_is_lacking(text, lacks):
    config = load(text + CALLBACKS)
    assert status_callback_url(config, config.accounts[0]) == ""
    (only,) = config.warnings
    assert "Exotel has nowhere to tell how callbacks ended" in only
    assert f"(say {lacks}" in only


@pytest.mark.parametrize(
    "more, said",
    [
        ('hours = "8:00-21:00"', ".hours: they are wider than 9:00 to 21:00"),
        ('hours = "9:00-22:00"', ".hours: they are wider than 9:00 to 21:00"),
        ("a_day = 5", ".a_day: Exotel's guides allow 3 calls a day to a number, and this is 5"),
        (
            "attempts = 9\ngap_s = 1800",
            ".attempts: the last of 9 would be 14,460 s after the promise, and within_s is 14,400",
        ),
        (
            "declined_gap_s = 14_340",
            ".declined_gap_s: who was busy or pressed the call away is never called again, as that "
            "would be 14,400 s after the promise, and within_s is 14,400 (raise it, or lower",
        ),
        ('[flows.77002]\nname = "x"', ".flow: 77001 is none of the [flows] that are named (did"),
    ],
)
def test_what_can_hardly_be_meant_is_said(more, said):
    (only,) = load(HEAD + ACCOUNT + CALLBACKS + more).warnings
    assert said in only


@pytest.mark.parametrize(
    "more",
    [
        'hours = "lenders"',
        'hours = "8:00-19:00"',
        "a_day = 3",
        "declined_gap_s = 14_339",
        "declined_gap_s = 28_800\nattempts = 1",
    ],
)
def test_what_may_be_meant_is_not(more):
    assert load(HEAD + ACCOUNT + CALLBACKS + more).warnings == ()


def test_polls_that_leave_no_questions_are_said():
    (only,) = load(HEAD + ACCOUNT + "rate_per_minute = 25" + CALLBACKS).warnings
    assert "polls every 3 s leave 5 of rate_per_minute 25" in only


def test_destinations_are_those_of_alerts():
    text = HEAD + ACCOUNT + CALLBACKS + 'tell = ["ops"]\n[alerts.send.ops]\nurl_env = "OPS"\n'
    (account,) = load(text).accounts
    assert account.callbacks is not None
    assert account.callbacks.tell == ("ops",)


def test_our_own_numbers_are_all_exophones_that_are_known():
    assert own_numbers(load("[endpoints.a]")) == frozenset()
    text = HEAD + ACCOUNT + CALLBACKS + '[exophones."+918047112244"]\nname = "x"\n'
    text += '[bots.b]\nexophones = ["+918047112255"]\n'
    assert own_numbers(load(text)) == {"+918047112233", "+918047112244", "+918047112255"}
    assert own_numbers(load(HEAD + ACCOUNT)) == frozenset()


@pytest.mark.parametrize(("allowed", "said"), [({}, 0), ({"मुख्य": 3}, 0), ({"मुख्य": 2}, 1)])
def test_a_reserve_that_leaves_no_stream_is_said_once_they_are_known(allowed, said):
    config = load(HEAD + ACCOUNT + CALLBACKS)
    found = list(promise_warnings(config, {}, allowed))
    assert len(found) == said
    for each in found:
        assert "callbacks.reserve: 2 of the 2 streams that Exotel allows" in each


PROMISING = '[default]\noption = "B"\npromise = true\nreason = "no room"\n'


@pytest.mark.parametrize(
    "text, said",
    [
        (ACCOUNT + CALLBACKS, []),
        (ACCOUNT, ["account मुख्य makes none: each is refused"]),
        ("", ["nothing says which account calls: each is refused"]),
    ],
)
def test_rules_that_promise_what_nobody_keeps_are_named(text, said):
    config = load(HEAD + text + "[endpoints.sales]\n[endpoints.support]\n")
    rules, others = (
        load_rules(each, file="r.toml", kind=EndpointKind.PASSTHRU)
        for each in (PROMISING, '[default]\noption = "B"\n')
    )
    found = list(promise_warnings(config, {"sales": rules, "support": others}, {}))
    assert len(found) == len(said)
    for each, words in zip(found, said, strict=True):
        assert each.startswith("endpoints.sales.rules: they promise callbacks")
        assert words in each

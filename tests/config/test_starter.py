"""The first configuration: whatever is answered, it runs, and says what was answered."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from switchhook.config import Config, ConfigProblems, load_config
from switchhook.config.starter import CONFIG, StarterAnswers, starter_files
from switchhook.config.values import Mode, Secret
from switchhook.rules.rules_file import load_rules

SECRET = "a-good-secret-of-24-chars"
TEXTS = st.text(max_size=50)


def load(answers: StarterAnswers) -> Config:
    texts = {file.path: file.text.encode() for file in starter_files(answers, SECRET)}
    return load_config(texts[CONFIG], file=CONFIG, environ={}, read_file=lambda path: texts[path])


def test_nothing_answered_is_a_configuration_with_what_can_be_said_later():
    config = load(StarterAnswers())
    (point,) = config.endpoints
    assert (point.name, point.mode, point.rules) == ("default", Mode.SYNC, "rules/default.toml")
    assert point.secrets == (Secret(SECRET),)
    assert config.answer.url == ""
    assert (config.accounts, config.alerts.destinations) == ((), ())


def test_everything_answered_is_in_it():
    config = load(
        StarterAnswers(
            endpoint="sales",
            url="https://hooks.example.com",
            leads_a="the bot",
            leads_b='people "at" the desk',
            sid="acme1",
            region="singapore",
            key="k1",
            token="t1",
            alerts_to="json://127.0.0.1/x",
            data="/var/lib/switchhook",
        )
    )
    (point,) = config.endpoints
    (account,) = config.accounts
    (ops,) = config.alerts.destinations
    assert (point.destinations.A, point.destinations.B) == ("the bot", 'people "at" the desk')
    assert point.account == account.name == "main"
    assert (account.region, account.key, account.token) == ("singapore", Secret("k1"), Secret("t1"))
    assert account.poll
    assert ops.url == Secret("json://127.0.0.1/x")
    assert (config.answer.url, config.data) == ("https://hooks.example.com", "/var/lib/switchhook")


def test_an_account_without_its_key_is_named_and_not_asked():
    (account,) = load(StarterAnswers(sid="acme1", key="k1")).accounts
    assert (account.sid, account.poll, account.key) == ("acme1", False, None)


def test_an_endpoint_that_decides_nothing_has_no_rules():
    answers = StarterAnswers(mode=Mode.ASYNC)
    assert load(answers).endpoints[0].rules is None
    assert "rules/default.toml" not in {each.path for each in starter_files(answers, SECRET)}


def test_what_is_left_for_later_checks_out_when_its_marks_are_taken_away():
    """Who follows the remarks gets a configuration that runs."""
    texts = {each.path: each.text for each in starter_files(StarterAnswers(), SECRET)}
    key = re.compile(r"^# (\[.*\]|[a-z_]+ = .*)$", re.MULTILINE)
    whole = key.sub(r"\1", texts[CONFIG]).replace('"…"', '"acme1"')
    texts |= {"secrets/exotel-key.txt": "k", "secrets/exotel-token.txt": "t"}
    texts |= {"secrets/alerts.txt": "json://127.0.0.1/x"}
    read = {path: text.encode() for path, text in texts.items()}
    config = load_config(whole, file=CONFIG, environ={}, read_file=lambda path: read[path])
    assert config.answer.url == "https://hooks.example.com"
    assert len(config.accounts) == len(config.alerts.destinations) == 1
    rules = re.sub(r"^# (\[\[.*\]\]|[a-z]+ = .*)$", r"\1", texts["rules/default.toml"], flags=re.M)
    assert rules.count("\n[[rule]]") == 2
    load_rules(rules, file="rules", strict=True)


def test_who_is_asked_about_can_call_back_when_its_marks_are_taken_away():
    answers = StarterAnswers(url="https://hooks.example.com", sid="acme1", key="k1", token="t1")
    texts = {each.path: each.text for each in starter_files(answers, SECRET)}
    assert load(answers).accounts[0].callbacks is None
    at = texts[CONFIG].index("# [accounts.main.callbacks]")
    block, rest = texts[CONFIG][at:].split("\n\n", 1)
    whole = texts[CONFIG][:at] + re.sub("^# ", "", block, flags=re.MULTILINE) + "\n\n" + rest
    config = load_config(
        whole, file=CONFIG, environ={}, read_file=lambda path: texts[path].encode()
    )
    callbacks = config.accounts[0].callbacks
    assert callbacks is not None
    assert (callbacks.exophone, callbacks.flow) == ("+918047112233", "77001")
    rules = re.sub("^# (promise = true)$", r"\1", texts["rules/default.toml"], flags=re.M)
    ruleset = load_rules(rules, file="rules", strict=True)
    assert [each.promise for each in ruleset.decisions] == ["bot trouble", ""]


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_is_taken_as_it_is_or_refused(leads_a, url, data):
    """Nothing that is typed can become another key, or another file."""
    answers = StarterAnswers(leads_a=leads_a, url=url, data=data)
    try:
        config = load(answers)
    except ConfigProblems as refused:
        keys = {each.key for each in refused.problems}
        assert keys <= {"endpoints.default.leads.A", "answer.url", "data"}
        return
    load_rules(starter_files(answers, SECRET)[1].text, file="rules", strict=True)
    (point,) = config.endpoints
    assert point.mode is Mode.SYNC
    assert (config.console, config.accounts) == (Config().console, ())

"""What hearing for promises goes by, as the configuration says it."""

from __future__ import annotations

from switchhook.config import load_config
from switchhook.server.promise_hearing import ConfiguredTerms

TEXT = """
[exophones."+918047112233"]
name = "Sales"

[accounts.main]
sid = "acme"
region = "mumbai"
key_env = "KEY"
token_env = "TOKEN"

[accounts.main.callbacks]
exophone = "+918047112234"
flow = "77001"

[accounts.other]
sid = "acme2"
region = "singapore"
poll = false

[endpoints.sales]
account = "main"

[endpoints.support]
account = "other"

[endpoints.stray]
"""


def load(text=TEXT):
    environ = {"KEY": "the-key", "TOKEN": "the-token"}
    return load_config(text, file="/etc/s.toml", environ=environ, read_file=lambda _: b"")


def test_terms_are_those_of_the_configuration_in_force():
    config = load()
    terms = ConfiguredTerms(lambda: config)
    named = [terms.account_of(each) for each in ("sales", "support", "stray", "gone")]
    assert named == ["main", "other", "", ""]
    assert terms.settings_of("main").flow == "77001"
    assert terms.settings_of("other") is None
    assert terms.own() == {"+918047112233", "+918047112234"}
    assert terms.country_of("gone") == "IN"
    config = load(TEXT.replace("77001", "77002"))
    assert terms.settings_of("main").flow == "77002"

"""Accounts, bots, flows and ExoPhones: what is taken, what is refused, and how names apply."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.config import Config, ConfigProblems, load_config
from switchhook.config.accounts import MOST_NAMES, REGIONS, AccountConfig, label
from switchhook.config.keys import RefusedValue
from switchhook.config.names import names_of
from switchhook.streams.names import Bot, NamedAccount

ENVIRON = {"KEY": "the-key", "TOKEN": "the-token", "STATUS": "a-secret-for-status-1"}
FILES = {
    "/etc/key": b"# from the dashboard\nthe-key-in-a-file\n",
    "/etc/token": b"the-token-in-a-file\n",
    "/etc/beat": b"a-secret-for-heartbeat\nanother-for-heartbeat\n",
    "/etc/odd": "ключ\n".encode(),
}
CREDENTIALS = 'key_env = "KEY"\ntoken_env = "TOKEN"'
MAIN = f'[accounts.main]\nsid = "acme"\nregion = "mumbai"\n{CREDENTIALS}\n'


def read_file(path: str) -> bytes:
    if path not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[path]


def load(text: str) -> Config:
    return load_config(text, file="/etc/s.toml", environ=ENVIRON, read_file=read_file)


def problem(text: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        load(text)
    (only,) = caught.value.problems
    return str(only).removeprefix("/etc/s.toml: ")


def account(text: str) -> AccountConfig:
    (only,) = load(text).accounts
    return only


def test_an_account_with_everything():
    found = account("""
        [accounts.main]
        sid = "acme-1"
        region = "singapore"
        key_file = "key"
        token_file = "/etc/token"
        poll = false
        quiet_s = 20
        busy_s = 5
        rate_per_minute = 30
        call_details = true
        status_secret_env = ["STATUS"]
        heartbeat_secret_files = ["beat"]
    """)
    assert (found.name, found.sid, found.url) == ("main", "acme-1", "https://api.exotel.com")
    assert found.key is not None
    assert found.token is not None
    assert (found.key.reveal(), found.token.reveal()) == (
        "the-key-in-a-file",
        "the-token-in-a-file",
    )
    assert (found.poll, found.call_details) == (False, True)
    assert (found.quiet_s, found.busy_s, found.rate_per_minute) == (20, 5, 30)
    secrets = found.webhook_secrets
    assert [each.reveal() for each in secrets.status] == ["a-secret-for-status-1"]
    assert [each.reveal() for each in secrets.heartbeat] == [
        "a-secret-for-heartbeat",
        "another-for-heartbeat",
    ]
    assert found.country == "SG"
    assert "the-key" not in repr(found)


def test_an_account_with_what_it_needs():
    found = account(MAIN)
    assert (found.url, found.country) == (REGIONS["mumbai"], "IN")
    assert (found.poll, found.quiet_s, found.busy_s, found.rate_per_minute) == (True, 10, 3, 60)
    assert not found.call_details


@pytest.mark.parametrize(
    "url, read",
    [
        ("https://api.example", "https://api.example"),
        ("https://API.Example:8443/base/", "https://api.example:8443/base"),
        ("http://127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("http://localhost:1/", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_an_api_may_be_elsewhere(url, read):
    assert account(f'[accounts.a]\nsid = "a"\nurl = "{url}"\n{CREDENTIALS}').url == read


@pytest.mark.parametrize(
    "url, said",
    [
        ("http://api.exotel.com", "http shows the API's key to the network"),
        ("http://127.0.0.1.evil.example", "http shows the API's key"),
        ("http://localhost.evil.example", "http shows the API's key"),
        ("https://k:t@api.example", "credentials in a URL"),
        ("https://api.example/?a=1", "a query or fragment"),
        ("https://api.example/#a", "a query or fragment"),
        ("https://api.example/../a%2f", "a path that can't be its base"),
        ("ftp://api.example", "no URL of an API"),
        ("https://", "no URL of an API"),
        ("https://[::1", "no URL"),
        ("https://api.example:99999", "no URL"),
        ("https://äpi.example", "no URL of an API"),
    ],
)
def test_urls_that_nothing_should_be_sent_to_are_refused(url, said):
    text = f'[accounts.a]\nsid = "a"\nregion = "mumbai"\nurl = "{url}"\n{CREDENTIALS}'
    found = problem(text)
    assert found.startswith("accounts.a.url: ")
    assert said in found
    assert "k:t" not in found


@pytest.mark.parametrize(
    "text, said",
    [
        ('[accounts.a]\nregion = "mumbai"\n' + CREDENTIALS, "accounts.a: it has no sid"),
        ('[accounts.a]\nsid = "a"\n' + CREDENTIALS, "nothing says where its API is"),
        ('[accounts.a]\nsid = "a b"\npoll = false', "accounts.a.sid: no such SID"),
        (MAIN + 'url = "https://api.example"', "it has a region and a url"),
        ('[accounts.a]\nsid = "a"\nregion = "mumbai"', "it has no API key, or no token"),
        (
            '[accounts.a]\nsid = "a"\nregion = "mumbai"\ncall_details = true\npoll = false\n'
            'key_env = "KEY"',
            "it has no API key, or no token",
        ),
        (MAIN.replace("KEY", "GONE"), "accounts.main.key_env: the environment has no 'GONE'"),
        (MAIN.replace('key_env = "KEY"', 'key_file = "gone"'), "'/etc/gone' can't be read"),
        (MAIN.replace('key_env = "KEY"', 'key_file = "odd"'), "it is no key"),
        (MAIN + 'key = "the-key"', "unknown key 'key' (did you mean key_env?"),
        (MAIN.replace("mumbai", "delhi"), "accounts.main.region: no such region"),
        (MAIN + "poll = 1", "it is neither true nor false"),
        (MAIN + "busy_s = 20", "it is asked more rarely when busy than when quiet"),
        (MAIN + "rate_per_minute = 10", "asking every 3 s takes 20 questions a minute"),
        (MAIN + "rate_per_minute = 201", "out of bounds (1 to 200)"),
        (MAIN + MAIN.replace("main", "too"), "it has the SID and place of account 'main'"),
        (MAIN + MAIN.replace("main]", "Main]").replace("acme", "b"), "'main' reads the same"),
        ('[accounts."a/b"]\nsid = "a"', "it holds / \\ ? or #"),
        ('[accounts."a\\u202eb"]\nsid = "a"', "the invisible character U+202E"),
        ('[endpoints.a]\naccount = "main"', "there is no account 'main' (none is configured)"),
        (MAIN + '[endpoints.a]\naccount = "mian"', "did you mean 'main'?"),
        ("[bots.a]", "bots.a: nothing says which streams are its"),
        ('[bots.a]\nhosts = ["wss://x"]', "bots.a.hosts: no host or pattern"),
        ('[bots.a]\nendpoints = ["b"]', "there is no endpoint 'b' (known: default)"),
        ('[bots.a]\nexophones = ["12"]', "bots.a.exophones: no full telephone number"),
        ('[flows."a b"]\nname = "x"', "no such flow is possible"),
        ("[flows.1]", "flows.1: it has no name"),
        ('[exophones.a]\nname = "x"', "no full telephone number"),
        (
            '[exophones."+918047112233"]\nname = "x"\n[exophones."08047112233"]\nname = "y"',
            "this ExoPhone has a name already",
        ),
        ('[endpoints.a.leads]\nA = "x\\ny"', "the invisible character U+000A"),
        ('[endpoints.a.leads]\nC = "x"', "unknown key 'C'"),
    ],
)
def test_what_cannot_be_used_is_said(text, said):
    assert said in problem(text)


def test_an_account_may_be_only_named():
    found = account('[accounts.old]\nsid = "a"\npoll = false')
    assert (found.key, found.url) == (None, "")


def test_too_many_names_are_refused():
    many = "\n".join(f"[flows.{at}]\nname = 'x'" for at in range(MOST_NAMES + 1))
    assert problem(many) == "flows: 10,001 of them; the most is 10,000"


NAMED = (
    MAIN
    + """
[endpoints.sales]
[endpoints.sales.leads]
A = "எங்கள் குழு"
B = "लोगों की कतार"

[endpoints.help]

[bots."बिक्री बॉट"]
hosts = ["*.Bot.Example", "bot.example"]
exophones = ["08047112233"]
endpoints = ["sales"]
owner = "Team Sales"
contact = "sales-oncall@example.com"

[bots.help]
endpoints = ["help"]

[flows.77001]
name = "മലയാളം‌ ഫ്ലോ"

[exophones."+918047112233"]
name = "मुख्य लाइन"
"""
)


def test_names_in_any_script_apply():
    names = names_of(load(NAMED))
    assert names.accounts == (NamedAccount("main", "acme", "mumbai"),)
    assert names.bots[0] == Bot(
        "बिक्री बॉट",
        ("*.bot.example", "bot.example"),
        ("sales",),
        ("+918047112233",),
        "Team Sales",
        "sales-oncall@example.com",
    )
    assert names.bot_name("eu.BOT.example") == "बिक्री बॉट"
    assert names.bot_name("", "help", "+918047112233") == "बिक्री बॉट"
    assert names.bot_name("", "help") == "help"
    assert names.bot_name("elsewhere.example", "help") == "elsewhere.example"
    assert names.flow("77001") == "മലയാളം‌ ഫ്ലോ"
    assert names.exophone("+918047112233") == "मुख्य लाइन"
    assert names.destination("sales", "A") == "எங்கள் குழு"
    assert names.destination("help", "A") == ""


def test_with_one_account_every_endpoint_is_its():
    assert names_of(load(NAMED)).accounts_of == {"sales": "main", "help": "main"}


def test_with_several_an_endpoint_says_whose_it_is():
    other = MAIN.replace("main", "other").replace("acme", "b")
    text = MAIN + other + '[endpoints.a]\naccount = "other"\n[endpoints.b]\n'
    assert names_of(load(text)).accounts_of == {"a": "other"}
    assert names_of(load("[endpoints.a]")).accounts_of == {}


@settings(deadline=None)
@given(st.text(min_size=1, max_size=30))
def test_a_label_is_shown_as_one_plain_line(text):
    try:
        said = label(64)(text)
    except RefusedValue:
        return
    assert said.splitlines() == [said]
    assert not set(said) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")

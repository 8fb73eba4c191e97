"""How an account calls back: what is taken, and each thing that can't be used is said in words."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from switchhook.callbacks.settings import CallbackSettings, CallingHours, VoicemailCounts
from switchhook.config import Config, ConfigProblems, load_config, without_secrets
from switchhook.config.accounts import AccountConfig
from switchhook.config.callbacks import NumberSet
from switchhook.exotel.asked_number import whole_number

ENVIRON = {"KEY": "the-key", "TOKEN": "the-token"}
ACCOUNT = '[accounts.main]\nsid = "acme"\nregion = "mumbai"\nkey_env = "KEY"\ntoken_env = "TOKEN"\n'
HERE = "[accounts.main.callbacks]\n"
FLOW = 'exophone = "+918047112233"\nflow = "77001"\n'
FILES = {
    "/etc/dnc.txt": b"# asked us to\n+919811100001\n\n098111 00002  # in May\r\n9811100002\n",
    "/etc/rubbish.txt": b"+919811100001\nAsha\n112\n\n+91 98\n",
    "/etc/many.txt": b"x\n" * 9,
    "/etc/empty.txt": b"\n\n",
    "/etc/nobody.txt": b"# nobody\n",
    "/etc/latin.txt": b"\xe4\n",
    "/etc/login": b"bot:p@ss word\n",
}


def read_file(path: str) -> bytes:
    if path not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[path]


def load(text: str) -> Config:
    return load_config(text, file="/etc/s.toml", environ=ENVIRON, read_file=read_file)


def account(text: str) -> AccountConfig:
    (only,) = load(ACCOUNT + HERE + text).accounts
    return only


def settings_of(text: str) -> CallbackSettings:
    found = account(text).callbacks
    assert found is not None
    return found


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        load(text)
    return [str(each).removeprefix("/etc/s.toml: ") for each in caught.value.problems]


def test_an_account_without_the_table_calls_nobody_back():
    (only,) = load(ACCOUNT).accounts
    assert (only.callbacks, only.callback_bot, only.do_not_call) == (None, None, NumberSet())


def test_with_what_it_needs_all_else_is_the_default():
    found = account(FLOW)
    assert found.callbacks == CallbackSettings(exophone="+918047112233", flow="77001")
    assert (found.callback_bot, found.do_not_call) == (None, frozenset())


def test_with_everything():
    found = account("""
        exophone = "080 4711 2233"
        bot = "wss://bot.example/media?sample-rate=16000"
        bot_auth_file = "login"
        hours = "10:30-18:00"
        days = ["sat", "mon", "mon"]
        zone = "Asia/Dubai"
        delay_s = 5
        within_s = 3600
        attempts = 2
        gap_s = 120
        declined_gap_s = 600
        a_day = 2
        ring_s = 20
        longest_s = 120
        served_s = 10
        voicemail = "kept"
        campaigns = true
        reserve = 4
        calls_an_hour = 60
        spend_an_hour = 50
        spend_a_number = 5.5
        price = 0.5
        check_whitelist = true
        do_not_call_file = "dnc.txt"
        [accounts.main.callbacks.classes]
        sales = 3
        support = 1
    """)
    assert found.callbacks == CallbackSettings(
        exophone="+918047112233",
        has_bot=True,
        hours=CallingHours(10 * 60 + 30, 18 * 60, (0, 5)),
        zone="Asia/Dubai",
        delay_s=5,
        within_s=3600,
        attempts=2,
        gap_s=120,
        declined_gap_s=600,
        a_day=2,
        ring_s=20,
        longest_s=120,
        served_s=10,
        voicemail=VoicemailCounts.KEPT,
        campaigns=True,
        reserve=4,
        classes={"sales": 3, "support": 1},
        calls_an_hour=60,
        spend_an_hour=50,
        spend_a_number=5.5,
        price=0.5,
        check_whitelist=True,
    )
    assert found.callback_bot is not None
    assert found.callback_bot.reveal() == (
        "wss://bot:p%40ss%20word@bot.example/media?sample-rate=16000"
    )
    assert set(found.do_not_call) == {"+919811100001", "+919811100002"}


def test_neither_numbers_nor_credentials_are_shown():
    text = FLOW.replace('flow = "77001"', 'bot = "wss://bot.example/m?token=abcdef&x=1"')
    found = account(f'{text}bot_auth_file = "login"\ndo_not_call_file = "dnc.txt"')
    assert "9811100001" not in repr(found)
    assert "p@ss" not in repr(found)
    assert "abcdef" not in repr(found)
    assert "abcdef" not in without_secrets(ACCOUNT + HERE + text)


@pytest.mark.parametrize(
    "said, hours",
    [
        ("default", CallingHours(9 * 60, 21 * 60)),
        ("lenders", CallingHours(8 * 60, 19 * 60)),
        ("9:00-21:00", CallingHours(9 * 60, 21 * 60)),
        ("09:05-09:06", CallingHours(9 * 60 + 5, 9 * 60 + 6)),
        ("0:00-24:00", CallingHours(0, 24 * 60)),
    ],
)
def test_hours(said, hours):
    assert settings_of(f'{FLOW}hours = "{said}"').hours == hours


@given(st.lists(st.from_regex(r"(\\+91|0|)[1-9][0-9]{9}", fullmatch=True), max_size=5))
def test_a_file_is_read_as_each_of_its_numbers_is(lines):
    """Mobile numbers of India, which most are, are read in a quicker way."""
    wanted = [whole_number(line) for line in lines]
    assume(wanted)
    assume(None not in wanted)
    FILES["/etc/drawn.txt"] = "\n".join(lines).encode()
    assert set(account(f'{FLOW}do_not_call_file = "drawn.txt"').do_not_call) == set(wanted)


def test_a_do_not_call_file_may_have_nobody_in_it():
    assert account(f'{FLOW}do_not_call_file = "nobody.txt"').do_not_call == frozenset()


@pytest.mark.parametrize(
    "text, said",
    [
        ('flow = "1"', ": nothing says which number calls"),
        ('exophone = "+918047112233"', ": nothing says where a callback leads"),
        (FLOW + 'bot = "wss://bot.example"', ": a callback leads into a flow or to a bot"),
        ('flow = "1"\nexophone = "12"', ".exophone: no full telephone number"),
        ('flow = "1"\nexophone = "+442999999999"', ".exophone: its country has no such number"),
        ('flow = "1"\nexophone = "1800 111 222"', ".exophone: it is a toll-free number, which"),
        ('flow = "a b"\nexophone = "08047112233"', ".flow: no such flow is possible"),
        (FLOW + "flows = 1", ": unknown key 'flows' (did you mean flow?"),
        (FLOW + 'hours = "21:00-9:00"', ".hours: they never open"),
        (FLOW + 'hours = "9:00-9:00"', ".hours: they never open"),
        (FLOW + 'hours = "9:00-25:00"', ".hours: no such hours are possible: '9:00-25:00'"),
        (FLOW + 'hours = "9:60-10:00"', ".hours: no such hours are possible"),
        (
            FLOW + 'hours = "always"',
            ".hours: no such hours are possible: 'always' (such as \"9:00-21:00\", or ",
        ),
        (FLOW + "days = []", ": there is no day, so that nobody is ever called"),
        (FLOW + 'days = ["someday"]', ".days: no such day: 'someday'"),
        (FLOW + 'zone = "Asia/Culcutta"', ".zone: no such time zone"),
        (FLOW + "attempts = 0", ".attempts: 0 is out of bounds (1 to 10)"),
        (FLOW + "delay_s = 600\nwithin_s = 600", ": delay_s 600 is not below within_s 600"),
        (FLOW + "price = 30", ": a call counts 30, above spend_a_number 20: nobody is called"),
        (FLOW + "spend_an_hour = 0", ": a call counts 1, above spend_an_hour 0"),
        (FLOW + 'voicemail = "yes"', ".voicemail: no such choice: 'yes'"),
        (FLOW + "classes = { VIP = 1 }", ".classes: no such class is possible: 'VIP'"),
        (FLOW + "classes = { vip = 0 }", ".classes.vip: 0 is out of bounds (1 to 1,000)"),
        (
            FLOW + "classes = {" + ", ".join(f"c{n} = 1" for n in range(101)) + "}",
            ".classes: 101 classes; the most is 100",
        ),
        (FLOW + 'tell = ["ops"]', ".tell: no destination is named 'ops'"),
        (FLOW + 'bot_auth_file = "login"', ": bot_auth_file is for bot, and there is none"),
        (FLOW + "allow_private = true", ": allow_private is for bot, and there is none"),
        (FLOW + 'do_not_call_file = "gone"', ".do_not_call_file: '/etc/gone' can't be read"),
        (FLOW + 'do_not_call_file = "empty.txt"', "'empty.txt' is empty (was it cut short?"),
        (FLOW + 'do_not_call_file = "latin.txt"', "'/etc/latin.txt' is not UTF-8 text"),
        (
            FLOW + 'do_not_call_file = "rubbish.txt"',
            ".do_not_call_file: no telephone number in lines 2, 3, 5 of 'rubbish.txt' (one",
        ),
        (FLOW + 'do_not_call_file = "many.txt"', "in lines 1, 2, 3, 4, 5 and 4 more of"),
    ],
)
def test_what_cannot_be_used_is_said(text, said):
    (only,) = problems(ACCOUNT + HERE + text)
    assert only.startswith("accounts.main.callbacks")
    assert said in only


BOT = 'exophone = "+918047112233"\n'


@pytest.mark.parametrize(
    "text, said",
    [
        ('bot = "https://bot.example"', ".bot: no ws or wss address"),
        (
            'bot = "wss://a:b@bot.example"',
            ".bot: a secret in the URL (put user:password into a file: bot_auth_file)",
        ),
        ('bot = "ws://bot.example"', ": bot: ws lets everybody on the way listen"),
        ('bot = "wss://10.0.0.7"', ": bot: its url is an address of"),
        (f'bot = "wss://bot.example/{"x" * 590}"', ": bot: 608 characters with its credentials"),
    ],
)
def test_a_bot_that_exotel_cannot_reach_is_refused(text, said):
    (only,) = problems(ACCOUNT + HERE + BOT + text)
    assert said in only


def test_a_bot_of_ones_own_network_may_be_allowed():
    found = account(BOT + 'bot = "ws://127.0.0.1:9000/bot"\nallow_private = true')
    assert found.callback_bot is not None
    assert found.callback_bot.reveal() == "ws://127.0.0.1:9000/bot"


@pytest.mark.parametrize(
    "text, said",
    [
        (ACCOUNT + "poll = false\n", "callbacks wait for free streams"),
        (ACCOUNT.replace('key_env = "KEY"\n', ""), "it has no API key, or no token"),
        (ACCOUNT.replace('region = "mumbai"\n', ""), "nothing says where its API is"),
        (ACCOUNT.replace('sid = "acme"\n', ""), "it has no sid"),
    ],
)
def test_an_account_that_cannot_call_is_refused(text, said):
    assert any(said in each for each in problems(text + HERE + FLOW))


def test_numbers_are_read_in_the_accounts_country():
    text = ACCOUNT.replace("mumbai", "singapore") + HERE
    (only,) = load(text + 'exophone = "6123 4567"\nflow = "1"').accounts
    assert only.callbacks is not None
    assert only.callbacks.exophone == "+6561234567"

"""Pools: what is read of `[bots]`, and each thing that is refused, with how to mend it."""

from __future__ import annotations

import pytest

from switchhook.config import Config, ConfigProblems, load_config
from switchhook.rules.bot_pool import BreakerSettings, Member, MemberState, Pool

FILES = {
    "/etc/a.txt": b"# of vendor A\nuser:the-password\n",
    "/etc/empty.txt": b"\n# nothing\n",
    "/etc/word.txt": b"the-password\n",
    "/etc/nobody.txt": b":the-password\n",
    "/etc/two.txt": b"user:one\nuser:two\n",
    "/etc/long.txt": b"user:" + b"x" * 300,
}
MEMBER = '[bots.sales.members.a]\nurl = "wss://a.example/s"\n'
POOL = f'{MEMBER}[endpoints.e]\nkind = "voicebot"\npool = "sales"\n'


def read_file(path: str) -> bytes:
    if path not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[path]


def load(text: str) -> Config:
    return load_config(text, file="/etc/s.toml", environ={}, read_file=read_file)


def refusal(text: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        load(text)
    return "\n".join(str(each).removeprefix("/etc/s.toml: ") for each in caught.value.problems)


FULL = """
[bots.sales]
hosts = ["*.a.example"]
owner = "Team Sales"
sticky = true

[bots.sales.breaker]
enabled = true
failure_share = 0.3
least = 5
window_s = 30
cool_down_s = 10

[bots.sales.members.vendor-a]
url = "wss://BOT.a.example/stream"
weight = 80
limit = 40
auth_file = "a.txt"
sample_rate = 16000
parameters = { lang = "hi", token = "t0p-secret" }

[bots.sales.members.vendor-b]
url = "ws://127.0.0.1:9000/"
state = "draining"
allow_private = true

[bots.plain]
hosts = ["plain.example"]

[endpoints.in]
kind = "voicebot"
pool = "sales"
fallback = "wss://fallback.example/s?sample-rate=8000"
when_off = 503
"""


def test_everything_that_a_pool_can_say():
    config = load(FULL)
    assert config.pools == (
        Pool(
            name="sales",
            members=(
                Member(name="vendor-a", url="wss://bot.a.example/stream", weight=80, limit=40),
                Member(name="vendor-b", url="ws://127.0.0.1:9000/", state=MemberState.DRAINING),
            ),
            sticky=True,
            breaker=BreakerSettings(
                enabled=True, failure_share=0.3, least=5, window_s=30, cool_down_s=10
            ),
        ),
    )
    assert config.pool("sales") is config.pools[0]
    assert config.pool("plain") is None
    first, second = config.bots
    assert first.hosts == ("*.a.example", "bot.a.example", "127.0.0.1")
    assert second.hosts == ("plain.example",)


def test_an_address_is_whole_and_shown_without_secrets():
    config = load(FULL)
    address = config.address("sales", "vendor-a")
    assert address is not None
    assert address.url.reveal() == (
        "wss://user:the-password@bot.a.example/stream?sample-rate=16000&lang=hi&token=t0p-secret"
    )
    assert address.shown == "wss://bot.a.example/stream?sample-rate=16000&lang=hi&token=…"
    for secret in ("the-password", "t0p-secret"):
        assert secret not in repr(config)
    assert not address.allow_private
    other = config.address("sales", "vendor-b")
    assert other is not None
    assert other.allow_private
    assert config.address("sales", "vendor-c") is None


def test_an_endpoint_of_kind_voicebot():
    (point,) = load(FULL).endpoints
    assert (point.kind, point.pool, point.when_off) == ("voicebot", "sales", 503)
    assert point.fallback is not None
    assert point.fallback.url.reveal() == "wss://fallback.example/s?sample-rate=8000"


@pytest.mark.parametrize("said, enabled", [("true", True), ("false", False)])
def test_the_short_form_of_a_breaker(said, enabled):
    (pool,) = load(f"[bots.sales]\nbreaker = {said}\n{POOL}").pools
    assert pool.breaker == BreakerSettings(enabled=enabled)


@pytest.mark.parametrize(
    "text, message",
    [
        ("[bots.sales.members]", "bots.sales.members: there is no member "
         "([bots.sales.members.NAME] with url)"),
        ("[bots.sales.members.a]\nweight = 1", "bots.sales.members.a: it has no url "
         '(url = "wss://bot.example/stream")'),
        (f"{MEMBER}weight = 0", "bots.sales.members: each member has weight 0, so that none takes "
         "a call (raise one)"),
        (f"{MEMBER}weight = 1001",
         "bots.sales.members.a.weight: 1001 is out of bounds (0 to 1,000)"),
        (f"{MEMBER}limit = 0", "bots.sales.members.a.limit: 0 is out of bounds (1 to 100,000)"),
        (f'{MEMBER}state = "off"', "bots.sales.members.a.state: no such choice: 'off' "
         '("in" or "draining" or "out")'),
        (f'{MEMBER}[bots.sales.members.b]\nurl = "wss://A.example/s"\nauth_file = "a.txt"',
         "bots.sales.members: member 'b' has the address of 'a' "
         "(remove one of them, and give the other its weight)"),
        (f'{MEMBER}auth_file = "gone.txt"', "bots.sales.members.a.auth_file: '/etc/gone.txt' "
         "can't be read: No such file or directory (one line: user:password)"),
        (f'{MEMBER}auth_file = "empty.txt"', "bots.sales.members.a.auth_file: '/etc/empty.txt' "
         "holds no secret (one line: user:password)"),
        (f'{MEMBER}auth_file = "word.txt"', "bots.sales.members.a.auth_file: there is no colon in "
         "'word.txt' (one line: user:password)"),
        (f'{MEMBER}auth_file = "nobody.txt"', "bots.sales.members.a.auth_file: there is no user "
         "before the colon in 'nobody.txt' (one line: user:password)"),
        (f'{MEMBER}auth_file = "two.txt"', "bots.sales.members.a.auth_file: 'two.txt' holds 2 "
         "lines (one line: user:password)"),
        (f'{MEMBER}auth_file = "long.txt"', "bots.sales.members.a.auth_file: 'long.txt' holds more "
         "than 256 characters, or invisible ones (one line: user:password)"),
        (f"{MEMBER}sample_rate = 44100", "bots.sales.members.a.sample_rate: this sample rate is "
         "not known: 44100 (8000, 16000 or 24000)"),
        (f'{MEMBER}parameters = {{ a = "1", b = "2", c = "3", d = "4", e = "5" }}',
         "bots.sales.members.a.parameters: 5 custom parameters; Exotel takes 3 "
         "(remove 2, such as d, e)"),
        (f'{MEMBER}parameters = {{ a = "1", b = "{"x" * 252}" }}',
         "bots.sales.members.a.parameters: custom parameters of 258 characters in the URL; "
         "Exotel takes 256, that is 2 too many (shorten 'b', the longest: 254)"),
        (f'{MEMBER}parameters = {{ sample-rate = "1" }}', "bots.sales.members.a.parameters: "
         "sample-rate is no custom parameter (sample_rate = 16000)"),
        (f'{MEMBER}parameters = {{ "a&b" = "1" }}', "bots.sales.members.a.parameters: "
         "no such parameter is possible: 'a&b' (1 to 64 of A-Z, a-z, 0-9, _, . and -)"),
        (f"{MEMBER}parameters = {{ a = 1 }}", "bots.sales.members.a.parameters: a is not a text "
         '(parameters = { lang = "hi" })'),
        (f'{MEMBER}parameters = {{ a = "\\u0007" }}', "bots.sales.members.a.parameters: a holds "
         "an invisible character (remove it)"),
        (f'{MEMBER}parameters = "a=1"', "bots.sales.members.a.parameters: it is not a table "
         '(parameters = { lang = "hi" })'),
        ('[bots.sales.members.a]\nurl = "wss://u:p@a.example/s"', "bots.sales.members.a.url: a "
         "secret in the URL (put user:password into a file: auth_file)"),
        ('[bots.sales.members.a]\nurl = "ws://a.example/s"', "bots.sales.members.a: ws lets "
         "everybody on the way listen to the call "
         "(write wss, or allow_private = true for a network of your own)"),
        ('[bots.sales.members.a]\nurl = "ws://127.0.0.1:1/s"', "bots.sales.members.a: its url is "
         "an address of this machine, which Exotel can't reach "
         "(if your network can: allow_private = true)"),
        ('[bots.sales.members.a]\nurl = "wss://169.254.169.254/s"', "bots.sales.members.a: its url "
         "is an address of a link-local network, which Exotel can't reach "
         "(if your network can: allow_private = true)"),
        *((f'[bots.sales.members.a]\nurl = "wss://{host}/s"', "bots.sales.members.a: its url "
           "is an address of this machine, which Exotel can't reach "
           "(if your network can: allow_private = true)")
          for host in ("2130706433:18080", "0x7f.1:18080", "0177.1", "127.0.0.1.", "[::1]",
                       "[::ffff:127.0.0.1]", "localhost.", "a.localhost", "0")),
        ('[bots.sales.members.a]\nurl = "wss://[fe80::1%eth0]/s"', "bots.sales.members.a: its url "
         "is an address of a link-local network, which Exotel can't reach "
         "(if your network can: allow_private = true)"),
        ('[bots.sales.members.a]\nurl = "wss://1.2.3.256/s"', "bots.sales.members.a.url: "
         "no IP address is possible like '1.2.3.256' (four numbers such as 203.0.113.7, or a name "
         'such as "wss://bot.example/stream")'),
        ('[bots.sales.members.a]\nurl = "wss://%31%32%37.0.0.1/s"', "bots.sales.members.a.url: "
         "no host is possible like '%31%32%37.0.0.1' "
         '(such as "wss://bot.example/stream")'),
        ('[bots.sales.members.a]\nurl = "wss://a.example:0/s"', "bots.sales.members.a.url: "
         "nobody can connect to port 0 (the bot's port, or none for 443)"),
        *((f'{MEMBER}[bots.sales.members.b]\nurl = "{url}"',
           "bots.sales.members: member 'b' has the address of 'a' "
           "(remove one of them, and give the other its weight)")
          for url in ("wss://A.example:443/s", "wss://a.example./s")),
        (f"{MEMBER}wieght = 3", "bots.sales.members.a: unknown key 'wieght' (did you mean weight? "
         "known: url, weight, limit, state, auth_file, sample_rate, parameters, allow_private)"),
        (f"[bots.sales]\nbreaker = 3\n{MEMBER}", "bots.sales.breaker: it is neither true, false "
         "nor a table (breaker = true, or [bots.sales.breaker] with enabled = true)"),
        (f"{MEMBER}[bots.sales.breaker]\nfailure_share = 2", "bots.sales.breaker.failure_share: "
         "2 is out of bounds (0.01 to 1)"),
        (f"{MEMBER}[bots.sales.breaker]\nenable = true", "bots.sales.breaker: unknown key 'enable' "
         "(did you mean enabled? known: enabled, failure_share, least, window_s, cool_down_s)"),
        ('[bots.sales]\nhosts = ["a.example"]\nsticky = true', "bots.sales: sticky is for a pool, "
         "and it has no members ([bots.sales.members.NAME] with url, or remove sticky)"),
        ('[bots.sales.members."a/b"]\nurl = "wss://a.example"', "bots.sales.members.'a/b': no such "
         "name is possible for this member: it holds / \\ ? or # (it becomes part of addresses)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_pool_is_said(text, message):
    said = refusal(text + "\n")
    assert said.startswith(message), said
    assert "the-password" not in said

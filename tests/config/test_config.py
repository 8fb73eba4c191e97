"""The configuration: what it takes, what it refuses, and that secrets show nowhere."""

from __future__ import annotations

import copy
import ipaddress
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.access.roles import OidcSettings, Role
from switchhook.alerts.alert_rule import AlertRule, Comparison
from switchhook.callbacks.settings import CallbackSettings
from switchhook.config import (
    LARGEST,
    AuthMode,
    Config,
    ConfigProblems,
    EndpointConfig,
    ListenAddress,
    Mode,
    Secret,
    data_folder_of,
    load_config,
    override,
    without_secrets,
)
from switchhook.config.accounts import AccountConfig
from switchhook.errors import ConfigError
from switchhook.rules.bot_pool import Member, Pool
from switchhook.rules.decide import Option

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
GOOD = "a-good-secret-of-24-chars"
OTHER = "another-good-secret-here"

FULL = f"""
data = "/var/lib/switchhook"

[answer]
listen = "[::]:8443"
trusted_proxies = ["10.0.0.7", "fd00::/8"]
max_connections = 100
max_connections_per_address = 10

[console]
listen = "localhost:0"

[journal]
segment_mb = 64
ceiling_gb = 1.5
pending_mb = 8

[endpoints.sales]
mode = "async"
auth = "report-only"
secrets = ["{GOOD}", "{OTHER}", "{GOOD}"]
rules = "rules/sales.toml"
safe_option = "A"
deadline_ms = 250
region = "SG"
zone = "Asia/Singapore"

[endpoints.sales.bodies]
A = '{{"select": "sales"}}'

[endpoints.support]
secret_files = ["secrets.txt", "/run/secret"]
secret_env = ["SUPPORT_SECRET"]
"""
FILES = {
    "/etc/switchhook/secrets.txt": b"# old\nfirst-secret-of-a-file\n\n  second-secret-here \n",
    "/run/secret": b"an-absolute-secret-file\n",
    "/etc/switchhook/empty.txt": b"# nothing but a remark\n",
    "/etc/switchhook/latin1.txt": b"caf\xe9-caf\xe9-caf\xe9-caf\xe9",
}
ENVIRON = {"SUPPORT_SECRET": " secret-of-the-environment ", "EMPTY": ""}


def read_file(path: str) -> bytes:
    if path not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[path]


def load(text: str | bytes) -> Config:
    return load_config(
        text, file="/etc/switchhook/switchhook.toml", environ=ENVIRON, read_file=read_file
    )


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        load(text)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.problems)
    assert all(isinstance(problem, ConfigError) for problem in caught.value.problems)
    start = "/etc/switchhook/switchhook.toml: "
    assert all(line.startswith(start) for line in lines)
    return [line.removeprefix(start) for line in lines]


def problem(text: str | bytes) -> str:
    (only,) = problems(text)
    return only


def revealed(endpoint: EndpointConfig) -> list[str]:
    return [secret.reveal() for secret in endpoint.secrets]


def test_every_key_is_read() -> None:
    """Each key of the page ends in its field."""
    config = load(FULL)
    assert config.data == "/var/lib/switchhook"
    assert config.answer.listen == ListenAddress("::", 8443)
    assert config.answer.trusted_proxies == (
        ipaddress.ip_network("10.0.0.7/32"),
        ipaddress.ip_network("fd00::/8"),
    )
    assert (config.answer.max_connections, config.answer.max_connections_per_address) == (100, 10)
    assert config.console.listen == ListenAddress("127.0.0.1", 0)
    assert (config.journal.segment_mb, config.journal.pending_mb) == (64, 8)
    assert config.journal.ceiling_gb == 1.5
    sales, support = config.endpoints
    assert (sales.name, sales.mode, sales.auth) == ("sales", Mode.ASYNC, AuthMode.REPORT_ONLY)
    assert revealed(sales) == [GOOD, OTHER]
    assert sales.rules == "/etc/switchhook/rules/sales.toml"
    assert (sales.safe_option, sales.deadline_ms) == (Option.A, 250)
    assert (sales.region, sales.zone) == ("SG", "Asia/Singapore")
    assert (sales.bodies.A, sales.bodies.B) == ('{"select": "sales"}', None)
    assert revealed(support) == [
        "first-secret-of-a-file",
        "second-secret-here",
        "an-absolute-secret-file",
        "secret-of-the-environment",
    ]
    assert config.warnings == ()
    assert config.endpoint("support") is support
    assert config.endpoint("nobody") is None


def test_defaults() -> None:
    """No configuration at all: one endpoint, built-in rules, loopback, no secret."""
    config = Config()
    assert [endpoint.name for endpoint in config.endpoints] == ["default"]
    default = config.endpoints[0]
    assert (default.mode, default.auth) == (Mode.SYNC, AuthMode.ENFORCE)
    assert (default.secrets, default.rules, default.safe_option) == ((), None, Option.B)
    assert config.answer.listen.loopback
    assert config.console.listen.loopback
    assert load('data = "data"').endpoints == config.endpoints
    assert override(config) == config


def test_paths_are_beside_the_file() -> None:
    """A relative path means the same from wherever the program is started."""
    assert load("[endpoints.a]").data == "/etc/switchhook/data"
    beside = load_config(
        "[endpoints.a]\nrules='r.toml'", file="x.toml", environ={}, read_file=read_file
    )
    assert (beside.data, beside.endpoints[0].rules) == ("data", "r.toml")


def test_all_problems_at_once() -> None:
    """One run tells everything that is wrong."""
    said = problems(
        'daat = "x"\n[answer]\nlisten = "nowhere"\n[journal]\nsegment_mb = 0\n'
        '[endpoints.a]\nmod = "sync"\nzone = "Asia/Kolkatta"\n[endpoints."b c"]\n'
    )
    assert len(said) == 6
    assert {line.split(": ")[0] for line in said} == {
        "answer.listen",
        "journal.segment_mb",
        "endpoints.a.zone",
        "endpoints.a",
        "endpoints.'b c'",
        "unknown key 'daat' (did you mean data? known",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("daat = 1", "unknown key 'daat' (did you mean data? known: data, answer, console,"),
        ("[answer]\nport = 80", "answer: unknown key 'port' (known: listen, url, trusted_proxies,"),
        ("[endpoints.a]\nsecret = 1", "unknown key 'secret' (did you mean secrets? known: mode,"),
        ("[endpoints.a.bodies]\nC = ''", "endpoints.a.bodies: unknown key 'C'"),
        ("answer = 1", "answer: it is not a table (write [answer] on a line"),
        ("data = 1", "data: it is a whole number, not a text"),
        ('data = ""', "data: 0 characters; it takes 1 to 4,096"),
        ('data = "a\\u0000b"', "data: a path can't hold a NUL character"),
        ('[answer]\nlisten = "127.0.0.1"', "answer.listen: no address and port: '127.0.0.1'"),
        ('[answer]\nlisten = "::1:80"', "answer.listen: no address and port"),
        ('[answer]\nlisten = "[127.0.0.1]:80"', "answer.listen: no address and port"),
        ('[answer]\nlisten = "127.0.0.1:70000"', "answer.listen: no address and port"),
        ('[answer]\nlisten = "127.0.0.1:0000000080"', "answer.listen: no address and port"),
        ('[answer]\nlisten = "web.example:80"', "'web.example' is not an IP address"),
        ('[answer]\nlisten = ":80"', "answer.listen: '' is not an IP address"),
        ("[answer]\nlisten = 8080", "answer.listen: it is a whole number, not a text"),
        ("[answer]\ntrusted_proxies = '10.0.0.1'", "it is a text, not a list"),
        ("[answer]\ntrusted_proxies = ['10.0.0.1/8']", 'you may mean "10.0.0.0/8"'),
        ("[answer]\ntrusted_proxies = ['0.0.0.0/0']", "is everybody"),
        ("[answer]\ntrusted_proxies = ['proxy']", "no address or block: 'proxy'"),
        ("[answer]\nmax_connections = 0", "answer.max_connections: 0 is out of bounds"),
        ("[answer]\nmax_connections = true", "it is true or false, not a whole number"),
        ("[answer]\nmax_connections = " + "9" * 400, "a number of many digits is out of bounds"),
        ("[answer]\nmax_connections = 1979-05-27", "it is a date or time, not a whole number"),
        ("[journal]\nceiling_gb = nan", "journal.ceiling_gb: nan is out of bounds"),
        ("[journal]\nceiling_gb = []", "journal.ceiling_gb: it is a list, not a number"),
        ("[journal]\nceiling_gb = 0.1", "it holds less than two segments of 256 MB"),
        ('[endpoints.a]\nmode = "Sync"', 'no such choice: \'Sync\' ("sync" or "async")'),
        ('[endpoints.a]\nauth = "off"', '("enforce" or "report-only" or "open")'),
        ("[endpoints.a]\nsafe_option = []", 'endpoints.a.safe_option: no such choice: [] ("A"'),
        ("[endpoints.a]\ndeadline_ms = 49", "49 is out of bounds (50 to 10,000)"),
        ('[endpoints.a]\nregion = "in"', "no such region: 'in'"),
        ('[endpoints.a]\nzone = "Asia/Kolkatta"', 'did you mean "Asia/Kolkata"?'),
        ('[endpoints.a]\nzone = "../../etc/passwd"', "no such time zone"),
        ('[endpoints.a]\nzone = "Asia"', "no such time zone"),
        ("[endpoints.a]\nbodies = 1", "endpoints.a.bodies: it is not a table"),
        ("[endpoints.a.bodies]\nA = '" + "x" * 9000 + "'", "9,000 characters; it takes 1 to 8,192"),
        ("[endpoints.'ä']", "endpoints.'ä': no such name is possible"),
        ("[endpoints.'']", "endpoints.'': no such name is possible"),
        ("[endpoints." + "x" * 65 + "]", "no such name is possible for an endpoint"),
        ("[endpoints.Sales]\n[endpoints.sales]", "'Sales' differs in case only"),
        ("endpoints = []", "endpoints: it is not a table"),
        ("[endpoints]\na = 1", "endpoints.a: it is not a table"),
        ('[endpoints.a]\nsecret_files = ["gone.txt"]', "can't be read: No such file"),
        ('[endpoints.a]\nsecret_files = ["empty.txt"]', "holds no secret"),
        ('[endpoints.a]\nsecret_files = ["latin1.txt"]', "is not UTF-8 text"),
        ('[endpoints.a]\nsecret_env = ["GONE"]', "the environment has no 'GONE'"),
        ('[endpoints.a]\nsecret_env = ["EMPTY"]', "the environment has no 'EMPTY'"),
        ("[endpoints.a]\nsecrets = [1]", "endpoints.a.secrets: a secret is not a text"),
        ('[endpoints.a]\nsecrets = ["short"]', "a secret of 5 characters; it takes 16 to 256"),
        ('[endpoints.a]\nsecrets = ["tab\\tand-16-characters"]', "control characters"),
        ("", "the file says nothing"),
        ("# a remark", "the file says nothing"),
        ("data = ", "not TOML: invalid value (at end of document) (was the file cut short?)"),
        ("data = 1\ndata = 2", "not TOML: "),
        ("x = " + "9" * 5000, "not TOML: a value is too large or too deep"),
        ("x = " + "[" * 5000, "not TOML: a value is too large or too deep"),
        ("data = 'a'\0", "there is a NUL character in it"),
        (b"data = '\xff'", "not UTF-8 text, at byte 8"),
        ("data = '\ud800'", "not Unicode text"),
        ("#" * (LARGEST + 1), "the file has 1,000,001 bytes, the most is 1,000,000"),
    ],
)
def test_refused(text: str | bytes, words: str) -> None:
    """Each problem names its key, says what is wrong, and how to mend it."""
    said = problem(text)
    assert words in said


def test_bom_is_no_problem() -> None:
    """Some editors begin a file with it."""
    assert load("\ufeff[endpoints.a]").endpoints[0].name == "a"


def test_public_port_needs_a_secret() -> None:
    """Beyond loopback each endpoint has to have one; report-only with a secret is fine."""
    public = '[answer]\nlisten = "0.0.0.0:80"\n'
    said = problem(f'{public}[endpoints.a]\n[endpoints.b]\nsecrets = ["{GOOD}"]')
    assert said.startswith(
        "endpoints.a: it has no secret, and the answer side listens on 0.0.0.0:80"
    )
    assert "switchhook secret" in said
    assert problem(public).startswith("endpoints.default: it has no secret")
    load(f'{public}[endpoints.b]\nauth = "report-only"\nsecrets = ["{GOOD}"]')


def test_console_without_users_stays_on_loopback() -> None:
    """Whoever reaches it could see everything."""
    said = problem('[console]\nlisten = "0.0.0.0:81"')
    assert "SSH tunnel" in said
    assert "console.users = true" in said
    assert not load('[console]\nlisten = "0.0.0.0:81"\nusers = true').console.listen.loopback
    assert load('[console]\nlisten = "[::1]:81"').console.listen == ListenAddress("::1", 81)


def test_both_sides_on_one_port() -> None:
    """The second one would fail to start; two free ports are two."""
    assert "already" in problem('[console]\nlisten = "127.0.0.1:8080"')
    free = override(Config(), answer="127.0.0.1:0", console="127.0.0.1:0")
    assert free.answer.listen == free.console.listen


def test_override() -> None:
    """The command line wins, by the same rules."""
    config = override(Config(), data="/d", answer="[::1]:1", console="localhost:2")
    assert config.data == "/d"
    assert str(config.answer.listen) == "[::1]:1"
    assert str(config.console.listen) == "127.0.0.1:2"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"answer": "8080"}, "--answer: no address and port: '8080'"),
        ({"console": "x:1"}, "--console: 'x' is not an IP address"),
        ({"answer": "0.0.0.0:80"}, "endpoints.default: it has no secret"),
        ({"console": "10.0.0.1:80"}, "console.listen: 10.0.0.1:80 is not loopback"),
    ],
)
def test_override_refused(said: dict[str, str], words: str) -> None:
    """What the file may not say the command line may not say either."""
    with pytest.raises(ConfigProblems) as caught:
        override(Config(), **said)
    assert words in str(caught.value)


@pytest.mark.parametrize("letter", "+&=#% /?é")
def test_secret_that_a_url_alters_is_a_warning(letter: str) -> None:
    """Such a secret works by Basic, but not as pasted into the dashboard."""
    config = load(f'[endpoints.a]\nsecrets = ["{GOOD}{letter}", "{OTHER}{letter}"]')
    (warning,) = config.warnings
    assert warning.startswith("endpoints.a: a secret holds other characters")
    assert "switchhook secret" in warning
    assert GOOD not in warning


def test_secret_shows_nowhere() -> None:
    """Not in a repr, a text, a format, JSON, or the record of a configuration."""
    config = load(FULL)
    secret = Secret(GOOD)
    shown = [repr(config), str(config), f"{secret} {secret!r}", without_secrets(FULL)]
    assert not any(GOOD in text or "secret-of" in text for text in shown)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    assert secret == Secret(GOOD)
    assert secret != Secret(OTHER)
    assert secret != GOOD
    assert copy.deepcopy(secret) == secret
    assert len({secret, Secret(GOOD)}) == 1


def test_no_error_repeats_a_secret() -> None:
    """Whatever is wrong around and with a secret, its text stays out of the message."""
    short = "0123456789abcde"
    for text in (
        f'[endpoints.a]\nsecrets = "{GOOD}"',
        f'[endpoints.a]\nsecrets = ["{short}"]',
        f'[endpoints.a]\nsecrets = [["{GOOD}"]]',
        f'[endpoints.a]\nsecrets = ["{GOOD}\\u0007"]',
        f'[endpoints.a]\nsecrets = ["{GOOD}", ]]',
        f'[endpoints.a]\nsecrets = ["{GOOD}"\n',
        f'[endpoints.a]\nsecret = "{GOOD}"',
        f'[answer]\nlisten = "0.0.0.0:80"\n[endpoints.a]\nsecrets = ["{GOOD}"]\n[endpoints.b]\n',
    ):
        said = "\n".join(problems(text))
        assert GOOD not in said
        assert short not in said


def test_record_leaves_comments_out() -> None:
    """People keep old secrets in comments."""
    record = without_secrets(
        f'# "{OTHER}"\n[endpoints.a]\nsecrets = ["{GOOD}"]\nmode = "async"'.encode()
    )
    assert GOOD not in record
    assert OTHER not in record
    assert msgspec.json.decode(record) == {
        "endpoints": {"a": {"secrets": ["Secret(…)"], "mode": "async"}}
    }


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ('data = "/srv/x"\n[answer', "/srv/x"),
        ('\ufeffdata = "/srv/x"\nbroken\n', "/srv/x"),
        (b"data = 'inner'\n\xff", "/etc/inner"),
        ("[answer]\ndata = 'not this'", "/etc/data"),
        ("data = ", "/etc/data"),
        ("data = 1", "/etc/data"),
        ("", "/etc/data"),
    ],
)
def test_data_folder_of_a_broken_file(text: str | bytes, folder: str) -> None:
    """A broken file must not hide where the last good one is kept."""
    assert data_folder_of(text, file="/etc/s.toml") == folder


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(FULL.encode())))
def test_a_file_cut_short_never_ends_in_a_crash(length: int) -> None:
    """Cut at any byte, it is refused or says less; it never says something else."""
    try:
        config = load(FULL.encode()[:length])
    except ConfigError:
        return
    whole = load(FULL)
    names = [endpoint.name for endpoint in whole.endpoints]
    assert [endpoint.name for endpoint in config.endpoints] in (["default"], names[:1], names)


_WORDS = st.sampled_from([
    "[answer]", "[endpoints.a]", "[endpoints.a.bodies]", "[journal]", "=", "listen", "data", "mode",
    "true", "endpoints", "zone", "secrets", '"0.0.0.0:1"', '"x"', "[", "]", "[[", '"sync"', "1",
    "-1", "1e999", "{", "}", ",", ".", "#", "\\", "1979-05-27", "\0", "é", "\n", "'''",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.binary(max_size=80),
        st.lists(_WORDS, max_size=25).map("".join),
        st.lists(st.tuples(_WORDS, _WORDS).map(" = ".join), max_size=6).map("\n".join),
    )
)
def test_any_text_loads_or_is_refused(text: str | bytes) -> None:
    """No text ends in anything but a Config or a ConfigError, and both can be shown."""
    try:
        said = repr(load(text))
    except ConfigError as error:
        said = str(error)
    assert said


def _entries() -> set[str]:
    return set(re.findall(r"^### `([^`]+)`", DOCS.read_text(), re.MULTILINE))


TABLES = {
    "accounts",
    "accounts.NAME.callbacks",
    "alerts",
    "alerts.rule",
    "alerts.send",
    "alerts.policy",
    "answer",
    "bots",
    "bots.NAME.members",
    "console",
    "console.oidc",
    "endpoints",
    "endpoints.NAME.bodies",
    "endpoints.NAME.leads",
    "exophones",
    "flags",
    "flows",
    "journal",
    "keep",
    "log",
    "ofrep",
    "releases",
    "cluster",
    "traces",
}


def _known_keys() -> set[str]:
    """Every key that the loader knows, as its own hints list them."""
    keys: set[str] = set()
    for section, table in (
        ("", ""),
        ("answer.", "[answer]"),
        ("console.", "[console]"),
        ("console.oidc.", "[console.oidc]"),
        ("journal.", "[journal]"),
        ("log.", "[log]"),
        ("traces.", "[traces]"),
        ("endpoints.NAME.", "[endpoints.NAME]"),
        ("endpoints.NAME.bodies.", "[endpoints.NAME.bodies]"),
        ("endpoints.NAME.leads.", "[endpoints.NAME.leads]"),
        ("accounts.NAME.", "[accounts.NAME]"),
        ("accounts.NAME.callbacks.", "[accounts.NAME.callbacks]"),
        ("bots.NAME.", "[bots.NAME]"),
        ("bots.NAME.breaker.", "[bots.NAME.breaker]"),
        ("bots.NAME.members.NAME.", "[bots.NAME.members.NAME]"),
        ("flags.NAME.", "[flags.name]"),
        ("ofrep.", "[ofrep]"),
        ("flows.ID.", "[flows.ID]"),
        ("exophones.NUMBER.", '[exophones."+918047112233"]'),
        ("keep.", "[keep]"),
        ("releases.", "[releases]"),
        ("cluster.", "[cluster]"),
        ("alerts.", "[alerts]"),
        ("alerts.send.NAME.", "[alerts.send.NAME]"),
        ("alerts.policy.NAME.", "[alerts.policy.NAME]"),
        ("alerts.rule.", "[[alerts.rule]]"),
    ):
        said = "\n".join(problems(f"{table}\nunknown_ = 1"))
        known = re.findall(r"known: (.*)\)$", said, re.MULTILINE)[0]
        keys |= {section + key for key in known.split(", ")}
    return keys - TABLES


def test_every_key_is_documented() -> None:
    """The page has an entry for each key, and none for a key that is not there."""
    assert _entries() == _known_keys()


def test_documented_defaults_are_true() -> None:
    """What the page says about a default is what the field has."""
    config = msgspec.to_builtins(Config(), enc_hook=str)
    oidc = OidcSettings(issuer="", client_id="")
    config["console"]["oidc"] = msgspec.to_builtins(oidc, enc_hook=str)
    config["endpoints"] = {"NAME": config["endpoints"][0] | {"allow_private": False}}
    callbacks = msgspec.to_builtins(CallbackSettings()) | {"allow_private": False}
    hours = [f"{callbacks['hours'][at] // 60}:00" for at in ("from_minute", "until_minute")]
    callbacks |= {"hours": "-".join(hours)}
    account = msgspec.to_builtins(AccountConfig(name=""), enc_hook=str) | {"callbacks": callbacks}
    config["accounts"] = {"NAME": account}
    member = msgspec.to_builtins(Member(name="", url="")) | {"allow_private": False}
    pool = msgspec.to_builtins(Pool(name="", members=()))
    config["bots"] = {"NAME": pool | {"members": {"NAME": member}}}
    alerts = config["alerts"]
    alerts |= {"zone": alerts["quiet"]["zone"], "defaults": bool(alerts["rules"]), "off": []}
    rule = AlertRule(name="", title="", figure="", comparison=Comparison.ABOVE, threshold=0)
    alerts["rule"] = msgspec.to_builtins(rule)
    said = dict(
        re.findall(r"^### `([^`]+)`\n+[^\n]*default `([^`]+)`", DOCS.read_text(), re.MULTILINE)
    )
    assert len(said) > 10
    del said["bots.NAME.breaker"]  # the short form of the table
    for key, default in said.items():
        value = config
        for part in key.split("."):
            value = value[part]
        if isinstance(value, dict):
            value = str(ListenAddress(**value))
        if key == "console.release_role":
            value = Role(value).word
        assert msgspec.json.encode(value) == msgspec.json.encode(msgspec.json.decode(default)), key


FILES_OF_THE_PAGE = {"vendor": b"user:password", "do-not-call": b"+919811100001 # asked us to"}


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL))
def test_examples_of_the_page_load(block: str) -> None:
    """Who copies an example gets a configuration that works."""
    config = load_config(
        block,
        file="switchhook.toml",
        environ={
            **dict.fromkeys(("SWITCHHOOK_SALES_SECRET", "EXOTEL_KEY", "EXOTEL_TOKEN"), GOOD),
            **dict.fromkeys(("MONITOR_URL", "OPS_SLACK_URL"), "https://hooks.example.com/x"),
        },
        read_file=lambda path: next(
            (said for name, said in FILES_OF_THE_PAGE.items() if name in path), GOOD.encode()
        ),
    )
    assert config.endpoints
    assert config.warnings == ()

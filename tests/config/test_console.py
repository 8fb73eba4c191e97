"""`[console]`: who may look, as configured."""

from __future__ import annotations

import pytest

from switchhook.access.roles import OidcSettings, Role
from switchhook.config import Config, ConfigProblems, load_config, override

OIDC = """
[console]
users = true
url = "https://switchhook.example/"
[console.oidc]
issuer = "https://id.example/realms/ops"
client_id = "switchhook"
"""


def load(text):
    return load_config(
        text,
        file="/etc/s.toml",
        environ={"OIDC_SECRET": "hush"},
        read_file=lambda path: b"# old\nfrom-a-file\n",
    )


def problem(text):
    with pytest.raises(ConfigProblems) as raised:
        load(text)
    return str(raised.value)


def test_defaults():
    """On loopback, open until somebody has an account."""
    access = Config().console.access
    assert access.loopback
    assert access.open(accounts=False)
    assert not access.open(accounts=True)


def test_all_of_it():
    config = load(
        OIDC
        + 'client_secret_env = "OIDC_SECRET"\nlabel = "Example ID"\ndomains = ["@Example.com"]\n'
        'emails = ["Asha@other.example"]\nrole_claim = "groups"\ndefault_role = "viewer"\n'
        'scopes = ["openid"]\n[console.oidc.roles]\n"leads" = "administrator"\n'
    )
    assert config.console.url == "https://switchhook.example"
    assert config.console.oidc == OidcSettings(
        issuer="https://id.example/realms/ops",
        client_id="switchhook",
        client_secret="hush",
        label="Example ID",
        emails=("asha@other.example",),
        domains=("example.com",),
        role_claim="groups",
        roles=(("leads", Role.ADMINISTRATOR),),
        default_role=Role.VIEWER,
        scopes=("openid",),
    )
    assert "hush" not in repr(config)
    assert config.console.access.oidc == config.console.oidc


def test_a_secret_from_a_file():
    config = load(OIDC + 'client_secret_file = "oidc.txt"\ndomains = ["example.com"]\n')
    assert config.console.oidc is not None
    assert config.console.oidc.client_secret == "from-a-file"


def test_the_command_line_moves_it_and_keeps_the_rest():
    config = load('[console]\nusers = true\nlink_hosts = ["*.Example.com"]\n')
    moved = override(config, console="0.0.0.0:9000")
    assert moved.console.users
    assert moved.console.link_hosts == ("*.example.com",)
    assert not moved.console.access.loopback


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('listen = "0.0.0.0:81"', "console.listen: 0.0.0.0:81 is not loopback"),
        ('url = "https://a.example"', "console.url: https://a.example is not this machine"),
        ('url = "https://a.example/console"', "no path of its own"),
        ('url = "a.example"', "does not begin with https"),
        ('url = "ftp://a.example"', "no URL"),
        ('url = "https://u:p@a.example"', "no URL"),
        ('url = "https://a.example:99999"', "no URL"),
        ('url = "https://[::1"', "no URL"),
        ('users = "yes"', "console.users: it is neither true nor false"),
        ("session_hours = 0", "console.session_hours: 0 is out of bounds"),
        ('link_hosts = ["https://a.example"]', "no host"),
        ('link_hosts = ["*"]', "no host"),
        ('trusted_proxies = ["0.0.0.0/0"]', "is everybody"),
    ],
)
def test_what_is_refused(said, words):
    assert words in problem(f"[console]\n{said}\n")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("", "everybody with an account at the provider could sign in"),
        ('domains = ["x"]', "no domain of mail addresses"),
        ('emails = ["x"]', "no mail address"),
        ('role_claim = "groups"', "role_claim and roles need each other"),
        ('emails = ["a@b.example"]\n[console.oidc.roles]\n"a" = "viewer"', "need each other"),
        ('role_claim = "g"\n[console.oidc.roles]\n"a" = "king"', "console.oidc.roles.a: no such"),
        ('emails = ["a@b.example"]\ndefault_role = 5', "console.oidc.default_role: no such role"),
        ('client_secret_env = "UNSET"', "the environment has no 'UNSET'"),
        ('client_secret = "x"', "unknown key 'client_secret'"),
    ],
)
def test_what_is_refused_of_a_provider(said, words):
    assert words in problem(OIDC + said + "\n")


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("http://id.example", "http lets anybody on the way sign in"),
        ("https://id.example?x=1", "no query"),
        ("id.example", "does not begin with https"),
    ],
)
def test_issuers(issuer, words):
    text = OIDC.replace("https://id.example/realms/ops", issuer) + 'domains = ["a.example"]\n'
    assert words in problem(text)


def test_a_provider_needs_users_and_a_way_back():
    rest = (
        '[console.oidc]\nissuer = "http://127.0.0.1:9"\nclient_id = "c"\ndomains = ["a.example"]\n'
    )
    assert "console without users" in problem(rest)
    beyond = f'[console]\nlisten = "0.0.0.0:81"\nusers = true\n{rest}'
    assert "where to send people back" in problem(beyond)
    assert "it has no issuer" in problem('[console]\nusers = true\n[console.oidc]\nlabel = "x"\n')


def test_http_beyond_this_machine_is_said():
    """It may be meant, inside a private network; it is never silent."""
    config = load('[console]\nusers = true\nurl = "http://switchhook.internal"\n')
    assert len(config.warnings) == 1
    assert "passwords cross the network" in config.warnings[0]
    assert load('[console]\nurl = "http://localhost:8081"\n').warnings == ()

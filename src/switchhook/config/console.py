"""`[console]`: where the private side listens, who may look, and what may be clicked."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import msgspec

from switchhook.access.roles import AccessSettings, OidcSettings, Role
from switchhook.config.basics import ListenAddress
from switchhook.config.keys import (
    Problems,
    RefusedValue,
    Section,
    address,
    flag,
    network,
    number,
    several,
    text,
)
from switchhook.config.secrets import Sources, read_theirs
from switchhook.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HOSTS, MOST_PROXIES, MOST_PEOPLE = 1_000, 1_000, 10_000
LONGEST_HOURS = 8_760
_HOST = re.compile(r"(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+")
_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+")
_EMAIL = re.compile(rf"[^@\s]{{1,64}}@{_DOMAIN.pattern}")


class ConsoleConfig(msgspec.Struct, frozen=True):
    """`[console]`: the private side. https addresses of `link_hosts` may be clicked."""

    listen: ListenAddress = ListenAddress("127.0.0.1", 8081)
    url: str = ""
    users: bool = False
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    session_hours: float = AccessSettings().session_hours
    idle_hours: float = AccessSettings().idle_hours
    second_factor: Role | None = None
    release_role: Role = AccessSettings().release_role
    link_hosts: tuple[str, ...] = ()
    oidc: OidcSettings | None = None

    @property
    def access(self) -> AccessSettings:
        """As the console's door takes it."""
        return AccessSettings(
            users=self.users,
            loopback=self.listen.loopback,
            url=self.url,
            trusted_proxies=self.trusted_proxies,
            session_hours=self.session_hours,
            idle_hours=self.idle_hours,
            second_factor=self.second_factor,
            release_role=self.release_role,
            oidc=self.oidc,
        )


def read_console(section: Section, sources: Sources) -> ConsoleConfig:
    """`[console]`."""
    default = ConsoleConfig()
    hours = number(0.1, LONGEST_HOURS)
    console = ConsoleConfig(
        listen=section.take("listen", address, default.listen),
        url=section.take("url", _public_url, default.url),
        users=section.take("users", flag, default.users),
        trusted_proxies=section.take("trusted_proxies", several(network, MOST_PROXIES), ()),
        session_hours=section.take("session_hours", hours, default.session_hours),
        idle_hours=section.take("idle_hours", hours, default.idle_hours),
        second_factor=section.take("second_factor", _role, default.second_factor),
        release_role=section.take("release_role", _release_role, default.release_role),
        link_hosts=section.take("link_hosts", several(_link_host, MOST_HOSTS), ()),
        oidc=_oidc(section.section("oidc"), sources),
    )
    section.end()
    if console.url.startswith("http:") and not is_loopback(urlsplit(console.url).hostname or ""):
        sources.warnings.append(
            "console.url: it is http, so passwords cross the network as they are typed"
            " (put a proxy with https before the console)"
        )
    return console


def check_console(console: ConsoleConfig, problems: Problems) -> None:
    """What no key alone can tell."""
    first_link = (
        "set console.users = true: `switchhook link` prints a link for the first administrator;"
        " or reach it by an SSH tunnel"
    )
    if not console.users:
        if not console.listen.loopback:
            problem = f"{console.listen} is not loopback, and the console has no users"
            problems.add("console.listen", problem, first_link)
        if console.url and not is_loopback(urlsplit(console.url).hostname or ""):
            problem = f"{console.url} is not this machine, and the console has no users"
            problems.add("console.url", problem, first_link)
        if console.oidc is not None:
            problem = "nobody signs in to a console without users"
            problems.add("console.oidc", problem, "set console.users = true")
    if console.oidc is not None and not console.url and not console.listen.loopback:
        problem = "the provider has to know where to send people back"
        problems.add("console.oidc", problem, "set console.url to the address that people use")


def _oidc(section: Section, sources: Sources) -> OidcSettings | None:
    default = OidcSettings(issuer="", client_id="")
    if not section.names():
        return None
    secret = read_theirs(section, sources, "client_secret")
    oidc = OidcSettings(
        issuer=section.take("issuer", _issuer, ""),
        client_id=section.take("client_id", text(500), ""),
        client_secret="" if secret is None else secret.reveal(),
        label=section.take("label", text(60), default.label),
        emails=section.take("emails", several(_email, MOST_PEOPLE), ()),
        domains=section.take("domains", several(_domain, MOST_HOSTS), ()),
        role_claim=section.take("role_claim", text(200), ""),
        roles=_roles(section.section("roles")),
        default_role=section.take("default_role", _role, None),
        scopes=section.take("scopes", several(text(100), 20), default.scopes),
    )
    for name, said in (("issuer", oidc.issuer), ("client_id", oidc.client_id)):
        if not said and name not in section.names():
            section.complain(f"it has no {name}", "your provider's page of the application has it")
    if not (oidc.emails or oidc.domains or oidc.role_claim):
        hint = "say domains, emails or role_claim"
        section.complain("everybody with an account at the provider could sign in", hint)
    if bool(oidc.role_claim) != bool(oidc.roles):
        hint = '[console.oidc.roles] has lines such as "ops" = "operator"'
        section.complain("role_claim and roles need each other", hint)
    section.end()
    return oidc


def _roles(section: Section) -> tuple[tuple[str, Role], ...]:
    found = [(name, section.take(name, _role, None)) for name in section.names()]
    section.end()
    return tuple((name, role) for name, role in found if role is not None)


def _role(value: object) -> Role:
    role = Role.of(value) if isinstance(value, str) else None
    if role is None:
        raise RefusedValue("no such role", " or ".join(f'"{each.word}"' for each in Role))
    return role


def _release_role(value: object) -> Role:
    role = Role.of(value) if isinstance(value, str) else None
    if role is None or role < Role.OPERATOR:
        raise RefusedValue("no such choice", '"operator" or "administrator"')
    return role


def _public_url(value: object) -> str:
    """Scheme and host, as people type it."""
    hint = 'such as "https://switchhook.example.com"'
    said = base_url(hint)(value)
    if _split(said, hint).path:
        raise RefusedValue("the console's address has no path of its own", hint)
    return said


def base_url(hint: str) -> Callable[[object], str]:
    """Where somebody reaches us: scheme, host, and the path that a proxy serves us below."""

    def read(value: object) -> str:
        said = text(300)(value).rstrip("/")
        parts = _split(said, hint)
        if "?" in said or "#" in said:
            raise RefusedValue("it has no query and no fragment", hint)
        return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"

    return read


def _issuer(value: object) -> str:
    """The issuer as the provider writes it, to the last slash."""
    said = text(500)(value)
    hint = 'such as "https://accounts.example.com"'
    parts = _split(said, hint)
    if "?" in said or "#" in said:
        raise RefusedValue("an issuer has no query and no fragment", hint)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise RefusedValue("http lets anybody on the way sign in as anybody", "use https")
    return said


def _split(said: str, hint: str) -> SplitResult:
    try:
        parts = urlsplit(said)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise RefusedValue("no URL", hint) from None
    if "://" not in said:
        raise RefusedValue("it does not begin with https://", hint)
    if parts.scheme not in ("http", "https") or not host or not said.isascii():
        raise RefusedValue("no URL of a page", hint)
    if parts.username is not None or any(c.isspace() for c in said):
        raise RefusedValue("no URL of a page", hint)
    return parts


def _link_host(value: object) -> str:
    said = text(253)(value).lower()
    if not _HOST.fullmatch(said):
        raise RefusedValue(f"no host: {said!r}", '"recordings.example.com" or "*.example.com"')
    return said


def _domain(value: object) -> str:
    said = text(253)(value).lower().removeprefix("@")
    if not _DOMAIN.fullmatch(said):
        raise RefusedValue(f"no domain of mail addresses: {said!r}", 'such as "example.com"')
    return said


def _email(value: object) -> str:
    said = text(320)(value).lower()
    if not _EMAIL.fullmatch(said):
        raise RefusedValue("no mail address", 'such as "asha@example.com"')
    return said

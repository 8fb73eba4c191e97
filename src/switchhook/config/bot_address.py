"""A bot's address as Exotel is given it: URL, Basic auth, sample rate and custom parameters.

Exotel takes at most three custom parameters, together at most 256 characters; how it counts is
not published, so what the URL holds is counted: encoded, with `=` and `&` (exotel-platform C.7).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import msgspec

from switchhook.answer.redact import is_secret_name
from switchhook.config.basics import Secret
from switchhook.config.keys import RefusedValue, text
from switchhook.exotel.wire.query import parse_pairs
from switchhook.exotel.wire.stream_url import LONGEST_PARAMETERS, MOST_PARAMETERS, RATES
from switchhook.networks import literal_address, looks_like_an_address, network_of_host

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_URL = 1_000
_EXAMPLE = 'such as "wss://bot.example/stream"'
_HIDDEN = "…"
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}")


class BotAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A whole address: `url` is what Exotel is given, `shown` what may be shown of it.

    `pool` and `member` name whose it is, empty for an endpoint's fallback; `allow_private` whether
    it may lie in a private network.
    """

    url: Secret
    shown: str
    pool: str = ""
    member: str = ""
    allow_private: bool = False


def member_address(
    url: str,
    *,
    credentials: str = "",
    sample_rate: int | None = None,
    parameters: Mapping[str, str] | None = None,
) -> str:
    """The URL with its Basic auth (`user:password`), sample rate in Hz and custom parameters."""
    scheme, _, rest = url.partition("://")
    user, colon, password = credentials.partition(":")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if colon else ""
    asked = [f"sample-rate={sample_rate}"] if sample_rate is not None else []
    if parameters:
        asked.append(query_of(parameters))
    query = "&".join(asked)
    if not query:
        return f"{scheme}://{login}{rest}"
    return f"{scheme}://{login}{rest}{'&' if '?' in rest else '?'}{query}"


def query_of(parameters: Mapping[str, str]) -> str:
    """Custom parameters as a URL holds them."""
    return "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items()
    )


def shown_address(url: str) -> str:
    """An address without what is secret in it: Basic auth, and the values of keys and tokens."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    path, mark, query = path.partition("?")
    pairs = [each.partition("=") for each in query.split("&")] if mark else []
    told = "&".join(
        f"{name}{equals}{_HIDDEN if is_secret_name(name) and value else value}"
        for name, equals, value in pairs
    )
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}{mark}{told}"


def shown_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Custom parameters without the values of keys and tokens."""
    return {
        name: _HIDDEN if is_secret_name(name) and value else value
        for name, value in parameters.items()
    }


def bare_url(value: object) -> str:
    """The URL of a member: ws or wss, nothing in it but host, port and path."""
    said, query = _split(value)
    if query is not None:
        names = [name for name, _ in parse_pairs(query.encode(), [])]
        if any(name.lower().replace("_", "-") == "sample-rate" for name in names):
            raise RefusedValue("the sample rate in the URL", "remove it: sample_rate = 16000")
        hint = 'remove it, and write parameters = { name = "value" }'
        raise RefusedValue(f"a query in the URL: {_listed(names)}", hint)
    return said


def whole_url(value: object, login: str = "into a file: auth_file") -> str:
    """The URL of a fallback, which may say its sample rate and custom parameters itself.

    `login` is where its credentials belong, for people.
    """
    said, query = _split(value, login)
    if query is not None:
        pairs = parse_pairs(query.encode(), [])
        for name, rate in pairs:
            if name == "sample-rate" and rate not in {str(each) for each in RATES}:
                raise RefusedValue(f"sample-rate={rate[:20]!r} is not known", rates_hint())
        own = [each for each in query.split("&") if not each.startswith("sample-rate=")]
        check_length([(each.partition("=")[0], each) for each in own])
    return said


def _split(value: object, login: str = "into a file: auth_file") -> tuple[str, str | None]:
    """A ws or wss URL without credentials and fragment, its host in lower case; and its query."""
    said = text(LONGEST_URL)(value)
    try:
        parts = urlsplit(said)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise RefusedValue("no ws or wss address", _EXAMPLE) from None
    if parts.scheme not in ("ws", "wss") or not host:
        raise RefusedValue("no ws or wss address", _EXAMPLE)
    if not (said.isascii() and said.isprintable()) or " " in said:
        raise RefusedValue("an address with other characters than ASCII has", "encode them: %…")
    if parts.username is not None or parts.password is not None:
        raise RefusedValue("a secret in the URL", f"put user:password {login}")
    if "#" in said:
        raise RefusedValue("an address with a fragment", "remove # and what stands behind it")
    _check_place(host, port)
    bracketed = f"[{host}]" if ":" in host else host
    place = bracketed if port is None else f"{bracketed}:{port}"
    query = parts.query if "?" in said else None
    return f"{parts.scheme}://{place}{parts.path}{'' if query is None else f'?{query}'}", query


def _check_place(host: str, port: int | None) -> None:
    """Whether a host and a port are such as everybody reads in the same way."""
    if port == 0:
        raise RefusedValue("nobody can connect to port 0", "the bot's port, or none for 443")
    if ":" in host:
        known = literal_address(host.partition("%")[0]) is not None
        if not known:
            raise RefusedValue(f"no IP address is possible like {host[:60]!r}", _EXAMPLE)
        return
    if not _HOST.fullmatch(host):
        raise RefusedValue(f"no host is possible like {host[:60]!r}", _EXAMPLE)
    if looks_like_an_address(host) and literal_address(host) is None:
        hint = f"four numbers such as 203.0.113.7, or a name {_EXAMPLE}"
        raise RefusedValue(f"no IP address is possible like {host[:60]!r}", hint)


def private_network(url: str) -> str:
    """What kind of network of its own an address without a name lies in; empty where in none."""
    return network_of_host(urlsplit(url).hostname or "")


def same_place(url: str) -> str:
    """What two addresses have in common that are one: host, port, path and query, in one form.

    What a path or query says in another way is another address: servers may tell them apart.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").removesuffix(".")
    address = literal_address(host)
    place = host if address is None else str(address)
    port = parts.port or (80 if parts.scheme == "ws" else 443)
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{place}:{port}{parts.path or '/'}{query}"


def network_problem(url: str) -> tuple[str, str]:
    """What is wrong with an address for Exotel to connect to, and a hint; empty where nothing is.

    It is about networks of one's own, and about ws: both are for those who allow them.
    """
    network = private_network(url)
    if network:
        problem = f"its url is an address of {network}, which Exotel can't reach"
        return problem, "if your network can: allow_private = true"
    if url.startswith("ws:"):
        problem = "ws lets everybody on the way listen to the call"
        return problem, "write wss, or allow_private = true for a network of your own"
    return "", ""


def check_length(pairs: list[tuple[str, str]]) -> None:
    """Whether Exotel takes these custom parameters: name, and what the URL holds of it."""
    if len(pairs) > MOST_PARAMETERS:
        over = ", ".join(name[:40] for name, _ in pairs[MOST_PARAMETERS:])
        problem = f"{len(pairs)} custom parameters; Exotel takes {MOST_PARAMETERS}"
        raise RefusedValue(problem, f"remove {len(pairs) - MOST_PARAMETERS}, such as {over}")
    length = len("&".join(each for _, each in pairs))
    if length > LONGEST_PARAMETERS:
        name, longest = max(pairs, key=lambda pair: len(pair[1]))
        problem = (
            f"custom parameters of {length} characters in the URL; Exotel takes "
            f"{LONGEST_PARAMETERS}, that is {length - LONGEST_PARAMETERS} too many"
        )
        raise RefusedValue(problem, f"shorten {name[:40]!r}, the longest: {len(longest)}")


def rates_hint() -> str:
    """The sample rates that there are."""
    *most, last = RATES
    return f"{', '.join(str(each) for each in most)} or {last}"


def _listed(names: list[str]) -> str:
    return ", ".join(name[:40] for name in names[:4]) or "an empty one"

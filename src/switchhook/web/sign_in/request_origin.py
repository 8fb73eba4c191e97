"""Where a request came from and by which name: what may be believed of its headers.

A browser can be led to any name that points to this machine (DNS rebinding), so the Host has to be
the configured one, an IP address or loopback. Forwarding headers count from trusted proxies only.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.loopback import is_loopback, without_port

if TYPE_CHECKING:
    from starlette.types import Scope

    from switchhook.access.roles import AccessSettings

FORWARDED_BY = "switchhook.forwarded_by"
"""In the scope of a request that another node passed on: which. Its asker is on no machine of ours.
"""
_PORTS = {"http": 80, "https": 443}
_LONGEST_HOPS = 32
_NO_URL = "set console.url to the address that people use"


class RequestOrigin(msgspec.Struct, frozen=True):
    """How a request arrived: `scheme` and `host` (with its port) as the browser has them.

    `address` is the asker's. A `problem` says why it is not answered at all.
    """

    scheme: str
    host: str
    address: str
    problem: str | None = None

    @property
    def origin(self) -> str:
        """As a browser says it in Origin."""
        return f"{self.scheme}://{_short(self.scheme, self.host)}"

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def in_the_clear(self) -> bool:
        """Whether passwords would cross a network unencrypted."""
        return not self.secure and not is_loopback(without_port(self.host))


def arrive(scope: Scope, settings: AccessSettings) -> RequestOrigin:
    """What is believed of a request of ASGI."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    peer = (scope.get("client") or ("",))[0]
    scheme = scope.get("scheme", "http")
    hosts = values_of(headers, b"host")
    if len(hosts) != 1:
        return RequestOrigin(scheme, "", peer, "it names no host, or more than one")
    host = hosts[0].strip().lower()
    address = peer
    if _trusted(peer, settings):
        address = _asker(values_of(headers, b"x-forwarded-for"), peer, settings)
        scheme = _last(values_of(headers, b"x-forwarded-proto")) or scheme
        host = _last(values_of(headers, b"x-forwarded-host")) or host
    if scheme not in _PORTS:
        return RequestOrigin("http", host, address, "its scheme is neither http nor https")
    public = urlsplit(settings.url)
    if settings.url and _short(public.scheme, host) == _short(public.scheme, public.netloc):
        return RequestOrigin(public.scheme, host, address)
    name = without_port(host)
    if name == "localhost" or _ip(name) is not None:
        return RequestOrigin(scheme, host, address)
    return RequestOrigin(
        scheme, host, address, f"its Host is not an address of this console ({_NO_URL})"
    )


def crossed(headers: list[tuple[bytes, bytes]], request_origin: RequestOrigin) -> bool | None:
    """Whether another site's page made the request; None where the browser does not say."""
    sites = values_of(headers, b"sec-fetch-site")
    if sites:
        return any(site not in ("same-origin", "none") for site in sites)
    origins = values_of(headers, b"origin")
    if origins:
        return any(origin.lower() != request_origin.origin for origin in origins)
    return None


def values_of(headers: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """The values of a header, as often as it was sent."""
    return [value.decode("latin-1") for each, value in headers if each.lower() == name]


def safe_path(said: str | None) -> str:
    """A path of this console to go on to; "/" for anything that could lead elsewhere."""
    if not said or len(said) > 2_000 or not said.startswith("/") or not said.isprintable():
        return "/"
    # Browsers take // and /\ for another host, and drop tabs and line ends before they look.
    if said.startswith(("//", "/\\")) or "\\" in said or " " in said:
        return "/"
    return said


def _trusted(address: str, settings: AccessSettings) -> bool:
    ip = _ip(address)
    return ip is not None and any(
        ip.version == network.version and ip in network for network in settings.trusted_proxies
    )


def _asker(said: list[str], peer: str, settings: AccessSettings) -> str:
    """The nearest address that is no trusted proxy's; what stands before it anybody may have sent.

    Where a hop can't be read, the one who passed it on is all that is known.
    """
    known = peer
    for hop in reversed(",".join(said).split(",")[-_LONGEST_HOPS:]):
        ip = _ip(without_port(hop.strip().lower()))
        if ip is None:
            return known
        known = str(ip)
        if not _trusted(known, settings):
            return known
    return known


def _last(said: list[str]) -> str:
    return said[-1].rpartition(",")[2].strip().lower() if said else ""


def _short(scheme: str, host: str) -> str:
    """The host as browsers write it: in lower case, without the scheme's own port."""
    return host.lower().removesuffix(f":{_PORTS.get(scheme, 0)}")


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


MACHINE = "machine"
"""`Viewer.session` of an open console."""

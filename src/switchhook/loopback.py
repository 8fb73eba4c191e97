"""How a request shows that a proxy or tunnel passed it on.

A port without a secret trusts its own machine only; proxies connect from there too, so any of these
headers ends that trust.
"""

from __future__ import annotations

_FAMILY = b"x-forwarded-"
ADDED_BY_PROXIES = frozenset(
    (
        b"forwarded",
        b"via",
        b"x-real-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-envoy-external-address",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-ray",
        b"cdn-loop",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"ngrok-skip-browser-warning",
        b"x-amzn-trace-id",
        b"x-azure-clientip",
    )
)


def added_by_proxy(name: bytes) -> bool:
    """Whether a header, its name in lower case, is one that proxies add."""
    return name in ADDED_BY_PROXIES or name.startswith(_FAMILY)

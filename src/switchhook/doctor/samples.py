"""Passthrus to ask an endpoint as Exotel would, of calls that nobody made."""

from __future__ import annotations

import re
from urllib.parse import quote

LONG_BYTES = 8 * 1024
"""As long as a query may get, with a custom field and all that a flow adds to it."""

_CALL = "CallSid={sid}&CallFrom=09999900000&CallTo=08000000000&Direction=incoming"
_COMPLETED = (
    "&Stream[StreamSID]={sid}s&Stream[Status]=completed&Stream[Duration]=28"
    "&Stream[DisconnectedBy]=bot"
)
_FAILED = "&Stream[StreamSID]={sid}s&Stream[Status]=failed&Stream[Duration]=0"
# What proxies like to tidy up: brackets, escapes in both cases, pluses, blanks, empty and repeated
# keys, slashes, and JSON.
_ODD = (
    "&plus=a+b&plus_escaped=a%2Bb&blank=a%20b&percent=100%25&and=a%26b&lower=%2f%3a&upper=%2F%3A"
    "&empty=&bare&twice=1&twice=2&utf8=%E0%A4%95&json=%7B%22a%22%3A[1,%222%22]%7D&dots=a/../b//c"
)
_UNSAFE = re.compile(r"[^!-~]|#")


def before(test: str) -> str:
    """A call that has no stream yet: what an admission or a dynamic URL is asked with."""
    return _CALL.format(sid=f"test-{test}")


def completed(test: str) -> str:
    """A stream that went well, as far as the built-in rules are asked."""
    return (_CALL + _COMPLETED).format(sid=f"test-{test}")


def failed(test: str) -> str:
    """A stream that failed: the built-in rules say B."""
    return (_CALL + _FAILED).format(sid=f"test-{test}")


def odd(test: str) -> str:
    """All that must arrive byte for byte."""
    return completed(test) + _ODD


def long(test: str) -> str:
    """A query of `LONG_BYTES`."""
    begun = completed(test) + "&CustomField="
    return begun + "x" * (LONG_BYTES - len(begun))


def as_target(query: str) -> str:
    """A query as it can stand in a request line; what is escaped already stays as it is."""
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), query.removeprefix("?"))

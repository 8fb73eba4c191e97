"""Destinations by apprise: Slack, mail, PagerDuty, Teams, webhooks and a hundred more.

Apprise is loaded by the first message; its addresses are secrets, which it must not log.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.message import Message, MessageKind
from switchhook.alerts.notify.repeats import Repeats
from switchhook.alerts.notify.text import compose, harmless
from switchhook.alerts.on_it_link import PATH, OnIt, make_link

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TIMEOUT_S = 25.0
_LONGEST_PROBLEM = 200
_SHORTEST_HIDDEN = 4
_PARTS = re.compile(r"[/:@?&=#,;+]+")

_KINDS = {
    Severity.INFO: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
}


_OTHERS = {MessageKind.RESOLVED: "success"}


class AppriseNotifier:
    """`alerts.book.Notifier` over apprise. Any thread may call it; each call blocks for a while.

    `addresses` gives each destination's address when it is needed; `url` is the console's, and
    `key` is what links are made with by which one says that one is on it.
    """

    def __init__(
        self,
        addresses: Mapping[str, Callable[[], str]],
        *,
        url: str = "",
        key: bytes | None = None,
        zone: str = "Asia/Kolkata",
    ) -> None:
        self._addresses, self._url, self._zone = dict(addresses), url, zone
        self._key = key
        self._lock = threading.Lock()
        self._known: dict[str, _Sender | None] = {}

    def send(self, destination: str, message: Message) -> str | None:
        """Send one; None where it was taken, else why it was not, with nothing secret in it."""
        reveal = self._addresses.get(destination)
        if reveal is None:
            return f"there is no destination {harmless(destination)}"
        sender = self._sender(destination, reveal)
        if sender is None:
            return "apprise can't use its address: see apprise's page of the service for its form"
        on_it = self._link(destination, message)
        late_s = time.time() - message.at_ms / 1000
        title, body = compose(message, url=self._url, zone=self._zone, on_it=on_it, late_s=late_s)
        kind = _KINDS[message.severity] if message.say.asks else _OTHERS.get(message.say, "info")
        # One at a time: the id stands in what all messages to it are sent by.
        with sender.turn, sender.repeats.told_by(message.id):
            result = sender.apprise.notify(
                body=body,
                title=title,
                notify_type=kind,
                body_format="text",
                interpret_escapes=False,
                timeout=TIMEOUT_S,
            )
        if result:
            return None
        said = [entry.message for entry in result.logs()]
        reason = said[-1] if said else "the service did not take it"
        return _without(reveal(), reason)

    def _link(self, destination: str, message: Message) -> str:
        if self._key is None or message.on_it is None:
            return "/alerts"
        return PATH + make_link(self._key, OnIt(*message.on_it, destination))

    def _sender(self, destination: str, reveal: Callable[[], str]) -> _Sender | None:
        """Apprise with the one address; None where it can't be used."""
        with self._lock:
            if destination not in self._known:
                self._known[destination] = _load(reveal())
            return self._known[destination]


class _Sender(NamedTuple):
    """What sends to one destination."""

    apprise: Any
    repeats: Repeats
    turn: threading.Lock


def _load(address: str) -> _Sender | None:
    import apprise

    # They log addresses: what apprise has to say comes with its result, the rest is not needed.
    logging.getLogger("apprise").setLevel(logging.WARNING)
    logging.getLogger("apprise").propagate = False
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    asset = apprise.AppriseAsset(
        app_id="Switchhook",
        app_desc="Switchhook",
        app_url="",
        secure_logging=True,
        http_redirects=False,
    )
    sender = apprise.Apprise(asset=asset)
    return _Sender(sender, Repeats(sender), threading.Lock()) if sender.add(address) else None


def _without(address: str, reason: str) -> str:
    """A reason with no part of the address in it but its scheme."""
    _, _, rest = address.partition("://")
    for part in sorted(set(_PARTS.split(rest)), key=len, reverse=True):
        if len(part) >= _SHORTEST_HIDDEN:
            reason = reason.replace(part, "…")
    reason = harmless(" ".join(reason.split())).rstrip(".")
    return reason if len(reason) <= _LONGEST_PROBLEM else reason[: _LONGEST_PROBLEM - 1] + "…"

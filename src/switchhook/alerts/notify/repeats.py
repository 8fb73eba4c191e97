"""How a destination can tell that a message came again: by the id of its delivery, in its own way.

A webhook has it as the header of Standard Webhooks, a mail as its Message-ID, a pager as the key by
which it tells events apart. What an address sets by itself stays. All others have it in the text.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import make_msgid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADER = "Webhook-Id"
_WEBHOOKS = frozenset({"json", "xml", "form", "apprise"})
_PAGERS_KEYS = ("dedup", "alias", "external_id", "thirdparty")
"""What apprise's services of pagers call it."""

_of_mail: ContextVar[str] = ContextVar("_of_mail", default="")


class Repeats:
    """Apprise's services of one destination; one message at a time is sent by them."""

    def __init__(self, services: Iterable[Any]) -> None:
        self._webhooks, self._pagers = [], []
        for service in services:
            if _schemes(service) & _WEBHOOKS:
                if HEADER.lower() not in map(str.lower, service.headers):
                    self._webhooks.append(service)
            elif "mailto" in _schemes(service):
                _have_mail_named()
            else:
                keys = (name for name in _PAGERS_KEYS if getattr(service, name, "") is None)
                self._pagers += [(service, name) for name in keys]

    @contextmanager
    def told_by(self, id: str) -> Iterator[None]:
        """Whatever is sent within has this id."""
        for service in self._webhooks:
            service.headers[HEADER] = id
        for service, name in self._pagers:
            setattr(service, name, id)
        before = _of_mail.set(id)
        try:
            yield
        finally:
            _of_mail.reset(before)


def _schemes(service: Any) -> frozenset[str]:
    """What addresses of a service begin with, but for the `s` of those that are encrypted."""
    found = service.protocol or service.secure_protocol or ()
    return frozenset([found] if isinstance(found, str) else found)


def _have_mail_named() -> None:
    """Apprise draws the Message-ID of each mail: have it take ours, where there is one."""
    from apprise.plugins.email import base

    vars(base)["make_msgid"] = _message_id


def _message_id(idstring: str | None = None, domain: str | None = None) -> str:
    id = _of_mail.get()
    return f"<{id}@{domain}>" if id and domain else make_msgid(idstring, domain)

"""What Exotel is asked for a callback: to call, and for the list where that call would be. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from switchhook.exotel.number_forms import NumberForm, in_form
from switchhook.exotel.times import EPOCH, IST
from switchhook.exotel.wire.call_filter import LARGEST_PAGE, CallFilter
from switchhook.exotel.wire.connect import ConnectRequest

if TYPE_CHECKING:
    from switchhook.callbacks.settings import CallbackSettings

DIRECTION = "outbound-api"
"""How the API names calls that it was asked for; passthrus of them say `outbound-dial`."""
EVENTS = ("answered", "terminal")
"""What a StatusCallback tells of: the first says early that there is a call."""
_MARGIN = timedelta(minutes=2)
"""By which Exotel's clock and ours may differ."""


def connect_request(
    settings: CallbackSettings,
    number: str,
    custom_field: str,
    *,
    bot_url: str = "",
    status_callback: str = "",
) -> ConnectRequest:
    """The request that calls a number in E.164, into the flow or else to the bot at `bot_url`.

    `custom_field` names the attempt. Where `status_callback` is empty, nothing tells of its end.
    """
    return ConnectRequest(
        mode="flow" if settings.flow else "voice_ai",
        from_=number,
        caller_id=in_form(settings.exophone, NumberForm.TRUNK),
        app_id=settings.flow or None,
        stream_url=None if settings.flow else bot_url,
        time_limit_s=settings.longest_s,
        ring_s=settings.ring_s,
        status_callback=status_callback or None,
        status_events=EVENTS if status_callback else (),
        status_json=bool(status_callback),
        custom_field=custom_field,
    )


def callback_filter(exophone: str, number: str, asked_ms: int, now_ms: int) -> CallFilter:
    """The list that a call of `exophone` to `number` would be on, asked for at `asked_ms`.

    Numbers are E.164, times Unix ms.
    """
    return CallFilter(
        created_from=_ist(asked_ms) - _MARGIN,
        created_to=_ist(now_ms) + _MARGIN,
        direction=DIRECTION,
        from_=number,
        phone_number=exophone,
        page_size=LARGEST_PAGE,
    )


def _ist(at_ms: int) -> datetime:
    """A time as Exotel writes it: naive, of India, whole seconds."""
    at = EPOCH + timedelta(seconds=at_ms // 1000)
    return at.astimezone(IST).replace(tzinfo=None)

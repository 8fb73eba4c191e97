"""An account that calls back: its settings, its API, and the places of its streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from switchhook.callbacks.settings import CallbackSettings

if TYPE_CHECKING:
    from switchhook.exotel.answers import Listed, NumberTold, Whitelisted
    from switchhook.exotel.client import Detailed
    from switchhook.exotel.connect_answer import ConnectAnswer
    from switchhook.exotel.wire.call_filter import CallFilter
    from switchhook.exotel.wire.connect import ConnectRequest


class CallingApi(Protocol):
    """An account's API; what went wrong is in each answer. Used on one event loop."""

    async def turn(self) -> None:
        """Wait for one question of the budget, for `connect`; nothing is taken until then."""
        ...

    def give_back_turn(self) -> None: ...

    async def connect(self, request: ConnectRequest) -> ConnectAnswer:
        """Have somebody called, at once; the request is sent once only."""
        ...

    async def list_calls(self, wanted: CallFilter) -> Listed: ...

    async def call_details(self, call_sid: str) -> Detailed: ...

    async def whitelist(self, number: str) -> Whitelisted: ...

    async def number_metadata(self, number: str) -> NumberTold: ...


class StreamLeases(Protocol):
    """Places of streams, by the CustomFields of callbacks; any thread may ask."""

    def take(self, account: str, name: str, class_: str, reserve: int) -> str:
        """Hold a place while `reserve` are left free; "" where it is held, else why not."""
        ...

    def hold(self, account: str, name: str, class_: str) -> None:
        """Hold a place of one that is on its way, whatever room there is."""
        ...

    def name(self, name: str, call: str) -> None:
        """Say which call it is that a place is held for."""
        ...

    def release(self, name: str) -> None:
        """Give a place back, where it is still held."""
        ...


class RequestOf(Protocol):
    """What to ask an account's API for, so that a number is called; it knows the bot's secrets."""

    def __call__(self, number: str, custom_field: str) -> ConnectRequest: ...


class CallbackAccount(msgspec.Struct, frozen=True):
    """An account that calls back. Numbers that its API tells without a code are of `country`."""

    name: str
    settings: CallbackSettings
    api: CallingApi
    request: RequestOf
    country: str = "IN"

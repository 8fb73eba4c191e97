"""Pools and endpoints for tests of the answer path, as a configuration has them."""

from __future__ import annotations

from typing import Any

from switchhook.config import Config, EndpointConfig, Secret
from switchhook.config.bot_address import BotAddress, member_address, shown_address
from switchhook.rules.bot_pool import Member, Pool
from switchhook.rules.outcome import EndpointKind

LOGIN, PASSWORD = "vendor:s3cr3t-of-vendor-a", "s3cr3t-of-vendor-a"
SAFETY = "wss://people.example/stream?sample-rate=8000"


def address(url: str, pool: str = "", member: str = "", **more: Any) -> BotAddress:
    whole = member_address(url, **more)
    return BotAddress(url=Secret(whole), shown=shown_address(whole), pool=pool, member=member)


def pooled(*pools: Pool) -> Config:
    """A configuration with these pools; each member has a login."""
    return Config(
        pools=pools,
        addresses=tuple(
            address(each.url, pool.name, each.name, credentials=LOGIN, parameters={"lang": "hi"})
            for pool in pools
            for each in pool.members
        ),
    )


def pool(name: str = "sales", *members: Member, sticky: bool = False) -> Pool:
    """Two members where none are said."""
    some = members or tuple(member(each) for each in ("vendor-a", "vendor-b"))
    return Pool(name=name, members=some, sticky=sticky)


def member(name: str, **more: Any) -> Member:
    return Member(name=name, url=f"wss://{name}.example/stream", **more)


def voicebot(
    name: str = "sales-in", *, fallback: str | None = SAFETY, **more: Any
) -> EndpointConfig:
    given = None if fallback is None else address(fallback)
    said = {"pool": "sales", **more}
    return EndpointConfig(name, kind=EndpointKind.VOICEBOT, fallback=given, **said)


def gate(name: str = "gate", **more: Any) -> EndpointConfig:
    return EndpointConfig(name, kind=EndpointKind.ADMIT, account="main", **more)

"""What the configuration and the running rules say, in the form that the answerer takes."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from switchhook.answer import bots as answer_bots
from switchhook.answer.authentication import Endpoint
from switchhook.answer.bots import BotPools, PoolsBeside
from switchhook.answer.callback_receivers import ReceivingAccount
from switchhook.answer.choices import choices_of
from switchhook.answer.redact import Redactor
from switchhook.config import AuthMode, Config, Mode
from switchhook.config.live import Settings
from switchhook.config.names import accounts_of
from switchhook.config.own_links import secrets_of
from switchhook.config.rules_terms import terms_of
from switchhook.journal.receipt import RecordKind
from switchhook.rules.outcome import EndpointKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.answer.choices import Choice
    from switchhook.config import EndpointConfig
    from switchhook.config.bot_address import BotAddress
    from switchhook.rules.decide import Ruleset

_SHORTEST_PASSWORD = 8


def settings_of(config: Config) -> Settings:
    """Settings for a configuration that a program made itself; its rules files are read once."""
    rulesets = {
        point.name: terms_of(config, point).builtin
        if point.rules is None
        else terms_of(config, point).load(Path(point.rules).read_bytes(), file=point.rules)
        for point in config.endpoints
    }
    return Settings(config=config, rulesets=rulesets, sources=())


def endpoints_of(settings: Settings, key: bytes) -> dict[str, Endpoint]:
    """What the configuration and the running rules say, ready to answer; `key` is the folder's."""
    config = settings.config
    secrets = {point.name: secrets_of(point, key) for point in config.endpoints}
    ours = [each for some in secrets.values() for each in some]
    redactor = Redactor(key, [*ours, *_given_away(config), *_passwords(config)])
    accounts, bots = accounts_of(config), _bots_of(settings)
    return {
        point.name: Endpoint(
            name=point.name,
            kind=point.kind,
            sync=point.mode is Mode.SYNC,
            # Without a configured secret nothing would keep anybody out.
            # An address with its login is given to nobody who has not proved the secret.
            report_only=point.auth == AuthMode.REPORT_ONLY
            and bool(point.secrets)
            and point.kind is not EndpointKind.VOICEBOT,
            secrets=tuple(secret.encode() for secret in secrets[point.name]),
            configured=bool(point.secrets),
            ruleset=_as_it_runs(settings.rulesets[point.name], config),
            candidate=None if beside is None else _as_it_runs(beside, config),
            safe_option=point.safe_option,
            deadline_ms=point.deadline_ms,
            keep=point.keep,
            region=point.region,
            zone=ZoneInfo(point.zone),
            bodies=(point.bodies.A or "", point.bodies.B or ""),
            redactor=redactor,
            account=accounts.get(point.name, ""),
            choices=_choices_of(point, settings, bots),
            bots=bots,
            fallback=None if point.fallback is None else _ready(point.fallback),
            when_off=point.when_off,
        )
        for point in config.endpoints
        for beside in (settings.candidates.get(point.name),)
    }


def _as_it_runs(ruleset: Ruleset, config: Config) -> Ruleset:
    return ruleset if config.answer.compiled_rules else ruleset.by_cel()


def _choices_of(point: EndpointConfig, settings: Settings, bots: BotPools) -> Mapping[int, Choice]:
    """All that an endpoint can answer."""
    members = bots.addresses if point.kind is EndpointKind.VOICEBOT else ()
    rulesets = (settings.rulesets[point.name], settings.candidates.get(point.name))
    selects = [each for ruleset in rulesets if ruleset is not None for each in ruleset.selects]
    return choices_of(selects, members, fallback=point.fallback is not None)


def _ready(address: BotAddress) -> answer_bots.BotAddress:
    return answer_bots.bot_address(address.url.reveal(), address.shown)


def _bots_of(settings: Settings) -> BotPools:
    """All pools, the addresses of their members, and what a candidate has in their place."""
    config, beside = settings.config, settings.pools_candidate
    return BotPools(
        {pool.name: pool for pool in config.pools},
        {(each.pool, each.member): _ready(each) for each in config.addresses},
        None
        if beside is None
        else PoolsBeside(beside.hash, {pool.name: pool for pool in beside.pools}),
    )


def _given_away(config: Config) -> list[str]:
    """The secrets of StatusCallbacks that Exotel is told with each callback, and may tell of."""
    return [
        secret.reveal()
        for account in config.accounts
        if account.callbacks is not None
        for secret in account.webhook_secrets.status
    ]


def _passwords(config: Config) -> list[str]:
    """The bots' passwords, as they stand in their addresses and as they are.

    A short one is looked for in addresses only: as text it could be a part of anything.
    """
    urls = [each.url for each in config.addresses]
    urls += [each.callback_bot for each in config.accounts if each.callback_bot is not None]
    found = [urlsplit(url.reveal()).password or "" for url in urls]
    forms = [form for each in found for form in (each, unquote(each))]
    return [each for each in dict.fromkeys(forms) if len(each) >= _SHORTEST_PASSWORD]


def receiving_accounts(config: Config, key: bytes) -> dict[str, ReceivingAccount]:
    """The accounts whose webhooks are received, by name; no secret of ours is kept of any."""
    secrets = [each for point in config.endpoints for each in secrets_of(point, key)]
    secrets += _passwords(config)
    for account in config.accounts:
        own = (*account.webhook_secrets.status, *account.webhook_secrets.heartbeat)
        secrets += [each.reveal() for each in own]
    redactor = Redactor(key, secrets)
    return {
        account.name: ReceivingAccount(
            account.name,
            {
                kind: tuple(secret.reveal().encode() for secret in some)
                for kind, some in (
                    (RecordKind.STATUS, account.webhook_secrets.status),
                    (RecordKind.HEARTBEAT, account.webhook_secrets.heartbeat),
                )
            },
            redactor,
        )
        for account in config.accounts
    }


def trusted_by(config: Config) -> Callable[[str], bool]:
    """Whether an address is a configured proxy's."""
    networks = config.answer.trusted_proxies

    def trusted(address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in networks)

    return trusted

"""What the configuration and the running rules say, in the form that the answerer takes."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from switchhook.answer.authentication import Endpoint
from switchhook.answer.callback_receivers import ReceivingAccount
from switchhook.answer.redact import Redactor
from switchhook.config import AuthMode, Config, Mode
from switchhook.config.live import Settings
from switchhook.config.names import accounts_of
from switchhook.config.own_links import secrets_of
from switchhook.config.rules_terms import terms_of
from switchhook.journal.receipt import RecordKind

if TYPE_CHECKING:
    from collections.abc import Callable


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
    secrets = {point.name: secrets_of(point, key) for point in settings.config.endpoints}
    redactor = Redactor(key, [each for some in secrets.values() for each in some])
    accounts = accounts_of(settings.config)
    return {
        point.name: Endpoint(
            name=point.name,
            sync=point.mode is Mode.SYNC,
            # Without a configured secret nothing would keep anybody out.
            report_only=point.auth == AuthMode.REPORT_ONLY and bool(point.secrets),
            secrets=tuple(secret.encode() for secret in secrets[point.name]),
            configured=bool(point.secrets),
            ruleset=settings.rulesets[point.name],
            safe_option=point.safe_option,
            deadline_ms=point.deadline_ms,
            region=point.region,
            zone=ZoneInfo(point.zone),
            bodies=(point.bodies.A or "", point.bodies.B or ""),
            redactor=redactor,
            account=accounts.get(point.name, ""),
        )
        for point in settings.config.endpoints
    }


def receiving_accounts(config: Config, key: bytes) -> dict[str, ReceivingAccount]:
    """The accounts whose webhooks are received, by name; no secret of ours is kept of any."""
    secrets = [each for point in config.endpoints for each in secrets_of(point, key)]
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

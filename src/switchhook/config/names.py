"""Names in the configuration: what may be one, and which were meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from switchhook.streams.names import NamedAccount, Names

if TYPE_CHECKING:
    from switchhook.config.keys import Problems
    from switchhook.config.values import Config


def names_of(config: Config) -> Names:
    """What the operator calls things."""
    destinations = {
        (point.name, option): said
        for point in config.endpoints
        for option, said in (("A", point.destinations.A), ("B", point.destinations.B))
        if said
    }
    return Names(
        accounts=tuple(NamedAccount(each.name, each.sid, each.region) for each in config.accounts),
        bots=config.bots,
        flows=config.flows,
        exophones=config.exophones,
        destinations=destinations,
        accounts_of=accounts_of(config),
    )


def accounts_of(config: Config) -> dict[str, str]:
    """The account of each endpoint that has one; with one account, all endpoints are its."""
    only = config.accounts[0].name if len(config.accounts) == 1 else None
    found = {point.name: point.account or only for point in config.endpoints}
    return {endpoint: account for endpoint, account in found.items() if account is not None}


def check_names(config: Config, problems: Problems) -> None:
    """Whether what refers to an account or an endpoint names one."""
    accounts = [account.name for account in config.accounts]
    endpoints = [point.name for point in config.endpoints]
    for point in config.endpoints:
        if point.account is not None and point.account not in accounts:
            problem = f"there is no account {point.account!r}"
            problems.add(f"endpoints.{point.name}.account", problem, _near(point.account, accounts))
    for bot in config.bots:
        for name in bot.endpoints:
            if name not in endpoints:
                problem = f"there is no endpoint {name!r}"
                problems.add(f"bots.{bot.name}.endpoints", problem, _near(name, endpoints))


def _near(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known[:20])}" if known else "none is configured"

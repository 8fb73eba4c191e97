"""Names in the configuration: what may be one, and which were meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.rules.outcome import EndpointKind, did_you_mean
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
    selects = {
        (point.name, keyword): said
        for point in config.endpoints
        for keyword, said in point.selects.items()
    }
    return Names(
        accounts=tuple(NamedAccount(each.name, each.sid, each.region) for each in config.accounts),
        bots=config.bots,
        flows=config.flows,
        exophones=config.exophones,
        destinations=destinations,
        selects=selects,
        accounts_of=accounts_of(config),
    )


def accounts_of(config: Config) -> dict[str, str]:
    """The account of each endpoint that has one; with one account, all endpoints are its."""
    only = config.accounts[0].name if len(config.accounts) == 1 else None
    found = {point.name: point.account or only for point in config.endpoints}
    return {endpoint: account for endpoint, account in found.items() if account is not None}


def check_names(config: Config, problems: Problems) -> None:
    """Whether what refers to an account, an endpoint or a pool names one."""
    accounts = [account.name for account in config.accounts]
    endpoints = [point.name for point in config.endpoints]
    for point in config.endpoints:
        if point.account is not None and point.account not in accounts:
            problem = f"there is no account {point.account!r}"
            problems.add(
                f"endpoints.{point.name}.account", problem, did_you_mean(point.account, accounts)
            )
    of = accounts_of(config)
    for point in config.endpoints:
        if point.pool and config.pool(point.pool) is None:
            problem = f"there is no pool {point.pool!r}"
            if any(bot.name == point.pool for bot in config.bots):
                problem = f"bot {point.pool!r} is no pool, as it has no members"
            hint = did_you_mean(point.pool, [pool.name for pool in config.pools])
            problems.add(f"endpoints.{point.name}.pool", problem, hint)
        said = point.name in of or problems.has(f"endpoints.{point.name}.account")
        if point.kind is EndpointKind.ADMIT and not said:
            problem = "nothing says which account's streams it counts"
            hint = f'account = "…"; {did_you_mean("", accounts)}'
            problems.add(f"endpoints.{point.name}", problem, hint)
    for bot in config.bots:
        for name in bot.endpoints:
            if name not in endpoints:
                problem = f"there is no endpoint {name!r}"
                problems.add(f"bots.{bot.name}.endpoints", problem, did_you_mean(name, endpoints))

"""What of pools, admission and keywords can't be what was meant, one sentence each: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.config.bot_address import same_place
from switchhook.config.calling_back import promise_warnings
from switchhook.config.names import accounts_of
from switchhook.config.values import AuthMode, Mode
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.outcome import EndpointKind, Option, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchhook.config.values import Config, EndpointConfig
    from switchhook.rules.bot_pool import Pool
    from switchhook.rules.decide import Ruleset


def config_warnings(config: Config) -> tuple[str, ...]:
    """What the configuration alone tells."""
    return (*_pool_warnings(config), *_endpoint_warnings(config))


def rules_warnings(
    config: Config, rulesets: Mapping[str, Ruleset], allowed: Mapping[str, int]
) -> tuple[str, ...]:
    """What it tells beside the rules by endpoint, and the allowed streams by account."""
    return (
        *_unreached(config, rulesets),
        *_above_the_account(config, rulesets, allowed),
        *_reserves(config, rulesets, allowed),
        *_own_fallbacks(config, rulesets),
        *(each for point in config.endpoints for each in _keywords(point, rulesets)),
        *(each for point in config.endpoints for each in _no_stream_yet(point, rulesets)),
        *promise_warnings(config, rulesets, allowed),
    )


def _pool_warnings(config: Config) -> Iterator[str]:
    hosts: dict[str, str] = {}
    for bot in config.bots:
        for host in bot.hosts:
            first = hosts.setdefault(host, bot.name)
            if first != bot.name and config.pool(bot.name) is not None:
                yield (
                    f"bots.{bot.name}: host {host} is also that of {first}, which stands before it "
                    f"and has all streams to it (give them hosts of their own)"
                )
    for pool in config.pools:
        if not any(each.state is MemberState.IN and each.weight for each in pool.members):
            yield (
                f"bots.{pool.name}: no member is in with a weight above 0, so that no call gets an "
                f'address of this pool (state = "in")'
            )


def _endpoint_warnings(config: Config) -> Iterator[str]:
    accounts = {each.name: each for each in config.accounts}
    of = accounts_of(config)
    for point in config.endpoints:
        key = f"endpoints.{point.name}"
        if point.pool and point.rules is not None:
            yield (
                f"{key}.pool: its rules choose the pool, so that {point.pool} counts for nothing "
                f"(remove pool, or rules)"
            )
        if point.kind is EndpointKind.VOICEBOT and point.auth is AuthMode.REPORT_ONLY:
            yield (
                f'{key}.auth: "report-only" is not heeded, as an address may have a login in it: '
                f"who has no secret gets none (remove auth)"
            )
        if point.kind is EndpointKind.VOICEBOT and point.auth is AuthMode.OPEN:
            yield (
                f'{key}.auth: "open" gives addresses of bots, and logins in them, to each program '
                f"on this machine (remove auth: a secret is made)"
            )
        account = accounts.get(of.get(point.name, ""))
        if point.kind is EndpointKind.ADMIT and account is not None and not account.poll:
            yield (
                f"{key}: account {account.name} is not polled, so that nothing is known of its "
                f"streams and all callers get the safe option {point.safe_option} (poll = true)"
            )


def reached(config: Config, rulesets: Mapping[str, Ruleset]) -> dict[str, list[str]]:
    """The endpoints that send calls to a pool, by the pool."""
    found: dict[str, list[str]] = {}
    for point in config.endpoints:
        if point.kind is EndpointKind.VOICEBOT and point.name in rulesets:
            for pool in rulesets[point.name].pools:
                found.setdefault(pool, []).append(point.name)
    return found


def _unreached(config: Config, rulesets: Mapping[str, Ruleset]) -> Iterator[str]:
    found = reached(config, rulesets)
    for pool in config.pools:
        if pool.name not in found:
            yield (
                f"bots.{pool.name}: no endpoint and no rule sends calls to this pool, only people "
                f"can move some to it (an endpoint of kind voicebot with pool = {_quoted(pool)})"
            )


def _above_the_account(
    config: Config, rulesets: Mapping[str, Ruleset], allowed: Mapping[str, int]
) -> Iterator[str]:
    of, found = accounts_of(config), reached(config, rulesets)
    for pool in config.pools:
        accounts = {of.get(point, "") for point in found.get(pool.name, ())} or set(allowed)
        known = [(allowed[name], name) for name in accounts if name in allowed]
        if not known or len(known) < len(accounts):
            continue  # of one of them nothing is known
        most = sum(places for places, _ in known)
        names = ", ".join(sorted(name for _, name in known))
        for member in pool.members:
            if member.limit is not None and member.limit > most:
                yield (
                    f"bots.{pool.name}.members.{member.name}.limit: {member.limit} is above the "
                    f"{most} streams that Exotel allows account {names}, and is never reached "
                    f"(lower it, or remove it)"
                )


def _own_fallbacks(config: Config, rulesets: Mapping[str, Ruleset]) -> Iterator[str]:
    """Fallbacks that are the address of a member whose calls they are to take."""
    for point in config.endpoints:
        if point.fallback is None or point.name not in rulesets:
            continue
        place = same_place(point.fallback.url.reveal())
        for address in config.addresses:
            known = address.pool in rulesets[point.name].pools
            if known and same_place(address.url.reveal()) == place:
                yield (
                    f"endpoints.{point.name}.fallback: it is the address of member "
                    f"{address.member} of its own pool {address.pool}, and fails with it "
                    f"(another bot's address, or none)"
                )


def _no_stream_yet(point: EndpointConfig, rulesets: Mapping[str, Ruleset]) -> Iterator[str]:
    """Rules of what is asked before the stream that read the stream."""
    ruleset = rulesets.get(point.name)
    if ruleset is None or point.kind is EndpointKind.PASSTHRU:
        return
    read = {name for block in ruleset.blocks for name, _ in block.reads}
    if early := sorted(each for each in read if each.startswith("stream.")):
        yield (
            f"endpoints.{point.name}.rules: they read {', '.join(early)}, and are asked before the "
            f"stream, when there is none but an earlier one of the call (call.… is known)"
        )


def _reserves(
    config: Config, rulesets: Mapping[str, Ruleset], allowed: Mapping[str, int]
) -> Iterator[str]:
    of = accounts_of(config)
    for account in config.accounts:
        classes = {
            each
            for point in config.endpoints
            if point.kind is EndpointKind.ADMIT and of.get(point.name) == account.name
            if point.name in rulesets
            for each in rulesets[point.name].classes
        }
        yield from _kept_from_all(account.name, account.reserves, classes)
        most = allowed.get(account.name)
        for name, places in account.reserves.items():
            if most is not None and places >= most > 0:
                yield (
                    f"accounts.{account.name}.reserves.{name}: {places} of the {most} streams that "
                    f"Exotel allows the account, so that nobody of this class is admitted "
                    f"(lower it)"
                )
            if places and name not in classes:
                hint = did_you_mean(name, sorted(classes)) if classes else f'class = "{name}"'
                yield (
                    f"accounts.{account.name}.reserves.{name}: no rule of kind admit asks for room "
                    f"as this class, so that its places are kept free from nobody ({hint})"
                )


def _kept_from_all(account: str, reserves: Mapping[str, int], classes: set[str]) -> Iterator[str]:
    """Places that each class is kept from, so that they are kept free for nobody."""
    least = min((reserves.get(each, 0) for each in classes), default=0)
    if least:
        yield (
            f"accounts.{account}.reserves: each class that rules ask for room as has a reserve, so "
            f"that the last {least} streams are given to nobody (leave out whom they are kept for)"
        )


def _keywords(point: EndpointConfig, rulesets: Mapping[str, Ruleset]) -> Iterator[str]:
    ruleset = rulesets.get(point.name)
    if ruleset is None or point.kind is not EndpointKind.PASSTHRU:
        return
    key, selects = f"endpoints.{point.name}", ruleset.selects
    for keyword in point.selects:
        if keyword not in selects:
            hint = did_you_mean(keyword, selects) if selects else "rules say select = …"
            yield f"{key}.selects.{keyword}: no rule selects it ({hint})"
    if not selects:
        return
    if point.mode is Mode.ASYNC:
        yield (
            f'{key}.mode: its rules select, which is for mode = "sync" only; '
            f"an async endpoint answers bodies (remove mode)"
        )
    if any((point.bodies.A, point.bodies.B)):
        yield f"{key}.bodies: a rule's select wins over it (remove it once all rules select)"
    if point.safe_option is Option.A and not ruleset.otherwise.select:
        yield (
            f"{key}.safe_option: A is answered without a keyword when nothing could be decided, "
            f'as [default] of its rules has no select (add one, or safe_option = "B")'
        )


def _quoted(pool: Pool) -> str:
    return f'"{pool.name}"'

"""What calling back needs of a whole configuration, and what of it can't be what was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from switchhook.callbacks.settings import HOURS
from switchhook.config.names import accounts_of
from switchhook.rules.outcome import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchhook.callbacks.settings import CallbackSettings
    from switchhook.config.accounts import AccountConfig
    from switchhook.config.keys import Problems
    from switchhook.config.values import Config
    from switchhook.rules.decide import Ruleset

_FEW_A_MINUTE = 10
"""Questions that polls leave over: a callback takes about three."""
_MOST_A_DAY = 3
"""Calls to a number that Exotel's guides allow."""


def status_callback_url(config: Config, account: AccountConfig) -> str:
    """Where Exotel tells of the calls that an account makes; empty where nobody listens.

    It holds a secret.
    """
    secrets = account.webhook_secrets.status
    if not config.answer.url or not secrets:
        return ""
    name = quote(account.name, safe="")
    return f"{config.answer.url.rstrip('/')}/status/{name}/{secrets[0].reveal()}"


def own_numbers(config: Config) -> frozenset[str]:
    """The ExoPhones that the configuration names, which are never called, as E.164."""
    calling = {each.callbacks.exophone for each in config.accounts if each.callbacks is not None}
    of_bots = {number for each in config.bots for number in each.exophones}
    return frozenset((calling | set(config.exophones) | of_bots) - {""})


def check_callbacks(config: Config, problems: Problems) -> None:
    """Whether those who are to be told of promises are destinations of alerts."""
    known = [each.name for each in config.alerts.destinations]
    for account in config.accounts:
        for name in account.callbacks.tell if account.callbacks is not None else ():
            if name not in known:
                problem = f"no destination is named {name!r}"
                hint = did_you_mean(name, known) if known else "there is no [alerts.send.NAME]"
                problems.add(f"accounts.{account.name}.callbacks.tell", problem, hint)


def callback_warnings(config: Config) -> Iterator[str]:
    """What the configuration alone tells, one sentence each."""
    for account in config.accounts:
        if account.callbacks is None:
            continue
        key = f"accounts.{account.name}.callbacks"
        if not status_callback_url(config, account):
            lacks = "answer.url" if not config.answer.url else "status_secret_files of the account"
            yield (
                f"{key}: Exotel has nowhere to tell how callbacks ended, so that each is asked for,"
                f" which takes questions and time (say {lacks})"
            )
        yield from _of_settings(key, account.callbacks)
        yield from _of_pace(key, account)
        flow = account.callbacks.flow
        if flow and config.flows and flow not in config.flows:
            hint = did_you_mean(flow, list(config.flows))
            yield f"{key}.flow: {flow} is none of the [flows] that are named ({hint})"


def _of_settings(key: str, settings: CallbackSettings) -> Iterator[str]:
    hours, widest = settings.hours, HOURS["default"]
    day = (hours.from_minute, hours.until_minute)
    lenders = (HOURS["lenders"].from_minute, HOURS["lenders"].until_minute)
    wider = hours.from_minute < widest.from_minute or hours.until_minute > widest.until_minute
    if wider and day != lenders:
        yield (
            f"{key}.hours: they are wider than 9:00 to 21:00, within which Indian rules and "
            f"Exotel's guides want calls to be made (docs/calling-back.md)"
        )
    if settings.a_day > _MOST_A_DAY:
        yield (
            f"{key}.a_day: Exotel's guides allow {_MOST_A_DAY} calls a day to a number, and this is"
            f" {settings.a_day}"
        )
    last_s = settings.delay_s + (settings.attempts - 1) * settings.gap_s
    if last_s >= settings.within_s:
        yield (
            f"{key}.attempts: the last of {settings.attempts} would be {last_s:,} s after the "
            f"promise, and within_s is {settings.within_s:,} (raise it, or lower gap_s)"
        )
    again_s = settings.delay_s + settings.declined_gap_s
    if settings.attempts > 1 and again_s >= settings.within_s:
        yield (
            f"{key}.declined_gap_s: who was busy or pressed the call away is never called again, "
            f"as that would be {again_s:,} s after the promise, and within_s is "
            f"{settings.within_s:,} (raise it, or lower declined_gap_s)"
        )


def _of_pace(key: str, account: AccountConfig) -> Iterator[str]:
    left = account.rate_per_minute - 60 / account.busy_s
    if account.poll and left < _FEW_A_MINUTE:
        yield (
            f"{key}: polls every {account.busy_s:g} s leave {left:.0f} of rate_per_minute "
            f"{account.rate_per_minute}, and a callback takes about three questions (raise it)"
        )


def promise_warnings(
    config: Config, rulesets: Mapping[str, Ruleset], allowed: Mapping[str, int]
) -> Iterator[str]:
    """What it tells beside the rules by endpoint, and the allowed streams by account."""
    for each in config.accounts:
        most = allowed.get(each.name, 0)
        if each.callbacks is not None and each.callbacks.reserve >= most > 0:
            yield (
                f"accounts.{each.name}.callbacks.reserve: {each.callbacks.reserve} of the {most} "
                f"streams that Exotel allows the account, so that nobody is ever called back "
                f"(lower it)"
            )
    yield from _unkept(config, rulesets)


def _unkept(config: Config, rulesets: Mapping[str, Ruleset]) -> Iterator[str]:
    """Rules that promise what nobody keeps."""
    accounts = {each.name: each for each in config.accounts}
    of = accounts_of(config)
    for point in config.endpoints:
        ruleset = rulesets.get(point.name)
        if ruleset is None or not any(each.promise for each in ruleset.decisions):
            continue
        account = accounts.get(of.get(point.name, ""))
        key = f"endpoints.{point.name}.rules"
        if account is None:
            yield (
                f"{key}: they promise callbacks, and nothing says which account calls: each is "
                f'refused (account = "…")'
            )
        elif account.callbacks is None:
            yield (
                f"{key}: they promise callbacks, and account {account.name} makes none: each is "
                f"refused ([accounts.{account.name}.callbacks])"
            )

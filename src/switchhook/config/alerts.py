"""`[alerts]`: which rules, whom to tell, and when to be quiet."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.alerts.alert_rule import AlertRule, Comparison, Severity
from switchhook.alerts.default_rules import DEFAULTS
from switchhook.alerts.escalation import Policy
from switchhook.alerts.quiet import OnCall, Quiet
from switchhook.config.basics import Secret
from switchhook.config.keys import (
    Problems,
    RefusedValue,
    Section,
    choice,
    flag,
    integer,
    number,
    several,
    text,
    zone,
)
from switchhook.loopback import is_loopback
from switchhook.metrics import KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from switchhook.config.secrets import Sources
    from switchhook.metrics import Labels

MOST_DESTINATIONS, MOST_RULES = 50, 200
LONGEST_URL = 4_000
_LARGEST = 1e15
_MOST_S = 7 * 86_400

_NAME = re.compile("[A-Za-z0-9_-]{1,64}")
_HOURS = re.compile("([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]{0,39}://.")


class Destination(msgspec.Struct, frozen=True):
    """`[alerts.send.NAME]`: where messages go, as an address of apprise, which is a secret."""

    name: str
    url: Secret
    severities: tuple[Severity, ...] = tuple(Severity)
    on_call: OnCall | None = None


class AlertsConfig(msgspec.Struct, frozen=True):
    """`[alerts]`: `rules` are all that are on, the defaults among them.

    `heartbeat_url` is the operator's monitor's, asked every `heartbeat_s` while all is well.
    """

    quiet: Quiet = Quiet()
    heartbeat_url: Secret | None = None
    heartbeat_s: int = 60
    destinations: tuple[Destination, ...] = ()
    policies: tuple[Policy, ...] = ()
    rules: tuple[AlertRule, ...] = DEFAULTS


def read_alerts(section: Section, sources: Sources, problems: Problems) -> AlertsConfig:
    """Read `[alerts]`; what is wrong with it is added to `problems`."""
    default = AlertsConfig()
    quiet = Quiet(
        section.take("quiet_hours", _hours, None),
        section.take("zone", zone, default.quiet.zone),
    )
    destinations = tuple(_destinations(section.section("send"), sources, quiet.zone, problems))
    alerts = AlertsConfig(
        quiet=quiet,
        heartbeat_url=_url(section, "heartbeat_url", sources, _monitor),
        heartbeat_s=section.take("heartbeat_s", integer(5, 3600), default.heartbeat_s),
        destinations=destinations,
        policies=tuple(_policies(section.section("policy"), destinations, problems)),
        rules=_rules(section, problems),
    )
    section.end()
    return alerts


def _rules(section: Section, problems: Problems) -> tuple[AlertRule, ...]:
    """The default rules that are on, and those of the file; one of the same name replaces."""
    rules = {rule.name: rule for rule in DEFAULTS}
    if not section.take("defaults", flag, True):
        rules = {}
    for name in section.take("off", several(_default_name, MOST_RULES), ()):
        rules.pop(name, None)
    said: set[str] = set()
    for at, table in enumerate(section.take("rule", _tables, ()), 1):
        rule = _rule(Section(table, f"alerts.rule {at}", problems), problems)
        if rule is None:
            continue
        if rule.name in said:
            problems.add(f"alerts.rule {at}", f"there is a rule {rule.name!r} before it already")
        said.add(rule.name)
        rules[rule.name] = rule
    return tuple(rules.values())


def _rule(section: Section, problems: Problems) -> AlertRule | None:
    """One `[[alerts.rule]]`; keys that it does not say are those of the default of its name."""
    name = section.take("name", _rule_name, "")
    base = next((rule for rule in DEFAULTS if rule.name == name), None)
    figure = section.take("figure", _figure, base.figure if base else "")
    comparison = section.take("comparison", choice(Comparison), base and base.comparison)
    any_number, seconds = number(-_LARGEST, _LARGEST), integer(0, _MOST_S)
    threshold = section.take("threshold", any_number, base.threshold if base else None)
    known = KNOWN.get(figure)
    least = 5 if known is not None and known.unit == "share" else 0
    rule = AlertRule(
        name=name,
        title=section.take("title", text(120), base.title if base else name),
        figure=figure,
        comparison=comparison or Comparison.ABOVE,
        threshold=threshold if threshold is not None else 0.0,
        for_s=section.take("for_s", seconds, base.for_s if base else 0),
        clear=section.take("clear", any_number, base.clear if base else None),
        clear_for_s=section.take("clear_for_s", seconds, base.clear_for_s if base else 300),
        severity=section.take(
            "severity", choice(Severity), base.severity if base else Severity.WARNING
        ),
        group_by=section.take(
            "group_by", several(_label(figure), 10), base.group_by if base else ()
        ),
        least_cases=section.take(
            "least_cases", integer(0, 1_000_000), base.least_cases if base else least
        ),
        topic=base.topic if base else "",
        advice=section.take("advice", text(300), base.advice if base else ""),
    )
    section.end()
    needed = {"name": name, "figure": figure, "comparison": comparison, "threshold": threshold}
    said = section.names()
    lacking = [key for key, value in needed.items() if value in ("", None) and key not in said]
    for key in lacking:
        problems.add(section.key, f"it has no {key}", ", ".join(needed))
    if not lacking:
        _check_clear(section, rule, problems)
    return None if lacking or not name or not figure else rule


def _check_clear(section: Section, rule: AlertRule, problems: Problems) -> None:
    if rule.clear is not None and rule.breached(rule.clear):
        problems.add(
            f"{section.key}.clear",
            f"{rule.clear:g} breaches the threshold itself",
            f"a value that is not {rule.comparison} {rule.threshold:g}",
        )


def _named(section: Section, what: str, problems: Problems) -> Iterable[tuple[str, Section]]:
    """The tables `[alerts.KIND.NAME]`; `what` they are, in the plural."""
    names = section.names()
    if len(names) > MOST_DESTINATIONS:
        problems.add(section.key, f"{len(names)} {what}; the most is {MOST_DESTINATIONS}")
    for name in names[:MOST_DESTINATIONS]:
        if _NAME.fullmatch(name):
            yield name, section.section(name)
        else:
            hint = "1 to 64 of A-Z, a-z, 0-9, _ and -"
            problems.add(f"{section.key}.{name[:64]!r}", "no such name is possible", hint)


def _destinations(
    section: Section, sources: Sources, default_zone: str, problems: Problems
) -> Iterable[Destination]:
    for name, table in _named(section, "destinations", problems):
        url = _url(table, "url", sources, _apprise)
        severities = table.take("severities", several(choice(Severity), 3), tuple(Severity))
        hours = table.take("on_call", _hours, None)
        its_zone = table.take("zone", zone, default_zone)
        table.end()
        if url is not None:
            on_call = OnCall(hours, its_zone) if hours is not None else None
            yield Destination(name, url, severities, on_call)
        elif not {"url_env", "url_file"} & set(table.names()):
            hint = "say which with url_env or url_file: it is a secret"
            problems.add(table.key, "it has no address", hint)


def _policies(
    section: Section, destinations: Sequence[Destination], problems: Problems
) -> Iterable[Policy]:
    known = tuple(each.name for each in destinations)
    for name, table in _named(section, "policies", problems):
        if name in known:
            problems.add(table.key, "a destination has this name", "give the policy another")
        steps = table.take("steps", several(several(_one_of(known), 10), 10), None)
        wait_min = table.take("wait_min", integer(1, 24 * 60), 10)
        repeat = table.take("repeat", integer(0, 20), 0)
        match = table.take("match", _match, ())
        table.end()
        if steps and all(steps):
            yield Policy(
                name=name, steps=steps, wait_ms=wait_min * 60_000, repeat=repeat, match=match
            )
        elif steps is not None or "steps" not in table.names():
            hint = 'such as steps = [["asha"], ["ravi", "lead"]]: who is told first, and who next'
            problems.add(f"{table.key}.steps", "it has no steps, or an empty one", hint)


def _one_of(known: tuple[str, ...]) -> Callable[[object], str]:
    def check(value: object) -> str:
        name = text(64)(value)
        if name not in known:
            hint = f"there are {', '.join(known)}" if known else "there is no [alerts.send.NAME]"
            raise RefusedValue(f"no destination is named {name!r}", hint)
        return name

    return check


def _match(value: object) -> Labels:
    labels = ("rule", *sorted({label for known in KNOWN.values() for label in known.labels}))
    hint = f'such as {{ bot = "Sales*" }}; it goes by {", ".join(labels)}'
    if not isinstance(value, dict) or not value:
        raise RefusedValue("it is no table of patterns", hint)
    for name in value:
        if name not in labels:
            raise RefusedValue(f"an alert has no label {str(name)[:64]!r}", hint)
    return tuple(sorted((name, text(300)(pattern)) for name, pattern in value.items()))


def _url(
    section: Section, name: str, sources: Sources, check: Callable[[str], Secret]
) -> Secret | None:
    """A secret address under `NAME_env` or `NAME_file`; None where neither is there."""
    in_env = section.take(f"{name}_env", lambda value: check(sources.variable(value)), None)
    in_file = section.take(f"{name}_file", lambda value: check(sources.lines(value)[0]), None)
    return in_env or in_file


def _apprise(value: str) -> Secret:
    if len(value) > LONGEST_URL or not value.isprintable() or not _SCHEME.match(value):
        hint = "one of apprise's such as slack://…, mailtos://…, pagerduty://… or json://…"
        raise RefusedValue("it is no address to send to", hint)
    return Secret(value)


def _monitor(value: str) -> Secret:
    hint = "https://…, or http:// on this machine"
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise RefusedValue("it is no URL", hint) from None
    if len(value) > LONGEST_URL or not value.isprintable() or " " in value or not host:
        raise RefusedValue("it is no URL", hint)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise RefusedValue("it is neither https nor on this machine", hint)
    return Secret(value)


def _hours(value: object) -> tuple[int, int]:
    found = _HOURS.fullmatch(text(20)(value))
    hint = 'such as "22:00-07:00"'
    if found is None:
        raise RefusedValue(f"no hours: {value!r}", hint)
    hours = [int(found[n]) for n in (1, 3)]
    minutes = [int(found[n]) for n in (2, 4)]
    if max(hours) > 23 or max(minutes) > 59:
        raise RefusedValue(f"no hours: {value!r}", hint)
    begin, end = (60 * hours[n] + minutes[n] for n in (0, 1))
    if begin == end:
        raise RefusedValue(
            "they begin when they end", f"{hint}; leave the key out to be never quiet"
        )
    return begin, end


def _figure(value: object) -> str:
    name = text(64)(value)
    if name not in KNOWN:
        near = difflib.get_close_matches(name, KNOWN, 3)
        guess = f"did you mean {' or '.join(near)}? " if near else ""
        raise RefusedValue(
            f"no such figure: {name!r}", f"{guess}docs/alerts.md has the table of them"
        )
    return name


def _label(figure: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        name = text(64)(value)
        known = KNOWN[figure].labels if figure in KNOWN else (name,)
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise RefusedValue(f"{figure} has no label {name!r}", has)
        return name

    return check


def _default_name(value: object) -> str:
    name = text(64)(value)
    names = [rule.name for rule in DEFAULTS]
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else ", ".join(names)
        raise RefusedValue(f"no default rule is named {name!r}", hint)
    return name


def _rule_name(value: object) -> str:
    name = text(64)(value)
    if not _NAME.fullmatch(name):
        raise RefusedValue(f"no name: {name!r}", "1 to 64 of A-Z, a-z, 0-9, _ and -")
    return name


def _tables(value: object) -> tuple[object, ...]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise RefusedValue(
            "it is no list of tables", "write [[alerts.rule]] on a line, its keys below"
        )
    if len(value) > MOST_RULES:
        raise RefusedValue(f"{len(value)} rules; the most is {MOST_RULES}")
    return tuple(value)

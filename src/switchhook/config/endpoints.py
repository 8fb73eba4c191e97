"""`[endpoints]`: the URLs that Exotel asks, and what each is asked."""

from __future__ import annotations

import re

from switchhook.config.accounts import (
    LONGEST_LABEL,
    LONGEST_NAME,
    label,
    read_option_destinations,
)
from switchhook.config.basics import Secret
from switchhook.config.bot_address import BotAddress, network_problem, shown_address, whole_url
from switchhook.config.keys import (
    Problems,
    Section,
    choice,
    flag,
    integer,
    paths,
    region,
    text,
    zone,
)
from switchhook.config.secrets import Sources, read_secrets
from switchhook.config.values import AuthMode, Bodies, Config, EndpointConfig, Mode
from switchhook.journal.receipt import Keep
from switchhook.rules.outcome import SELECT, SELECT_HINT, EndpointKind, Option

LONGEST_BODY = 8_192
MOST_SELECTS = 100

_NAME = re.compile("[A-Za-z0-9_-]{1,64}")


def read_endpoints(
    section: Section, sources: Sources, problems: Problems
) -> tuple[EndpointConfig, ...]:
    endpoints: list[EndpointConfig] = []
    names: dict[str, str] = {}
    for name in section.names():
        key = f"endpoints.{name[:64]!r}"
        if not _NAME.fullmatch(name):
            hint = "1 to 64 of A-Z, a-z, 0-9, _ and -, as it becomes part of the URL"
            problems.add(key, "no such name is possible for an endpoint", hint)
            continue
        twin = names.setdefault(name.lower(), name)
        if twin != name:
            problems.add(key, f"{twin!r} differs in case only", "give one of them another name")
        endpoints.append(_endpoint(name, section.section(name), sources))
    return tuple(endpoints) or Config().endpoints


_ONLY_FOR: dict[str, tuple[EndpointKind, ...]] = {
    **dict.fromkeys(("pool", "fallback", "when_off", "allow_private"), (EndpointKind.VOICEBOT,)),
    **dict.fromkeys(("selects", "bodies"), (EndpointKind.PASSTHRU,)),
    **dict.fromkeys(("leads", "safe_option"), (EndpointKind.PASSTHRU, EndpointKind.ADMIT)),
}
"""The keys that only some kinds of endpoint have."""


def _check_kind(endpoint: EndpointConfig, section: Section) -> None:
    """Whether what is said is for endpoints of that kind."""
    kind, said = endpoint.kind, section.names()
    for key in said:
        kinds = _ONLY_FOR.get(key, ())
        if kinds and kind not in kinds:
            theirs = " or ".join(f'"{each}"' for each in kinds)
            problem = f'{key} is for kind = {theirs}, and this one is "{kind}"'
            section.complain(problem, f"set kind, or remove {key}")
    if kind is not EndpointKind.PASSTHRU and endpoint.mode is Mode.ASYNC:
        problem = f'mode = "async" is for kind = "passthru", and this one is "{kind}"'
        section.complain(problem, "its answer is waited for: remove mode")
    if kind is EndpointKind.VOICEBOT and not endpoint.pool and endpoint.rules is None:
        hint = 'pool = "…", the name of a [bots.NAME] with members; or rules = "…"'
        section.complain("nothing says which bots take its calls", hint)


def _endpoint(name: str, section: Section, sources: Sources) -> EndpointConfig:
    default = EndpointConfig(name)
    endpoint = EndpointConfig(
        name=name,
        mode=section.take("mode", choice(Mode), default.mode),
        auth=section.take("auth", choice(AuthMode), default.auth),
        secrets=read_secrets(section, sources),
        rules=section.take("rules", paths(sources.folder), None),
        safe_option=section.take("safe_option", choice(Option), default.safe_option),
        deadline_ms=section.take("deadline_ms", integer(50, 10_000), default.deadline_ms),
        keep=section.take("keep", choice(Keep), default.keep),
        region=section.take("region", region, default.region),
        zone=section.take("zone", zone, default.zone),
        bodies=_bodies(section.section("bodies")),
        account=section.take("account", text(LONGEST_NAME), None),
        destinations=read_option_destinations(section.section("leads")),
        kind=section.take("kind", choice(EndpointKind), default.kind),
        pool=section.take("pool", _pool_name, default.pool),
        fallback=_fallback(section),
        when_off=section.take("when_off", integer(400, 599), default.when_off),
        selects=_selects(section.section("selects")),
    )
    section.end()
    _check_kind(endpoint, section)
    return endpoint


def _bodies(section: Section) -> Bodies:
    bodies = Bodies(
        A=section.take("A", text(LONGEST_BODY), None),
        B=section.take("B", text(LONGEST_BODY), None),
    )
    section.end()
    return bodies


def _selects(section: Section) -> dict[str, str]:
    """`[endpoints.NAME.selects]`: keyword → where it leads."""
    found: dict[str, str] = {}
    names = section.names()
    if len(names) > MOST_SELECTS:
        section.complain(f"{len(names):,} of them; the most is {MOST_SELECTS:,}")
    for name in names[:MOST_SELECTS]:
        if not SELECT.fullmatch(name):
            section.complain(f"no such select is possible: {name[:40]!r}", SELECT_HINT)
        found[name] = section.take(name, label(LONGEST_LABEL), "")
    return found


def _pool_name(value: object) -> str:
    return label(LONGEST_NAME)(value)


def _fallback(section: Section) -> BotAddress | None:
    """What is given where no member can be; in a network of one's own only if that is allowed."""
    url = section.take("fallback", whole_url, "")
    allow_private = section.take("allow_private", flag, False)
    if not url:
        return None
    problem, hint = network_problem(url)
    if problem and not allow_private:
        section.complain(f"fallback: {problem}", hint)
    return BotAddress(url=Secret(url), shown=shown_address(url), allow_private=allow_private)

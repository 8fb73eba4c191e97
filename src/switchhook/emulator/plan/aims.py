"""What of a plan comes to nothing: faults that never strike, agents nobody rings, dead targets."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from switchhook.emulator.net.addresses import read_allowed, verdict
from switchhook.emulator.plan.bots import bot_key, is_address
from switchhook.emulator.plan.flow import Connect, Passthru, Stream, Voicebot
from switchhook.emulator.plan.lint import Finding, reachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from switchhook.emulator.plan.flow import Applet
    from switchhook.emulator.plan.plan import Fault, FaultKind, Plan

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def lint_plan(plan: Plan) -> list[Finding]:
    """Everything that a plan says in vain; its names are checked."""
    found: list[Finding] = []
    for at, fault in enumerate(plan.fault, 1):
        why = why_never(fault, plan)
        if why is not None:
            found.append(Finding(f"fault {at}", f"{fault.what} can't strike: {why}", _AIM))
    return found + _agents(plan) + _targets(plan) + _files(plan)


_AIM = "aim it elsewhere, or delete it"


def _kinds(what: FaultKind) -> tuple[type, ...] | None:
    """The applets that a fault befalls; None where it befalls none."""
    if what.startswith(("callback", "rest", "connect", "lists", "details")):
        return None
    if what == "behave":
        return (Voicebot, Stream, Passthru)
    return (Passthru,) if what.startswith("passthru") else (Voicebot, Stream)


def why_never(fault: Fault, plan: Plan) -> str | None:
    """Why a fault of names that exist will never strike, in words."""
    if fault.probability == 0:
        return "its probability is 0"
    number = plan.number.get(fault.number or "")
    if number is not None and fault.account not in (None, number.account):
        return f"{fault.number} is of another account, {number.account}"
    if number is not None and fault.flow not in (None, number.flow):
        return f"{fault.number} leads to another flow, {number.flow}"
    kinds = _kinds(fault.what)
    if kinds is None:
        return _beside_applets(fault)
    flow = fault.flow or (number.flow if number is not None else None)
    flows = [flow] if flow is not None else list(plan.flow)
    met = list(_met(plan, flows, kinds, fault.applet))
    if met and fault.bot is not None and not _dials(plan, met, fault.bot):
        return f"no {' or '.join(kind.__name__ for kind in kinds)} dials {fault.bot}"
    if met or (fault.what == "behave" and fault.applet is None):
        return None
    wanted = " or ".join(kind.__name__ for kind in kinds)
    if fault.applet is None:
        return f"no {wanted} is reached"
    return f"{fault.applet!r} is no {wanted} that is reached in {', '.join(flows)}"


def _dials(plan: Plan, met: Iterable[Applet], bot: str) -> bool:
    """Whether one of these applets may dial a bot; what a dynamic URL will tell nobody knows."""
    urls = [applet.url for applet in met if isinstance(applet, Voicebot | Stream)]
    key = bot_key(plan.bot[bot].url if bot in plan.bot else bot)
    return any(not is_address(url) or bot_key(url) == key for url in urls)


def _beside_applets(fault: Fault) -> str | None:
    """Faults of callbacks and of the API befall calls and accounts."""
    whole = fault.what.startswith(("rest", "details")) or fault.what == "lists-refused"
    names = ("applet", "flow", "number") if whole else ("applet",)
    wrong = next((name for name in names if getattr(fault, name) is not None), None)
    return None if wrong is None else f"it befalls no {wrong}"


def _met(
    plan: Plan, flows: Iterable[str], kinds: tuple[type, ...], name: str | None
) -> Iterator[Applet]:
    for flow in (plan.flow[each] for each in flows):
        for at in reachable(flow, flow.first):
            applet = flow.applet[at]
            starts = not (isinstance(applet, Stream) and applet.action == "stop")
            if name in (None, at) and isinstance(applet, kinds) and starts:
                yield applet


def _agents(plan: Plan) -> list[Finding]:
    rung = {
        number
        for flow in plan.flow.values()
        for applet in flow.applet.values()
        for number in (applet.numbers if isinstance(applet, Connect) else ())
    }
    return [
        Finding(
            f"agent.{number}",
            "no Connect applet rings this number",
            "write it into the numbers of one, or delete the agent",
        )
        for number in plan.agent
        if number not in rung
    ]


def _targets(plan: Plan) -> list[Finding]:
    found = []
    for place, url in _urls(plan):
        why = _not_dialled(url, plan.allow)
        if why is not None:
            found.append(Finding(place, f"it won't be dialled: {why[0]}", why[1]))
    return found


def _urls(plan: Plan) -> Iterator[tuple[str, str]]:
    for name, flow in plan.flow.items():
        for at, applet in flow.applet.items():
            if isinstance(applet, Passthru | Voicebot | Stream) and applet.url:
                yield f"flow.{name}.applet.{at}.url", applet.url
    for name, bot in plan.bot.items():
        if bot.plays is None:
            yield f"bot.{name}.url", bot.url
    for sid, account in plan.account.items():
        for field in ("status_callback_url", "heartbeat_url"):
            if url := getattr(account, field):
                yield f"account.{sid}.{field}", url


def _not_dialled(url: str, allow: Iterable[str]) -> tuple[str, str] | None:
    """Why not, and what to do; None where it will be, or only a look-up could tell."""
    parts = urlsplit(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    allowed = [read_allowed(text) for text in allow]
    add = f'allow = ["{host}"] lets it, or --allow {host} at the start'
    try:
        why = verdict(host, ipaddress.ip_address(host), port, allowed)
    except ValueError:
        nowhere = ipaddress.IPv4Address("192.0.2.1")
        named = any(
            entry.network is None and entry.covers(host, nowhere, port) for entry in allowed
        )
        unknown = any(entry.network is not None for entry in allowed)
        if host == "localhost" or named or unknown:
            return None
        return f"{host} is not among those that `allow` names", add
    return None if why is None else (why, add)


def _files(plan: Plan) -> list[Finding]:
    return [
        Finding(f"caller.{name}.does {at}", f"there is no file {act.plays}", "name a WAV file")
        for name, caller in plan.caller.items()
        for at, act in enumerate(caller.does, 1)
        if act.plays and not Path(act.plays).is_file()
    ]

"""Who listens where, how both programs are, and what a name, a certificate and a bot say."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.doctor.finding import fail, ok, unchecked, warn
from switchhook.metrics import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchhook.doctor.finding import Finding

SOON_S, AT_ONCE_S = 21 * 86_400, 3 * 86_400
_START = "start it: `switchhook serve`, or `systemctl start switchhook`"


class Port(msgspec.Struct, frozen=True):
    """Who is found at an address: `holder` is our program by its note, `listener` who listens.

    `last_s` is how long ago a console that does not run looked last, where that is known.
    """

    side: str
    address: str
    problem: str = ""
    holder: int | None = None
    since_s: float | None = None
    listener: str = ""
    last_s: float | None = None


def judge_port(port: Port, *, other_runs: bool) -> Finding:
    """Whether a side runs and takes connections; `other_runs` is whether the other one does."""
    check, where = f"the {port.side} side", port.address
    if port.holder is not None:
        since = "" if port.since_s is None else f", for {duration_text(port.since_s)}"
        who = f"process {port.holder}{since}"
        if port.problem:
            problem = f"it runs ({who}), but {where} takes no connection: {port.problem}"
            return fail(check, problem, "restart it, and look at its log")
        return ok(check, f"listens on {where} ({who})")
    if not port.problem and other_runs:
        # The supervisor owns both sockets, so they take connections while a side is gone.
        problem = f"nobody answers at {where} just now, though its port is held open"
        todo = "it is being started, or ends again and again: look at its log"
        return fail(check, problem, todo)
    if not port.problem:
        who = f"{port.listener} listens" if port.listener else "another program listens"
        todo = "stop that one, or give switchhook another port; or name the data folder it runs on"
        return fail(check, f"{who} on {where}, and not the program of this data folder", todo)
    if other_runs:
        return fail(check, f"it does not run, though the other side does ({where})", _START)
    return unchecked(
        check, f"it does not run: nothing listens on {where}{_meanwhile(port)}", _START
    )


def _meanwhile(port: Port) -> str:
    """What it means that neither side runs."""
    if port.side == "answer":
        return ", and callers who come here take Option B, as Exotel gets no answer"
    return "" if port.last_s is None else f"; it looked last {duration_text(port.last_s)} ago"


class Health(msgspec.Struct, frozen=True):
    """What `/healthz` said; `problem` is why nothing. `release` is the one that runs, if told."""

    said: Mapping[str, Any] | None = None
    problem: str = ""


def judge_health(side: str, health: Health, installed: str) -> Finding:
    """What a program says of itself."""
    check = f"health of the {side} side"
    if health.said is None:
        todo = "look at its log; `switchhook serve` replaces one that hangs"
        return fail(check, f"/healthz: {health.problem}", todo)
    problems = [str(each) for each in health.said.get("problems", ())]
    if health.said.get("status") != "ok":
        said = "; ".join(problems[:3]) or "it says that something is amiss, and not what"
        more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
        todo = "the console's page Health says of each what it means and what to do"
        return warn(check, said + more, todo)
    running = health.said.get("version")
    if running not in (None, installed):
        problem = f"release {running} runs, and {installed} is installed"
        return warn(check, problem, "take it over: `systemctl reload switchhook`, or SIGHUP")
    return ok(check, "ok")


def judge_console_age(age_s: float | None, fresh: bool) -> Finding:
    """Whether the console still looks at how things are; `age_s` is of what it wrote last."""
    check = "the console's look"
    if age_s is None:
        return unchecked(check, "no console has looked at this data folder yet", _START)
    if not fresh:
        problem = f"no console has looked for {duration_text(age_s)}: nobody is told of trouble"
        return fail(check, problem, "restart `switchhook serve`, and look at its log")
    return ok(check, f"looked {duration_text(age_s)} ago")


class Name(msgspec.Struct, frozen=True):
    """What a host name resolves to; `problem` says why it doesn't."""

    host: str
    addresses: tuple[str, ...] = ()
    problem: str = ""


def judge_name(name: Name) -> Finding:
    """Whether Exotel can find answer.url's host."""
    check = f"name {name.host}"
    if name.problem:
        todo = "make a record for it with your DNS provider, or mend answer.url; is this offline?"
        return fail(check, f"it does not resolve here: {name.problem}", todo)
    shown = ", ".join(name.addresses[:4])
    private = [each for each in name.addresses if not ipaddress.ip_address(each).is_global]
    if len(private) == len(name.addresses):
        todo = "Exotel asks from the internet: the name needs a public address there"
        return warn(check, f"it resolves to {shown} here, which no stranger reaches", todo)
    if private:
        todo = "remove the private address: some callers' requests would go nowhere"
        return warn(check, f"it resolves to {shown}, of which {private[0]} is private", todo)
    return ok(check, f"resolves to {shown}")


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown at a port; `problem` is why this machine's authorities don't have it `trusted`.

    Times are Unix seconds; both are None where no certificate could be read.
    """

    trusted: bool
    problem: str = ""
    begins_s: float | None = None
    ends_s: float | None = None
    names: tuple[str, ...] = ()
    issuer: str = ""
    self_signed: bool = False
    matches: bool = True


def judge_certificate(host: str, found: Certificate, now_s: float) -> Finding:
    """Whether Exotel will trust it, today and in three weeks."""
    check = f"certificate of {host}"
    if found.ends_s is None or found.begins_s is None:
        return fail(check, f"none could be read: {found.problem}", "does TLS listen there?")
    left, day = found.ends_s - now_s, f"{datetime.fromtimestamp(found.ends_s, UTC):%Y-%m-%d}"
    renew = "renew it (certbot renew, or what makes it), and let the proxy load it"
    if left <= 0:
        return fail(check, f"it ended {duration_text(-left)} ago, on {day}", renew)
    if found.begins_s > now_s:
        todo = "set this machine's clock right, or wait"
        return fail(check, f"it is valid only in {duration_text(found.begins_s - now_s)}", todo)
    if not found.matches:
        names = ", ".join(found.names[:4]) or "no name"
        return fail(check, f"it is for {names}, not for {host}", "get one for this name")
    if found.self_signed:
        return fail(check, "it signed itself: Exotel trusts no such", "get one of an authority")
    if not found.trusted:
        todo = "let the proxy send the whole chain (certbot: fullchain.pem, not cert.pem)"
        return fail(check, f"it is not trusted: {found.problem} (issuer {found.issuer})", todo)
    said = f"trusted, by {found.issuer}, until {day} ({duration_text(left)} left)"
    if left < AT_ONCE_S:
        return fail(check, said, renew)
    if left < SOON_S:
        return warn(check, said, f"it should have been renewed by now: {renew}")
    return ok(check, said)


class Handshake(msgspec.Struct, frozen=True):
    """How a bot's WebSocket handshake went: `status` is HTTP's, 101 where it was accepted."""

    status: int | None
    ms: float
    problem: str = ""


def judge_bot(url: str, found: Handshake) -> Finding:
    """Whether a bot takes calls at an address, which is shown without its query."""
    check = f"bot {url}"
    if found.status is None:
        return fail(check, f"not reached: {found.problem}", "does it run, and is the port right?")
    if found.problem:
        return fail(check, found.problem, "look at the bot's WebSocket library, and at proxies")
    if found.status != 101:
        todo = "look at path, token and the proxy before the bot: a handshake is answered with 101"
        return fail(check, f"it refused the handshake with {found.status}", todo)
    return ok(check, f"accepts a WebSocket in {found.ms:.0f} ms; no call was played")

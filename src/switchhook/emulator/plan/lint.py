"""What an expert would say of a flow before the first caller hears it (exotel-platform F.1)."""

from __future__ import annotations

import msgspec

from switchhook.emulator.plan.flow import (
    Applet,
    Connect,
    Flow,
    Hangup,
    Passthru,
    Stream,
    SwitchCase,
    Voicebot,
    Voicemail,
    kind_of,
    outputs,
)


class Finding(msgspec.Struct, frozen=True):
    """`place` is an applet or one of its outputs, `advice` a sentence that says how to mend it."""

    place: str
    problem: str
    advice: str


def lint(flow: Flow) -> list[Finding]:
    """Everything questionable in a flow whose names are checked; empty is good."""
    reached = reachable(flow, flow.first)
    found: list[Finding] = []
    for name, applet in flow.applet.items():
        if name not in reached:
            found.append(Finding(name, "no output leads here", "lead one here, or delete it"))
            continue
        found += _open_ends(name, applet)
        match applet:
            case Passthru():
                found += _passthru(flow, name, applet)
            case Voicebot():
                found += _voicebot(flow, name, applet)
            case _:
                pass
    return found + _early(flow) + _circles(flow) + _switchcases(flow)


def _open_ends(name: str, applet: Applet) -> list[Finding]:
    return [
        Finding(
            f"{name}.{label}",
            "nothing follows this output: the call hangs, and stays open in its records",
            "lead it to another applet, or to hangup",
        )
        for label, after in outputs(applet).items()
        if after is None
    ]


def _passthru(flow: Flow, name: str, applet: Passthru) -> list[Finding]:
    if applet.mode == "async" or applet.a is None or applet.b is None:
        return []
    if applet.a == applet.b:
        return [
            Finding(
                name,
                "both outputs lead to the same applet, and the caller waits for an answer that"
                " changes nothing",
                'make it async: mode = "async"',
            )
        ]
    if _helped(flow, applet.a) and not _helped(flow, applet.b):
        return [
            Finding(
                f"{name}.b",
                "Option A leads to people and Option B does not; but B is where a caller goes when"
                " your server is slow, down or broken",
                "exchange the two, and answer accordingly: B is the safe side",
            )
        ]
    return []


def _voicebot(flow: Flow, name: str, applet: Voicebot) -> list[Finding]:
    found = []
    passthru_urls = {x.url for x in flow.applet.values() if isinstance(x, Passthru)}
    path = applet.url.partition("://")[2].partition("?")[0].lower()
    if applet.url in passthru_urls or (applet.url.startswith("http") and "passthru" in path):
        found.append(
            Finding(
                f"{name}.url",
                "this looks like a passthru's URL; a voicebot needs a WebSocket URL, or one that"
                ' answers {"url": "wss://…"}',
                "paste the bot's URL here, and the passthru's into a Passthru applet after it",
            )
        )
    after = flow.applet.get(applet.next or "")
    if after is not None and not isinstance(after, Passthru):
        found.append(
            Finding(
                f"{name}.next",
                f"{kind_of(after)} follows at once, so nobody is told how the stream ended",
                "put a Passthru between",
            )
        )
    return found


def _early(flow: Flow) -> list[Finding]:
    """Passthrus that are met before any stream, though one comes after them."""
    found = []
    for name, applet in flow.applet.items():
        if not isinstance(applet, Passthru) or name not in reachable(
            flow, flow.first, stop=(Voicebot, Stream)
        ):
            continue
        if _asks_for_room(flow, applet):
            continue
        later = reachable(flow, name) - {name}
        if any(isinstance(flow.applet[at], Voicebot | Stream) for at in later):
            found.append(
                Finding(
                    name,
                    "comes before the stream, so it can say nothing of it; waiting for the stream"
                    " in its handler would wait for ever",
                    "put it after the Voicebot",
                )
            )
    return found


def _asks_for_room(flow: Flow, applet: Passthru) -> bool:
    """Whether one of its two ways leads to a stream and the other does not: admission."""
    ways = [
        any(isinstance(flow.applet[at], Voicebot | Stream) for at in reachable(flow, way))
        for way in (applet.a, applet.b)
        if way is not None
    ]
    return applet.mode == "sync" and sorted(ways) == [False, True]


def _circles(flow: Flow) -> list[Finding]:
    """Passthrus that lead back to themselves without anything that takes time between."""
    found = []
    for name, applet in flow.applet.items():
        if isinstance(applet, Passthru):
            quick = _quick_from(flow, name)
            if name in quick:
                found.append(
                    Finding(
                        name,
                        "leads back to itself with nothing between: the call goes round for ever",
                        "lead one output elsewhere",
                    )
                )
    return found


def _switchcases(flow: Flow) -> list[Finding]:
    asked = {
        after
        for applet in flow.applet.values()
        if isinstance(applet, Passthru) and applet.mode == "sync"
        for after in (applet.a,)
    }
    return [
        Finding(
            name,
            "no sync Passthru's Option A leads here, so there is no body to choose by",
            "put a sync Passthru before it, with Option A leading here",
        )
        for name, applet in flow.applet.items()
        if isinstance(applet, SwitchCase) and name not in asked
    ]


def reachable(flow: Flow, start: str, stop: tuple[type, ...] = ()) -> set[str]:
    """The applets on the ways from `start`, itself too; ways end at applets of the `stop` kinds."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        if name in seen:
            continue
        seen.add(name)
        if not isinstance(flow.applet[name], stop):
            ahead += [after for after in outputs(flow.applet[name]).values() if after is not None]
    return seen


def _quick_from(flow: Flow, start: str) -> set[str]:
    """What is met after `start` by way of passthrus and switch cases only."""
    seen: set[str] = set()
    ahead = [after for after in outputs(flow.applet[start]).values() if after is not None]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            if isinstance(flow.applet[name], Passthru | SwitchCase):
                ahead += [x for x in outputs(flow.applet[name]).values() if x is not None]
    return seen


def _helped(flow: Flow, start: str) -> bool:
    """Whether a way from here leads to people, or to a bot that tries again."""
    return any(
        isinstance(flow.applet[name], Connect | Voicemail | Voicebot)
        for name in reachable(flow, start)
        if not isinstance(flow.applet[name], Hangup)
    )

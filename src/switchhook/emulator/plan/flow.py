"""Flows: the applets a call walks through, as App Bazaar has them, as values.

An applet's outputs are names of other applets of its flow; None is an output with nothing after
it, which Exotel allows and which leaves the call hanging (exotel-platform F.1-22).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class _Applet(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="applet"
):
    """What all applets share."""


class Greeting(_Applet, frozen=True, kw_only=True, tag="greeting"):
    """Says something for `seconds`, then goes on."""

    seconds: _Seconds = 3.0
    next: str | None = None


class Gather(_Applet, frozen=True, kw_only=True, tag="gather"):
    """Asks for digits; they reach later passthrus as `digits`, quoted.

    Ends with `finish_on`, with `most_digits`, or when none comes for `wait_s`.
    """

    prompt_s: _Seconds = 2.0
    wait_s: _Seconds = 5.0
    most_digits: Annotated[int, msgspec.Meta(ge=1)] = 10
    finish_on: str = "#"
    next: str | None = None


class Menu(_Applet, frozen=True, kw_only=True, tag="menu"):
    """An IVR menu: one key, one output; `otherwise` for a wrong key or none within `wait_s`."""

    keys: dict[str, str]
    prompt_s: _Seconds = 3.0
    wait_s: _Seconds = 5.0
    otherwise: str | None = None


class Voicebot(_Applet, frozen=True, kw_only=True, tag="voicebot"):
    """A bidirectional stream to `url` (ws, wss, or http(s) that tells it); goes on when it ended.

    See exotel-platform C.1.
    """

    url: str
    record: bool = False
    next: str | None = None


class Stream(_Applet, frozen=True, kw_only=True, tag="stream"):
    """A unidirectional stream: forks the call's audio from `start` to `stop`, never waits."""

    action: Literal["start", "stop"] = "start"
    url: str = ""
    next: str | None = None


class Passthru(_Applet, frozen=True, kw_only=True, tag="passthru"):
    """Tells `url` about the call. Sync: 200 goes to `a`, anything else to `b`. Async: to `next`.

    See exotel-platform A.1.
    """

    url: str
    mode: Literal["sync", "async"] = "sync"
    a: str | None = None
    b: str | None = None
    next: str | None = None


class SwitchCase(_Applet, frozen=True, kw_only=True, tag="switchcase"):
    """Goes where the body of the passthru before it says: `{"select": "keyword"}`.

    See exotel-platform A.1.
    """

    cases: dict[str, str]
    otherwise: str | None = None


class Connect(_Applet, frozen=True, kw_only=True, tag="connect"):
    """Rings agents, all at once or one after another, `ring_s` each; then one of two outputs."""

    numbers: tuple[str, ...]
    order: Literal["parallel", "one-by-one"] = "one-by-one"
    ring_s: _Seconds = 30.0
    record: bool = False
    answered: str | None = None
    no_answer: str | None = None


class Voicemail(_Applet, frozen=True, kw_only=True, tag="voicemail"):
    """Records the caller for at most `seconds`."""

    seconds: _Seconds = 30.0
    next: str | None = None


class Hangup(_Applet, frozen=True, kw_only=True, tag="hangup"):
    """Ends the call."""


Applet = (
    Greeting
    | Gather
    | Menu
    | Voicebot
    | Stream
    | Passthru
    | SwitchCase
    | Connect
    | Voicemail
    | Hangup
)


class Flow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Applets by name, and which comes first. `id` is what `flow_id` says in passthrus."""

    first: str
    applet: dict[str, Applet]
    id: str = "228040"


def kind_of(applet: Applet) -> str:
    """The applet's kind as files spell it, `voicebot` for example."""
    return str(applet.__struct_config__.tag)


def outputs(applet: Applet) -> dict[str, str | None]:
    """Where an applet can lead: label of the output → name of the next applet."""
    match applet:
        case Passthru(mode="async"):
            return {"next": applet.next}
        case Passthru():
            return {"a": applet.a, "b": applet.b}
        case Menu():
            return {f"key {key}": name for key, name in applet.keys.items()} | {
                "otherwise": applet.otherwise
            }
        case SwitchCase():
            return {f"case {case}": name for case, name in applet.cases.items()} | {
                "otherwise": applet.otherwise
            }
        case Connect():
            return {"answered": applet.answered, "no_answer": applet.no_answer}
        case Hangup():
            return {}
        case _:
            return {"next": applet.next}

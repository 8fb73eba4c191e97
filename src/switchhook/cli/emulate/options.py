"""What the commands of `switchhook emulate` are told, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from switchhook.config.discovery import PLACES, find_config
from switchhook.config.live import find_data_folder
from switchhook.config.own_links import passthru_url, running_config
from switchhook.errors import ConfigError
from switchhook.rules.outcome import EndpointKind

if TYPE_CHECKING:
    from switchhook.emulator.plan.plan import Plan

HERE = "http://127.0.0.1:8080/passthru/default"

PASSTHRU = Annotated[
    str | None,
    Parameter(
        name="--passthru",
        help="The server's passthru URL; without it that of the switchhook of this folder.",
    ),
]
SEED = Annotated[
    int | None, Parameter(name="--seed", help="Makes chance repeat; without it all is new.")
]
ALLOW = Annotated[
    list[str] | None,
    Parameter(
        name="--allow",
        negative="",
        help="A host, address or network that may be dialled beside loopback; may be repeated.",
    ),
]
BOT = Annotated[
    str | None,
    Parameter(name="--bot", help="The WebSocket URL of a bot of yours, ws://… or wss://…."),
]
LIMIT = Annotated[
    float, Parameter(name="--limit", help="Seconds that a caller waits for the answer.")
]


def passthru_or_here(said: str | None) -> str:
    """The URL that was said, else that of the switchhook whose configuration or data are here.

    Here is the current folder: a service of this machine is nobody's toy. Where none is, it is
    somebody else's server on this machine. Raises ConfigError.
    """
    if said is not None:
        check_url(said)
        return said
    folder = find_data_folder(find_config(None, PLACES[:1]).file, None)
    if not folder.is_dir():
        return HERE
    config = running_config(folder)
    names = [x.name for x in config.endpoints if x.kind is EndpointKind.PASSTHRU]
    if not names:
        hint = "give the URL of another server"
        raise ConfigError("the switchhook here has no passthru", key="--passthru", hint=hint)
    name = "default" if "default" in names else names[0]
    if name != "default" and len(names) > 1:
        problem = f"the switchhook here has several endpoints: {', '.join(names)}"
        hint = f"give the URL that this prints: switchhook endpoint url {name}"
        raise ConfigError(problem, key="--passthru", hint=hint)
    return passthru_url(folder, config, name)


def passthru_to_ask(said: str | None, bot: str | None) -> str | None:
    """A bot of one's own needs none; without one, it is what was said, or ran here."""
    if bot is None:
        return passthru_or_here(said)
    if said is not None:
        check_url(said)
    return said


def check_url(
    url: str,
    *,
    option: str = "--passthru",
    hint: str = 'write "http://127.0.0.1:8080/passthru/default"',
) -> None:
    """Refuse what can't be a URL."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("http", "https") or not rest.strip("/"):
        raise ConfigError(
            f"{url!r} is no URL",
            key=option,
            hint=hint,
        )


def check_bot(url: str | None) -> None:
    """Refuse what can't be a bot's URL."""
    if url is None:
        return
    scheme, _, rest = url.partition("://")
    if scheme.lower() in ("http", "https") and rest.strip("/"):
        raise ConfigError(
            f"{url!r} is no WebSocket URL",
            key="--bot",
            hint=f"did you mean ws{'s' * (scheme.lower() == 'https')}://{rest}?",
        )
    if scheme.lower() not in ("ws", "wss") or not rest.strip("/"):
        raise ConfigError(
            f"{url!r} is no WebSocket URL", key="--bot", hint='write "ws://127.0.0.1:8765/media"'
        )


def plan_of(file: str) -> Plan:
    """Read a plan's file."""
    from switchhook.emulator.plan.file import read_plan

    return read_plan(Path(file).read_text(), file=file)


def check_limit(seconds: float) -> None:
    """Refuse a patience that ends before anything could be answered, or never."""
    if not 0 < seconds <= 3600:
        raise ConfigError(f"{seconds:g} s is no time to wait", key="--limit", hint="0.1 to 3600")


def address_of(text: str, *, option: str = "--listen") -> tuple[str, int]:
    """Host and port of `--listen`."""
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    right = bare and (":" not in host or host == f"[{bare}]")
    if not right or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError(f"{text!r} is no address", key=option, hint='write "127.0.0.1:8090"')
    return bare, int(port)


def only_without(file: str | None, **options: object) -> None:
    """Refuse options that a plan's file leaves nothing to do for."""
    for name, said in options.items():
        if file is not None and said is not None:
            raise ConfigError(
                f"{file} says that already",
                key=f"--{name}",
                hint=f"leave out one of the two, or change the {name}'s URL in the file",
            )


def rate_of(text: str) -> float:
    """Calls a second of `--rate`."""
    number, _, unit = text.partition("/")
    each = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}.get(unit)
    try:
        value = float(number) / each if each else 0.0
    except ValueError:
        value = 0.0
    if not 0 < value <= 10_000:
        raise ConfigError(f"{text!r} is no rate", key="--rate", hint='write "20/s" or "300/m"')
    return value


def duration_of(text: str) -> float:
    """Seconds of `--for`."""
    unit = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(text[-1:])
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 86_400:
        raise ConfigError(f"{text!r} is no duration", key="--for", hint='write "90s" or "5m"')
    return value


def entries_of(file: str) -> list[dict[str, Any]]:
    """Read a trace's file."""
    found = []
    for at, line in enumerate(Path(file).read_bytes().splitlines(), 1):
        try:
            entry = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise ConfigError(f"not JSON: {error}", file=file, key=f"line {at}") from None
        if not isinstance(entry, dict):
            raise ConfigError("not an entry of a trace", file=file, key=f"line {at}")
        found.append(entry)
    return found

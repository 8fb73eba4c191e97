"""What scenarios of a pool and of admission are told beside the passthru, or find here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from switchhook.cli.emulate.options import address_of, check_bot, check_url
from switchhook.config.discovery import PLACES, find_config
from switchhook.config.live import find_data_folder
from switchhook.config.own_links import passthru_url, running_config
from switchhook.errors import ConfigError
from switchhook.rules.outcome import EndpointKind

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config import Config
    from switchhook.emulator.runs.route_setup import Beside
    from switchhook.emulator.runs.scenarios.definition import Scenario

VOICEBOT = Annotated[
    str | None,
    Parameter(name="--voicebot", help="The server's URL that tells where a stream goes."),
]
ADMIT = Annotated[
    str | None,
    Parameter(name="--admit", help="The server's URL that is asked for room before a stream."),
]
VENDOR = Annotated[
    list[str] | None,
    Parameter(
        name="--vendor",
        negative="",
        help="A ws URL of this machine at which a bot of the pool is played; may be repeated.",
    ),
]
LISTEN = Annotated[
    str | None,
    Parameter(name="--listen", help="HOST:PORT at which Exotel's API is served meanwhile."),
]
ACCOUNT = Annotated[
    str | None, Parameter(name="--account", help="SID:KEY:TOKEN with which it is asked.")
]


def beside_of(
    scenario: Scenario,
    voicebot: str | None,
    admit: str | None,
    vendors: list[str] | None,
    listen: str | None,
    account: str | None,
) -> Beside:
    """What was said, else what the switchhook of this folder has. Raises ConfigError."""
    from switchhook.emulator.runs.route_setup import Beside
    from switchhook.emulator.runs.scenarios.plans import ACCOUNT as SID

    for url, option in ((voicebot, "--voicebot"), (admit, "--admit")):
        if url is not None:
            check_url(url, option=option, hint=f'write "https://…" and what {option} is asked at')
    for url in vendors or ():
        check_bot(url)
    here = _Here() if scenario.needs else None
    if here is not None and "voicebot" in scenario.needs and voicebot is None:
        voicebot = here.url(EndpointKind.VOICEBOT, "--voicebot")
        vendors = vendors if vendors is not None else here.vendors()
    if here is not None and "admit" in scenario.needs and admit is None:
        admit = here.url(EndpointKind.ADMIT, "--admit")
    sid, key, token = _account(account)
    if here is not None and "api" in scenario.needs and listen is None:
        listen, (sid, key, token) = here.api()
    return Beside(
        voicebot=voicebot or "",
        admit=admit or "",
        vendors=tuple(vendors or ()),
        listen=None if listen is None else address_of(listen),
        account=sid or SID,
        key=key,
        token=token,
    )


def _account(said: str | None) -> tuple[str, str, str]:
    parts = (said or "::").split(":")
    if len(parts) != 3 or (said is not None and not all(parts)):
        raise ConfigError("that is no account", key="--account", hint='write "acme1:key:token"')
    return parts[0], parts[1], parts[2]


class _Here:
    """The switchhook whose configuration or data are in the current folder, if one is."""

    def __init__(self) -> None:
        self._folder: Path = find_data_folder(find_config(None, PLACES[:1]).file, None)
        found = self._folder.is_dir()
        self._config: Config | None = running_config(self._folder) if found else None

    def url(self, kind: EndpointKind, option: str) -> str:
        points = self._config.endpoints if self._config is not None else ()
        names = [point.name for point in points if point.kind is kind]
        if self._config is None or len(names) != 1:
            several = f"several: {', '.join(names)}" if names else "none"
            raise ConfigError(
                f"which URL is asked? Of endpoints of kind {kind} there are {several} here",
                key=option,
                hint=f"give the server's URL: {option} https://…",
            )
        return passthru_url(self._folder, self._config, names[0])

    def vendors(self) -> list[str]:
        """Addresses of this machine among its pools' members: bots that can be played there."""
        members = [
            member.url
            for pool in (self._config.pools if self._config is not None else ())
            for member in pool.members
        ]
        return [url for url in members if _of_this_machine(url) and url.startswith("ws://")]

    def api(self) -> tuple[str, tuple[str, str, str]]:
        """Where its account asks for ActiveStreams, and what it asks with."""
        accounts = self._config.accounts if self._config is not None else ()
        for account in accounts:
            place = urlsplit(account.url or "")
            key, token = account.key, account.token
            if _of_this_machine(account.url or "") and place.port and key and token:
                said = account.sid, key.reveal(), token.reveal()
                return f"127.0.0.1:{place.port}", said
        raise ConfigError(
            "nobody would ask for ActiveStreams here",
            key="--listen",
            hint='point an account of your server at the emulator, url = "http://127.0.0.1:8090",'
            " and say --listen 127.0.0.1:8090 --account SID:KEY:TOKEN",
        )


def _of_this_machine(url: str) -> bool:
    from switchhook.emulator.plan.bots import is_here

    return is_here(urlsplit(url).hostname)

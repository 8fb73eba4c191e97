"""The addresses of a switchhook of this machine, with what opens them.

Where no secret is configured and nobody has an account, the data folder's key makes what lets
requests in; whoever can read the folder finds the same address here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.config import AuthMode, Config
from switchhook.config.files import Overrides, recheck_config
from switchhook.config.last_good import KeptFolder
from switchhook.rules.outcome import EndpointKind
from switchhook.system.data_folder import read_identity
from switchhook.system.folder_lock import Holder, holder_url
from switchhook.system.local_keys import endpoint_secret

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config import EndpointConfig, ListenAddress

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what listens there is here, too


def secrets_of(point: EndpointConfig, key: bytes) -> tuple[str, ...]:
    """What lets requests in at an endpoint: none where it is open, one of ours where none is said.

    `key` is the data folder's.
    """
    if point.auth == AuthMode.OPEN:
        return ()
    said = tuple(secret.reveal() for secret in point.secrets)
    return said or (endpoint_secret(key, point.name),)


class AppletUrls(msgspec.Struct, frozen=True):
    """The URLs of an endpoint for its applet, all of which let requests in.

    `urls` begins with the one to use; `public` is whether somebody said how Exotel reaches it, else
    it is the address on this machine.
    """

    urls: tuple[str, ...]
    public: bool

    def __repr__(self) -> str:
        return "AppletUrls(…)"


def applet_path(point: EndpointConfig) -> str:
    """The path at which an applet asks an endpoint, without its secret."""
    return f"/{applet_of(point)}/{point.name}"


def applet_of(point: EndpointConfig) -> str:
    """The applet that asks an endpoint, as its path begins: `passthru` or `voicebot`."""
    return "voicebot" if point.kind is EndpointKind.VOICEBOT else "passthru"


def applet_urls(
    folder: Path, config: Config, endpoint: str, key: bytes, base: str | None = None
) -> AppletUrls | None:
    """The URLs of an endpoint by its name, with its secrets; None where none is configured.

    `base` is how Exotel reaches the answer side; None is what the configuration says.
    """
    point = next((each for each in config.endpoints if each.name == endpoint), None)
    if point is None:
        return None
    public = base or config.answer.url
    start = (public or address(folder, "answer", config.answer.listen)).rstrip("/")
    path = start + applet_path(point)
    urls = tuple(f"{path}/{secret}" for secret in secrets_of(point, key)) or (path,)
    return AppletUrls(urls, bool(public))


def passthru_paths(config: Config, key: bytes) -> dict[str, str]:
    """The path of each endpoint that has no secret of the operator's, by its name."""
    return {
        point.name: "/".join((applet_path(point), *secrets_of(point, key)))
        for point in config.endpoints
        if not point.secrets
    }


def passthru_url(folder: Path, config: Config, endpoint: str) -> str:
    """The URL of an endpoint on this machine, with its first secret.

    Raises DataFolderError; the endpoint has to be there.
    """
    point = next(each for each in config.endpoints if each.name == endpoint)
    secrets = secrets_of(point, read_identity(folder).key)[:1]
    path = "/".join((applet_path(point), *secrets))
    return address(folder, "answer", config.answer.listen) + path


def address(folder: Path, side: Holder, listen: ListenAddress) -> str:
    """Where a side listens: where it runs on the folder, as it says, else as it would."""
    host = _ANYWHERE.get(listen.host, listen.host)
    named = f"[{host}]" if ":" in host else host
    return holder_url(folder, side) or f"http://{named}:{listen.port}"


def running_config(folder: Path) -> Config:
    """The configuration that was taken over last on a folder; the one without a file if none.

    Raises ConfigError where it no longer checks out.
    """
    kept = KeptFolder(folder).config()
    if kept is None:
        return Config()
    found = recheck_config(
        kept.text, kept.file, Overrides(), files=kept.files, variables=kept.variables
    )
    return found.config

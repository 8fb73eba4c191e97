"""`[log]` and `[traces]`: what the programs say of themselves, and where traces go."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.config.basics import Secret
from switchhook.config.keys import RefusedValue, Section, choice, number, several, text

if TYPE_CHECKING:
    from switchhook.config.secrets import Sources

_LONGEST_URL = 2048
_MOST_HEADERS = 20
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64}):[ \t]*([\x20-\x7e]{1,4096})")


class LogFormat(StrEnum):
    """How a line of the log is written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least that is said."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogConfig(msgspec.Struct, frozen=True):
    """`[log]`: of both programs, on standard error."""

    format: LogFormat = LogFormat.TEXT
    level: LogLevel = LogLevel.INFO

    @property
    def json(self) -> bool:
        return self.format is LogFormat.JSON


class TracesConfig(msgspec.Struct, frozen=True):
    """`[traces]`: an OTLP collector's address for traces; empty sends none.

    `headers` are lines of `NAME: VALUE`, secret as a collector's key is in one.
    """

    endpoint: str = ""
    headers: tuple[Secret, ...] = ()
    share: float = 1.0

    def pairs(self) -> dict[str, str]:
        """The headers as they are sent, with their secrets."""
        lines = (each.reveal().partition(":") for each in self.headers)
        return {name: value.strip() for name, _, value in lines}


def read_log(section: Section) -> LogConfig:
    """`[log]`."""
    default = LogConfig()
    log = LogConfig(
        format=section.take("format", choice(LogFormat), default.format),
        level=section.take("level", choice(LogLevel), default.level),
    )
    section.end()
    return log


def read_traces(section: Section, sources: Sources) -> TracesConfig:
    """`[traces]`."""
    default = TracesConfig()

    def from_file(value: object) -> list[Secret]:
        return [_header(line) for line in sources.lines(value)]

    def from_variable(value: object) -> list[Secret]:
        return [_header(sources.variable(value))]

    headers: list[Secret] = []
    for key, reader in (("header_files", from_file), ("header_env", from_variable)):
        for some in section.take(key, several(reader, _MOST_HEADERS), ()):
            headers += some
    traces = TracesConfig(
        endpoint=section.take("endpoint", _address, default.endpoint),
        headers=tuple(headers),
        share=section.take("share", number(0, 1), default.share),
    )
    section.end()
    if headers and not traces.endpoint:
        section.complain("it has headers, but no endpoint", 'endpoint = "http://…/v1/traces"')
    return traces


def _header(line: str) -> Secret:
    if not _HEADER.fullmatch(line):
        raise RefusedValue(
            "a header is not a line of NAME: VALUE", "such as: Authorization: Bearer …"
        )
    return Secret(line)


def _address(value: object) -> str:
    said = text(_LONGEST_URL)(value)
    hint = 'such as "http://127.0.0.1:4318/v1/traces"'
    try:
        url = urlsplit(said)
        host, _port = url.hostname, url.port
    except ValueError:
        raise RefusedValue("no URL", hint) from None
    if url.scheme not in ("http", "https") or not host or not said.isprintable() or " " in said:
        raise RefusedValue("no URL of http or https", hint)
    if url.username is not None or url.query or url.fragment:
        raise RefusedValue("it holds more than host, port and path", "put keys into header_files")
    return said

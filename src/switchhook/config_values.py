"""The values of a configuration: frozen, and with secrets that are shown nowhere."""

from __future__ import annotations

import hmac
import ipaddress
from enum import StrEnum

import msgspec

from switchhook.errors import ConfigError
from switchhook.rules import Option


class ConfigProblems(ConfigError):  # noqa: N818 - it is several
    """All that is wrong with a configuration, one line each, in the order of the file's keys."""

    def __init__(self, problems: tuple[ConfigError, ...], *, file: str = "") -> None:
        super().__init__(f"{len(problems)} problems", file=file)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Secret:
    """A text that is shown nowhere: `reveal` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(
            self._text.encode(), other._text.encode()
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "Secret(…)"


class Address(msgspec.Struct, frozen=True):
    """Where a side listens: an IP address and a port; port 0 takes a free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Mode(StrEnum):
    """Whether the applet waits for the answer (`sync`) or not."""

    SYNC = "sync"
    ASYNC = "async"


class AuthMode(StrEnum):
    """What a request without a right secret gets: a 403, or an answer and a mark on its receipt."""

    ENFORCE = "enforce"
    REPORT_ONLY = "report-only"


class AnswerConfig(msgspec.Struct, frozen=True):
    """`[answer]`: the public side."""

    listen: Address = Address("127.0.0.1", 8080)
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    max_connections: int = 4096
    max_connections_per_address: int = 512


class ConsoleConfig(msgspec.Struct, frozen=True):
    """`[console]`: the private side."""

    listen: Address = Address("127.0.0.1", 8081)


class JournalConfig(msgspec.Struct, frozen=True):
    """`[journal]`: sizes on disk, and of what waits for the disk in memory."""

    segment_mb: int = 256
    ceiling_gb: float = 50
    pending_mb: int = 64


class Bodies(msgspec.Struct, frozen=True):
    """`[endpoints.NAME.bodies]`: the body that goes with an option; None is an empty one."""

    A: str | None = None
    B: str | None = None


class EndpointConfig(msgspec.Struct, frozen=True):
    """`[endpoints.NAME]`: one passthru URL. `rules` is a file's path; None is the built-in ones."""

    name: str
    mode: Mode = Mode.SYNC
    auth: AuthMode = AuthMode.ENFORCE
    secrets: tuple[Secret, ...] = ()
    rules: str | None = None
    safe_option: Option = Option.B
    deadline_ms: int = 1000
    region: str = "IN"
    zone: str = "Asia/Kolkata"
    bodies: Bodies = Bodies()


class Config(msgspec.Struct, frozen=True):
    """A configuration that checked out. `file` names it in messages; `warnings` are for people."""

    data: str = "data"
    answer: AnswerConfig = AnswerConfig()
    console: ConsoleConfig = ConsoleConfig()
    journal: JournalConfig = JournalConfig()
    endpoints: tuple[EndpointConfig, ...] = (EndpointConfig("default"),)
    file: str = ""
    warnings: tuple[str, ...] = ()

    def endpoint(self, name: str) -> EndpointConfig | None:
        """The endpoint of that name."""
        return next((each for each in self.endpoints if each.name == name), None)

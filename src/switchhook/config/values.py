"""The values of a configuration: frozen, and with secrets that are shown nowhere."""

from __future__ import annotations

import ipaddress
from enum import StrEnum

import msgspec

from switchhook.cluster.settings import ClusterSettings
from switchhook.config.accounts import AccountConfig, OptionDestinations
from switchhook.config.alerts import AlertsConfig
from switchhook.config.basics import ListenAddress, Secret
from switchhook.config.bot_address import BotAddress
from switchhook.config.console import ConsoleConfig
from switchhook.config.flags import OfrepConfig
from switchhook.config.observe import LogConfig, TracesConfig
from switchhook.errors import ConfigError
from switchhook.journal.receipt import Keep
from switchhook.releases.settings import RolloutSettings
from switchhook.retention.policy import RetentionLimits
from switchhook.rules.bot_pool import Pool
from switchhook.rules.flags import Flag
from switchhook.rules.outcome import EndpointKind, Option
from switchhook.streams.names import Bot

__all__ = [
    "AlertsConfig",
    "AnswerConfig",
    "AuthMode",
    "Bodies",
    "BotAddress",
    "Config",
    "ConfigProblems",
    "ConsoleConfig",
    "EndpointConfig",
    "EndpointKind",
    "JournalConfig",
    "ListenAddress",
    "Mode",
    "Secret",
]


class ConfigProblems(ConfigError):  # noqa: N818 - it is several
    """All that is wrong with a configuration, one line each, in the order of the file's keys."""

    def __init__(self, problems: tuple[ConfigError, ...], *, file: str = "") -> None:
        super().__init__(f"{len(problems)} problems", file=file)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Mode(StrEnum):
    """Whether the applet waits for the answer (`sync`) or not."""

    SYNC = "sync"
    ASYNC = "async"


class AuthMode(StrEnum):
    """What a request without a right secret gets: a 403, or an answer and a mark on its receipt.

    An open endpoint has no secret: whatever comes straight from this machine is answered.
    """

    ENFORCE = "enforce"
    REPORT_ONLY = "report-only"
    OPEN = "open"


class AnswerConfig(msgspec.Struct, frozen=True):
    """`[answer]`: the public side; `url` is how Exotel reaches it, "" where that is not said."""

    listen: ListenAddress = ListenAddress("127.0.0.1", 8080)
    url: str = ""
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    max_connections: int = 4096
    max_connections_per_address: int = 512
    compiled_rules: bool = True


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
    """`[endpoints.NAME]`: one URL. `rules` is a file's path; None is the built-in ones.

    Of a voicebot endpoint, `pool` is for the built-in rules, `fallback` the address where deciding
    fails, None where there is none, and `when_off` the HTTP status where no address is to be had.
    `selects` says where a passthru endpoint's keywords lead.
    """

    name: str
    mode: Mode = Mode.SYNC
    auth: AuthMode = AuthMode.ENFORCE
    secrets: tuple[Secret, ...] = ()
    rules: str | None = None
    safe_option: Option = Option.B
    deadline_ms: int = 1000
    keep: Keep = Keep.LOCAL
    region: str = "IN"
    zone: str = "Asia/Kolkata"
    bodies: Bodies = Bodies()
    account: str | None = None
    destinations: OptionDestinations = OptionDestinations()
    kind: EndpointKind = EndpointKind.PASSTHRU
    pool: str = ""
    fallback: BotAddress | None = None
    when_off: int = 404
    selects: dict[str, str] = {}


class Config(msgspec.Struct, frozen=True):
    """A configuration that checked out. `file` names it in messages; `warnings` are for people.

    `pools` are the bots with members, `addresses` those of all their members.
    """

    data: str = "data"
    answer: AnswerConfig = AnswerConfig()
    console: ConsoleConfig = ConsoleConfig()
    journal: JournalConfig = JournalConfig()
    endpoints: tuple[EndpointConfig, ...] = (EndpointConfig("default"),)
    accounts: tuple[AccountConfig, ...] = ()
    bots: tuple[Bot, ...] = ()
    pools: tuple[Pool, ...] = ()
    addresses: tuple[BotAddress, ...] = ()
    flags: tuple[Flag, ...] = ()
    ofrep: OfrepConfig = OfrepConfig()
    flows: dict[str, str] = {}
    exophones: dict[str, str] = {}
    alerts: AlertsConfig = AlertsConfig()
    keep: RetentionLimits = RetentionLimits()
    releases: RolloutSettings = RolloutSettings()
    cluster: ClusterSettings = ClusterSettings()
    log: LogConfig = LogConfig()
    traces: TracesConfig = TracesConfig()
    file: str = ""
    warnings: tuple[str, ...] = ()

    def endpoint(self, name: str) -> EndpointConfig | None:
        """The endpoint of that name."""
        return next((each for each in self.endpoints if each.name == name), None)

    def flag(self, name: str) -> Flag | None:
        """The flag of that name."""
        return next((each for each in self.flags if each.name == name), None)

    def pool(self, name: str) -> Pool | None:
        """The pool of that name."""
        return next((each for each in self.pools if each.name == name), None)

    def address(self, pool: str, member: str) -> BotAddress | None:
        """The whole address of a member of a pool."""
        wanted = (pool, member)
        return next((each for each in self.addresses if (each.pool, each.member) == wanted), None)

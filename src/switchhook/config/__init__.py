"""The configuration: parsed once into frozen values, unknown keys refused by name.

`load_config` is pure; files and the environment are reached through its arguments. Everything
that is wrong with a file is said at once. docs/configuration.md explains every key.
"""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.config.accounts import (
    read_accounts,
    read_exophones,
    read_flows,
)
from switchhook.config.alerts import read_alerts
from switchhook.config.basics import ListenAddress
from switchhook.config.bot_address import shown_address, shown_parameters
from switchhook.config.bots import read_bots
from switchhook.config.calling_back import callback_warnings, check_callbacks
from switchhook.config.cluster import read_cluster
from switchhook.config.console import (
    ConsoleConfig,
    base_url,
    check_console,
    read_console,
)
from switchhook.config.endpoints import read_endpoints
from switchhook.config.flags import read_flags, read_ofrep
from switchhook.config.keys import (
    Problems,
    RefusedValue,
    Section,
    address,
    flag,
    integer,
    network,
    number,
    paths,
    several,
)
from switchhook.config.names import check_names
from switchhook.config.observe import read_log, read_traces
from switchhook.config.releases import read_releases
from switchhook.config.retention import read_retention
from switchhook.config.routing_check import config_warnings
from switchhook.config.secrets import Sources
from switchhook.config.values import (
    AnswerConfig,
    AuthMode,
    Bodies,
    Config,
    ConfigProblems,
    EndpointConfig,
    JournalConfig,
    Mode,
    Secret,
)
from switchhook.errors import ConfigError
from switchhook.journal.receipt import Keep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "LARGEST",
    "AnswerConfig",
    "AuthMode",
    "Bodies",
    "Config",
    "ConfigProblems",
    "ConsoleConfig",
    "EndpointConfig",
    "JournalConfig",
    "ListenAddress",
    "Mode",
    "Secret",
    "data_folder_of",
    "load_config",
    "override",
    "without_secrets",
]

LARGEST = 1_000_000
"""Bytes of a configuration file, and of any file it names."""


def load_config(
    text: str | bytes,
    *,
    file: str,
    environ: Mapping[str, str],
    read_file: Callable[[str], bytes],
) -> Config:
    """Read and check a configuration; paths in it are relative to the folder of `file`.

    `read_file` gives the bytes of a secret file by its path and may raise OSError. Raises
    `ConfigProblems` with everything that is wrong.
    """
    problems = Problems(file)
    root = Section(_document(text, file), "", problems)
    folder = os.path.dirname(file)  # noqa: PTH120 - text only: "" has to stay ""
    sources = Sources(folder, environ, read_file, [])
    config = _read(root, sources, problems)
    root.end()
    _check_whole(config, problems)
    if problems.found:
        raise ConfigProblems(tuple(problems.found), file=file)
    warnings = (*config.warnings, *config_warnings(config), *callback_warnings(config))
    return msgspec.structs.replace(config, warnings=warnings)


def _read(root: Section, sources: Sources, problems: Problems) -> Config:
    """All sections."""
    folder = sources.folder
    return Config(
        data=root.take("data", paths(folder), os.path.join(folder, "data")),  # noqa: PTH118
        answer=_answer(root.section("answer")),
        console=read_console(root.section("console"), sources),
        journal=_journal(root.section("journal")),
        endpoints=read_endpoints(root.section("endpoints"), sources, problems),
        accounts=read_accounts(root.section("accounts"), sources, problems),
        bots=(bots := read_bots(root.section("bots"), sources, problems)).bots,
        pools=bots.pools,
        addresses=bots.addresses,
        flags=read_flags(root.section("flags"), problems),
        ofrep=read_ofrep(root.section("ofrep")),
        flows=read_flows(root.section("flows"), problems),
        exophones=read_exophones(root.section("exophones"), problems),
        alerts=read_alerts(root.section("alerts"), sources, problems),
        keep=read_retention(root.section("keep")),
        releases=read_releases(root.section("releases")),
        cluster=read_cluster(root.section("cluster"), sources),
        log=read_log(root.section("log")),
        traces=read_traces(root.section("traces"), sources),
        file=problems.file,
        warnings=tuple(sources.warnings),
    )


def override(
    config: Config,
    *,
    data: str | None = None,
    answer: str | None = None,
    console: str | None = None,
) -> Config:
    """Apply what the command line says, and check the whole again. Raises `ConfigProblems`."""
    problems = Problems("")
    line = Section({"--answer": answer, "--console": console}, "", problems)
    if answer is not None:
        listen = line.take("--answer", address, config.answer.listen)
        config = msgspec.structs.replace(
            config, answer=msgspec.structs.replace(config.answer, listen=listen)
        )
    if console is not None:
        listen = line.take("--console", address, config.console.listen)
        config = msgspec.structs.replace(
            config, console=msgspec.structs.replace(config.console, listen=listen)
        )
    if data is not None:
        config = msgspec.structs.replace(config, data=data)
    if not problems.found:
        _check_whole(config, problems := Problems(config.file))
    if problems.found:
        raise ConfigProblems(tuple(problems.found), file=config.file)
    return config


def data_folder_of(text: str | bytes, *, file: str) -> str:
    """Where the data folder is, as far as even a damaged configuration tells.

    `data` stands before the first table, so that what follows may be broken.
    """
    folder = os.path.dirname(file)  # noqa: PTH120
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    head: list[str] = []
    for line in said.removeprefix("\ufeff").splitlines():
        if line.lstrip().startswith("["):
            break
        head.append(line)
    value: object = None
    for line in head:
        try:
            value = tomllib.loads(line).get("data", value)
        except (ValueError, RecursionError):
            continue  # the line of something else
    try:
        return paths(folder)(value)
    except RefusedValue:
        return os.path.join(folder, "data")  # noqa: PTH118


def without_secrets(text: str | bytes) -> str:
    """What a configuration that checked out says, as JSON for the record, with no secret in it.

    Comments are left out: people keep old secrets there.
    """
    said = text.decode() if isinstance(text, bytes) else text
    document = tomllib.loads(said.removeprefix("\ufeff"))
    for endpoint in document.get("endpoints", {}).values():
        if "secrets" in endpoint:
            endpoint["secrets"] = [repr(Secret("")) for _ in endpoint["secrets"]]
        if "fallback" in endpoint:
            endpoint["fallback"] = shown_address(endpoint["fallback"])
    for account in document.get("accounts", {}).values():
        callbacks = account.get("callbacks", {})
        if "bot" in callbacks:
            callbacks["bot"] = shown_address(callbacks["bot"])
    for bot in document.get("bots", {}).values():
        for member in bot.get("members", {}).values():
            if "parameters" in member:
                member["parameters"] = shown_parameters(member["parameters"])
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def _document(text: str | bytes, file: str) -> dict[str, Any]:
    def refuse(problem: str, hint: str = "") -> ConfigProblems:
        return ConfigProblems((ConfigError(problem, file=file, hint=hint),), file=file)

    try:
        data = text.encode() if isinstance(text, str) else text
        whole = data.decode()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text, at byte {error.start}"
        raise refuse(problem, "save the file as UTF-8") from None
    except UnicodeEncodeError:
        raise refuse("not Unicode text", "save the file as UTF-8") from None
    if len(data) > LARGEST:
        raise refuse(f"the file has {len(data):,} bytes, the most is {LARGEST:,}")
    if "\0" in whole:
        raise refuse("there is a NUL character in it", "was the file cut short?")
    try:
        document = tomllib.loads(whole.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        # tomllib lets int()'s own ValueError through for a number of thousands of digits.
        said = (
            str(error)
            if isinstance(error, tomllib.TOMLDecodeError)
            else "a value is too large or too deep"
        )
        hint = "was the file cut short?" if "end of document" in said else ""
        raise refuse(f"not TOML: {said[:1].lower() + said[1:]}", hint) from None
    if not document:
        raise refuse("the file says nothing", "leave the configuration out to run on defaults")
    return document


_URL_HINT = 'such as "https://calls.example.com"'


def _answer(section: Section) -> AnswerConfig:
    default = AnswerConfig()
    answer = AnswerConfig(
        listen=section.take("listen", address, default.listen),
        url=section.take("url", base_url(_URL_HINT), default.url),
        trusted_proxies=section.take("trusted_proxies", several(network, 1000), ()),
        max_connections=section.take(
            "max_connections", integer(1, 1_000_000), default.max_connections
        ),
        max_connections_per_address=section.take(
            "max_connections_per_address",
            integer(1, 1_000_000),
            default.max_connections_per_address,
        ),
        compiled_rules=section.take("compiled_rules", flag, default.compiled_rules),
    )
    section.end()
    return answer


def _journal(section: Section) -> JournalConfig:
    default = JournalConfig()
    journal = JournalConfig(
        segment_mb=section.take("segment_mb", integer(1, 65_536), default.segment_mb),
        ceiling_gb=section.take("ceiling_gb", number(0.01, 1_000_000), default.ceiling_gb),
        pending_mb=section.take("pending_mb", integer(1, 65_536), default.pending_mb),
    )
    section.end()
    return journal


def _check_whole(config: Config, problems: Problems) -> None:
    """What no key alone can tell."""
    check_names(config, problems)
    check_callbacks(config, problems)
    public = config.answer.listen
    for endpoint in config.endpoints:
        if endpoint.secrets and endpoint.auth is AuthMode.OPEN:
            problem = "an open endpoint asks for no secret, and it has one"
            problems.add(f"endpoints.{endpoint.name}.auth", problem, "remove one of the two")
        alone = config.cluster.database is None and not problems.has("cluster.database")
        if endpoint.keep is Keep.TWO_COPIES and alone:
            problem = "the second copy is the database's, and no [cluster] database is named"
            hint = "set cluster.database, or remove keep"
            problems.add(f"endpoints.{endpoint.name}.keep", problem, hint)
    if not public.loopback:
        for endpoint in config.endpoints:
            refused = problems.has(f"endpoints.{endpoint.name}.secret")
            if not endpoint.secrets and not refused:
                problems.add(
                    f"endpoints.{endpoint.name}",
                    f"it has no secret, and the answer side listens on {public}, not on loopback",
                    "make one with: switchhook secret",
                )
    private = config.console.listen
    check_console(config.console, problems)
    if public == private and public.port:
        problems.add("console.listen", f"the answer side listens on {public} already")
    bots = config.ofrep.listen
    if bots is not None and bots.port and bots in (public, private):
        side = "answer side" if bots == public else "console"
        problems.add("ofrep.listen", f"the {side} listens on {bots} already", "say another port")
    journal = config.journal
    if journal.ceiling_gb * 1000 < journal.segment_mb * 2:
        problems.add(
            "journal.ceiling_gb",
            f"it holds less than two segments of {journal.segment_mb} MB",
            "raise it, or lower journal.segment_mb",
        )

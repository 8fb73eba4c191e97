"""`switchhook check`: whether files check out, and what changed rules would have decided."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.check_against import compare
from switchhook.cli.check_matches import show_matches
from switchhook.cli.check_routing import (
    config_beside,
    endpoints_of,
    load_for,
    refuse_unknown,
    routing_warnings,
)
from switchhook.cli.data import found_config, found_data_folder
from switchhook.cli.kept_since import length_ms
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.config import Config
from switchhook.config.files import CheckedConfig, Inputs, Overrides, check_config, read_whole
from switchhook.config.rules_terms import terms_of
from switchhook.config.values import ConfigProblems
from switchhook.errors import ConfigError
from switchhook.rules.decide import EndpointKind, Ruleset
from switchhook.rules.rules_file import BUILTIN
from switchhook.server.exposed import exposed

if TYPE_CHECKING:
    from collections.abc import Sequence


def check(
    *files: str,
    config: CONFIG = None,
    data: DATA = None,
    against: Annotated[str | None, Parameter(help="How long back, such as 24h or 7d.")] = None,
    endpoint: Annotated[
        str | None, Parameter(help="Whose receipts, for a file that no endpoint has.")
    ] = None,
    probe: Annotated[bool, Parameter(negative="", help="Ask each member of a pool, once.")] = False,
    json: JSON = False,
) -> int:
    """Check configurations and rules files; exit code 1 if one does not check out.

    Without any it is the configuration that `serve` would find; where there is none, the defaults.

    With --against, say how many kept receipts would be answered otherwise, and which. Repeats are
    left out, as they take the first one's answer, and HEAD requests.

    With --probe, each member of a pool is asked once from here: name, connection, TLS, WebSocket
    and Basic auth. Exit code 1 if one can't be reached, or its certificate ends within 14 days.

    Where a data folder holds a journal, it is told for each rule how many callers of the last day
    it would have decided.

    For example:

        switchhook check my-rules.toml
        switchhook check --config switchhook.toml
        switchhook check my-rules.toml --against 24h --data data

    Parameters
    ----------
    files
        Rules files and configurations.
    """
    span = None if against is None else length_ms(against, "--against")
    # Files that are named replace what the configuration has for their endpoint.
    found = found_config(config, data) if not files else config
    wanted = [*([found] if found and found not in files else []), *files]
    beside = config_beside(config, data) if files else ()
    refuse_unknown(endpoint, beside)
    checked = _check_all(wanted, endpoint, data, beside) if wanted else _check_defaults(data)
    if checked is None:
        return 1
    if probe:
        # Connections, and the ledger of what was set by hand: no other check wants them loaded.
        from switchhook.cli.check_probe import configuration_among, probe_members

        if probe_members(configuration_among(files, found)):
            return 1
    folder = found_data_folder(config, data)
    if span is None or not json:
        # What admits and what chooses bots is asked before there is a stream, and kept elsewhere.
        after = {n: each for n, each in checked.items() if each.kind is EndpointKind.PASSTHRU}
        show_matches(folder, after, json=json)
    if span is not None:
        compare(folder, checked, span, json=json)
    return 0


def _check_defaults(data: str | None) -> dict[str, Ruleset]:
    """The rules that run without a configuration, by endpoint."""
    config = Config()
    folder = Path(config.data if data is None else data)
    for warning in (*config.warnings, *exposed(CheckedConfig(config, "", {}, {}), folder)):
        output.err.print(warning, soft_wrap=True)
    output.err.print("there is no configuration: the defaults check out", soft_wrap=True)
    return {point.name: BUILTIN for point in config.endpoints}


def _check_all(
    files: Sequence[str], endpoint: str | None, data: str | None, beside: tuple[Config, ...]
) -> dict[str, Ruleset] | None:
    """The rules in files by endpoint; None where one does not check out, which is said."""
    checked: dict[str, Ruleset] = {}
    failed = False
    for file in files:
        try:
            found = _check(file, endpoint, data, beside)
        except ConfigError as error:
            failed = True
            for line in str(error).splitlines():
                output.out.print(line, soft_wrap=True)
            continue
        checked |= found
        output.err.print(f"{file} checks out", soft_wrap=True)
    return None if failed else checked


def _check(
    file: str, endpoint: str | None, data: str | None, beside: tuple[Config, ...]
) -> dict[str, Ruleset]:
    """The rules in a file by endpoint. Raises ConfigError."""
    try:
        content = read_whole(file)
    except OSError as error:
        problem = f"it can't be read: {(error.strerror or str(error)).lower()}"
        raise ConfigError(problem, file=file) from None
    if not _is_config(content):
        return {
            name: load_for(content, file, name, beside)
            for name in endpoints_of(file, endpoint, beside)
        }
    path = str(Path(file).absolute())
    checked = check_config(content, path, Overrides(), Inputs(os.environ))
    config = checked.config
    folder = Path(config.data if data is None else data)
    for warning in (*config.warnings, *exposed(checked, folder)):
        output.err.print(f"{file}: {warning}", soft_wrap=True)
    rulesets = _rulesets(config, file)
    for warning in routing_warnings(config, rulesets, folder):
        output.err.print(f"{file}: {warning}", soft_wrap=True)
    return rulesets


def _rulesets(config: Config, file: str) -> dict[str, Ruleset]:
    """The rules of a configuration by endpoint. Raises ConfigProblems."""
    rulesets: dict[str, Ruleset] = {}
    problems: list[ConfigError] = []
    for point in config.endpoints:
        terms = terms_of(config, point)
        try:
            rulesets[point.name] = (
                terms.builtin
                if point.rules is None
                else terms.load(read_whole(point.rules), file=point.rules, strict=True)
            )
        except ConfigError as error:
            problems.append(error)
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            problems.append(ConfigError(f"it can't be read: {said}", file=point.rules or ""))
    if problems:
        raise ConfigProblems(tuple(problems), file=file)
    return rulesets


def _is_config(content: bytes) -> bool:
    """Whether a file is a configuration; rules have `rule` and `default`."""
    try:
        document = tomllib.loads(content.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return re.search(rb"^\s*\[(endpoints|answer|console|journal)\b", content, re.M) is not None
    return bool(document) and not {"rule", "default"} & document.keys()

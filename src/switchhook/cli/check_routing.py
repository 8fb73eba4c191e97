"""What `check` says of pools, admission and keywords, and for what kind of endpoint rules are."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.cli.data import found_config
from switchhook.cluster.membership import NOTE
from switchhook.config.files import Inputs, Overrides, check_config, read_whole
from switchhook.config.routing_check import rules_warnings
from switchhook.config.rules_terms import terms_of
from switchhook.errors import ConfigError, SwitchhookError
from switchhook.rules.outcome import KEYS, EndpointKind
from switchhook.rules.rules_file import load_rules
from switchhook.system.data_folder import LEDGER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.config import Config, EndpointConfig
    from switchhook.rules.decide import Ruleset


def load_for(content: bytes, file: str, endpoint: str, configs: Iterable[Config]) -> Ruleset:
    """Rules of a file by itself, for an endpoint.

    Where no configuration has that, what the file says tells its kind, and any pool may be.
    Raises RulesetError.
    """
    for config in configs:
        for point in config.endpoints:
            if point.name == endpoint:
                return terms_of(config, point).load(content, file=file, strict=True)
    return load_rules(content, file=file, strict=True, kind=kind_said(content))


def endpoints_of(file: str, said: str | None, configs: Iterable[Config]) -> tuple[str, ...]:
    """Whose rules a file has: as `said`, else of those that have it, the only one, `default`."""
    if said is not None:
        return (said,)
    known = [point for config in configs for point in config.endpoints]
    having = dict.fromkeys(point.name for point in known if _has(point, file))
    return tuple(having) or ((known[0].name,) if len(known) == 1 else ("default",))


def refuse_unknown(endpoint: str | None, configs: Iterable[Config]) -> None:
    """Raises ConfigError where there are configurations, and none has that endpoint."""
    known = {point.name for config in configs for point in config.endpoints}
    if endpoint is not None and known and endpoint not in known:
        problem = f"there is no endpoint {endpoint[:80]!r} in the configuration"
        raise ConfigError(problem, hint=f"known: {', '.join(sorted(known))}")


def kind_said(content: bytes) -> EndpointKind:
    """The kind whose keys rules have; passthru where they have none that others have not."""
    try:
        document = tomllib.loads(content.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return EndpointKind.PASSTHRU
    rules = document.get("rule", [])
    tables = [document.get("default"), *(rules if isinstance(rules, list) else [])]
    said = {key for table in tables if isinstance(table, dict) for key in table}
    own = set(KEYS[EndpointKind.PASSTHRU]) - set(KEYS[EndpointKind.ADMIT])
    if "pool" in said:
        return EndpointKind.VOICEBOT
    if "class" in said and not said & own:
        return EndpointKind.ADMIT
    return EndpointKind.PASSTHRU


def config_beside(config: str | None, data: str | None) -> tuple[Config, ...]:
    """The configuration that a command goes by, if it checks out; to look names up in."""
    try:
        file = found_config(config, data)
        if file is None:
            return ()
        path = str(Path(file).absolute())
        return (check_config(read_whole(file), path, Overrides(), Inputs(os.environ)).config,)
    except (ConfigError, OSError):
        return ()


def routing_warnings(
    config: Config, rulesets: Mapping[str, Ruleset], folder: Path
) -> tuple[str, ...]:
    """One sentence each; `folder` is the data folder, which tells what accounts are allowed."""
    return rules_warnings(config, rulesets, allowed_streams(folder))


def allowed_streams(folder: Path) -> dict[str, int]:
    """How many streams each account was allowed when it was asked last, as far as is known."""
    if not (folder / LEDGER).exists() and not (folder / NOTE).exists():
        return {}
    # Most checks are made where no ledger is, and to load it takes a third of such a check.
    from switchhook.capacity.ledger import LedgerCapacity
    from switchhook.server.places import has_ledger, ledger_of

    try:
        if not has_ledger(folder):
            return {}
        ledger = ledger_of(folder)
    except SwitchhookError:
        return {}
    try:
        history = LedgerCapacity(ledger)
        found: dict[str, int] = {}
        for account in history.accounts():
            for reading in history.recent(account, 0):
                if reading.allowed is not None:
                    found[account] = reading.allowed
        return found
    except SwitchhookError:
        return {}
    finally:
        ledger.close()


def _has(point: EndpointConfig, file: str) -> bool:
    return point.rules is not None and Path(point.rules).absolute() == Path(file).absolute()

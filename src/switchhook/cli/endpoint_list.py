"""`switchhook endpoint list`: what each endpoint is, and how it stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.text import Text

from switchhook.cli import output
from switchhook.cli.data import config_or_last, data_folder, found_config, steady_now_ms, store_in
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.doctor.endpoint_queries import (
    Asked,
    Traffic,
    ages_s,
    rules_state,
    secret_files,
    traffic,
)
from switchhook.errors import SwitchhookError
from switchhook.metrics import duration_text
from switchhook.rules.outcome import EndpointKind
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config import Config

_LOOK_S = 2.0
_RULES_STYLE = {
    "in force": "green",
    "changed": "yellow",
    "undone": "yellow",
    "released": "green",
    "refused": "bold red",
    "missing": "red",
}


def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List the endpoints: kind, mode, rules, secrets, and what they were asked in the last hour.

    Exit code 1 where a rules file is refused or missing: other rules run than it says.
    """
    folder = data_folder(config, data)
    said = config_or_last(folder, found_config(config, data))
    until = time.monotonic() + _LOOK_S
    asked = traffic(folder, _now_ms(folder), lambda: time.monotonic() > until)
    files = secret_files(said)
    rows = [_row(folder, said, name, files.get(name, ()), asked) for name in _names(said)]
    if json:
        for row in rows:
            output.print_json(row)
    else:
        output.print_table(
            (
                *("ENDPOINT", "KIND", "MODE", "RULES", "SECRETS", "LAST ASKED", "1 H", "TO B"),
                *("SAFE", "FILE"),
            ),
            (
                (
                    row["endpoint"],
                    row["kind"],
                    row["mode"],
                    Text(row["rules"], style=_RULES_STYLE.get(row["rules"], "")),
                    _secrets_text(row),
                    output.day_clock(row["last_asked_at"]),
                    row["requests"],
                    "–" if row["share_b"] is None else f"{row['share_b']:.0%}",
                    _safe_text(row),
                    row["rules_problem"] or row["rules_file"] or _pool_text(row),
                )
                for row in rows
            ),
        )
    if asked.since_ms is not None:
        at = output.moment(time_of(asked.since_ms * 1000))
        output.err.print(f"requests are counted since {at} only, as time ran out")
    return int(any(row["rules"] in ("refused", "missing") for row in rows))


def _names(config: Config) -> list[str]:
    return [point.name for point in config.endpoints]


def _row(
    folder: Path, config: Config, name: str, files: tuple[Path, ...], asked: Traffic
) -> dict[str, Any]:
    point = config.endpoint(name)
    assert point is not None
    state, counted = rules_state(folder, config, point), asked.endpoints.get(name, Asked())
    ages = ages_s(files, time.time())
    voicebot = point.kind is EndpointKind.VOICEBOT
    share = counted.to_b / counted.requests if counted.requests and not voicebot else None
    last_ms = counted.last_ms or _last_ms(folder, name)
    return {
        "endpoint": name,
        "kind": point.kind.value,
        "mode": point.mode.value,
        "auth": point.auth.value,
        "rules": state.state,
        "rules_file": point.rules,
        "rules_problem": state.problem or None,
        "secrets": len(point.secrets),
        "oldest_secret_s": round(max(ages)) if ages else None,
        "last_asked_at": None if last_ms is None else time_of(last_ms * 1000),
        "requests": counted.requests,
        "share_b": share,
        "safe_option": None if voicebot else point.safe_option.value,
        "pool": point.pool or None,
        "fallback": None if point.fallback is None else point.fallback.shown,
        "when_off": point.when_off if voicebot else None,
    }


def _safe_text(row: dict[str, Any]) -> Text | str:
    """What callers get where nothing can be decided."""
    if row["safe_option"] is not None:
        return output.option_text(row["safe_option"])
    return "fallback" if row["fallback"] else str(row["when_off"])


def _pool_text(row: dict[str, Any]) -> str | None:
    return f"pool {row['pool']}" if row["pool"] else None


def _secrets_text(row: dict[str, Any]) -> str:
    if row["auth"] == "open":
        return "open"
    if not row["secrets"]:
        return "1, made by the folder"
    age = row["oldest_secret_s"]
    said = str(row["secrets"]) if age is None else f"{row['secrets']}, {duration_text(age)} old"
    return f"{said}, not enforced" if row["auth"] == "report-only" else said


def _last_ms(folder: Path, endpoint: str) -> int | None:
    """When the endpoint was last told of a stream, as the console folded it."""
    try:
        uses = store_in(folder).uses()
    except SwitchhookError:
        return None
    return max((use.last_ms for use in uses if use.facet.endpoint == endpoint), default=None)


def _now_ms(folder: Path) -> int:
    try:
        return steady_now_ms(folder)
    except SwitchhookError:  # no console has begun a store yet
        return time.time_ns() // 1_000_000

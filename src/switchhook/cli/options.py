"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

CONFIG = Annotated[str | None, Parameter(name="--config", help="Configuration file (TOML).")]
DATA = Annotated[
    str | None, Parameter(name="--data", help="Data folder; the configuration's without it.")
]
JSON = Annotated[
    bool, Parameter(name="--json", negative="", help="Lines of JSON instead of a table.")
]

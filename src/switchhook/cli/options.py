"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

CONFIG = Annotated[str | None, Parameter(name="--config", help="Configuration file (TOML).")]
DATA = Annotated[
    str | None, Parameter(name="--data", help="Data folder; the configuration's without it.")
]
JSON = Annotated[
    bool, Parameter(name="--json", negative="", help="Lines of JSON instead of a table.")
]
SECONDS = Number(gte=0, lte=86_400)
"""Of how long a command may take: no system waits for as long as a number can be."""

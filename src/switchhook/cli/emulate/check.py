"""`switchhook emulate check`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.emulate.options import plan_of


def check(
    file: str, *, json: Annotated[bool, Parameter(name="--json", negative="")] = False
) -> int:
    """Check a plan, and say of its flows what an expert would.

    Ends with 1 where something is questionable, with 2 where the file can't be used.

    Parameters
    ----------
    file
        A plan (TOML).
    """
    from switchhook.emulator.plan.lint import lint

    plan = plan_of(file)
    count = 0
    for name, flow in plan.flow.items():
        for found in lint(flow):
            count += 1
            if json:
                output.print_json({"flow": name, **msgspec.structs.asdict(found)})
            else:
                place = output.plain(f"flow.{name}.{found.place}")
                output.out.print(f"{file}: {place}: {found.problem}; {found.advice}")
    if not count and not json:
        flows = len(plan.flow)
        output.out.print(f"{file}: {flows} flow{'s' * (flows != 1)}, nothing to say against")
    return 1 if count else 0

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
    """Check a plan, and say of its flows what an expert would, and what of it comes to nothing.

    Ends with 1 where something is questionable, with 2 where the file can't be used.

    Parameters
    ----------
    file
        A plan (TOML).
    """
    from switchhook.emulator.plan.aims import lint_plan
    from switchhook.emulator.plan.lint import lint

    plan = plan_of(file)
    findings = [(name, found) for name, flow in plan.flow.items() for found in lint(flow)]
    findings += [("", found) for found in lint_plan(plan)]
    for name, found in findings:
        if json:
            output.print_json({"flow": name or None, **msgspec.structs.asdict(found)})
        else:
            place = output.plain(f"flow.{name}.{found.place}" if name else found.place)
            problem = output.plain(found.problem)
            output.out.print(f"{file}: {place}: {problem}; {output.plain(found.advice)}")
    if not findings and not json:
        flows = len(plan.flow)
        output.out.print(f"{file}: {flows} flow{'s' * (flows != 1)}, nothing to say against")
    return 1 if findings else 0

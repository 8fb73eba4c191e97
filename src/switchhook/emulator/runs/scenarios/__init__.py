"""Every bad day of Exotel by name: each row of exotel-platform G.2, aimed at a server under test.

A scenario places its calls on a plan of its own and says, for each of its passthrus to the server
under test, what had happened to the stream. What a good backend answers then is the table of
exotel-platform G.1. A crash (5xx), a late answer and a dead connection are never an expected
answer, though Exotel takes them for Option B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.emulator.runs.scenarios import account, answer, flow, request, route, stream

if TYPE_CHECKING:
    from switchhook.emulator.runs.scenarios.definition import Scenario

_TABLES = (stream.ROWS, request.ROWS, answer.ROWS, flow.ROWS, account.ROWS, route.ROWS)

SCENARIOS: dict[str, Scenario] = {row.name: row for rows in _TABLES for row in rows}

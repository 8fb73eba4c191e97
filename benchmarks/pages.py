"""Asks a console for its pages again and again, and says how long the first byte took.

`python -m benchmarks.pages PORT SECONDS [CALL_SID NUMBER]` prints one line of JSON: milliseconds by
page, each asked in turn.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from urllib.parse import quote

from benchmarks.by_link import cookie

PAGES = ("/", "/streams", "/causes", "/capacity", "/endpoints", "/alerts", "/audit", "/settings")
SEARCHES = (
    "cause:throttled since:1d",
    "cause:connect_failed,bot_dropped since:1d",
    "call:{call} since:1d",
    "from:{number} since:1d",
    "from:{start} since:1d",
    "from:*{end} since:1d",
)
LONGEST_S = 30.0


def addresses(call: str, number: str) -> dict[str, str]:
    """What is asked for, by the name it has in the report."""
    found = {page: page for page in PAGES}
    found["/calls/…"] = f"/calls/{quote(call)}"
    for search in SEARCHES:
        said = search.format(call=call, number=number, start=number[-10:-5], end=number[-4:])
        shown = search.format(call="…", number="+91…", start="98765", end="3210")
        found[shown] = f"/streams?q={quote(said)}"
    return found


def first_byte_ms(connection: http.client.HTTPConnection, address: str) -> float:
    """Ask, and give the time until the answer began. RuntimeError for any status but 200."""
    began = time.perf_counter()
    connection.request("GET", address, headers=cookie())
    answer = connection.getresponse()
    took = 1000 * (time.perf_counter() - began)
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{address} answered {answer.status}: {body[:300]!r}")
    return took


def newest_call(connection: http.client.HTTPConnection) -> tuple[str, str]:
    """CallSid and number of a call of a while ago."""
    connection.request("GET", "/api/v1/receipts?limit=1000", headers=cookie())
    receipts = json.loads(connection.getresponse().read())["receipts"]
    return receipts[-1]["call_sid"], receipts[-1]["from"]


def main() -> None:
    """Ask, and print what came of it."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_S)
    wanted = addresses(*newest_call(connection))
    found: dict[str, list[float]] = {name: [] for name in wanted}
    until = time.monotonic() + seconds
    while time.monotonic() < until or not all(found.values()):
        for name, address in wanted.items():
            found[name].append(round(first_byte_ms(connection, address), 2))
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

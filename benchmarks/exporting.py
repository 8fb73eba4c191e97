"""Reads all receipts from a console's API again and again, a thousand at a time, until ended.

`python -m benchmarks.exporting PORT`
"""

from __future__ import annotations

import http.client
import json
import sys
from urllib.parse import urlencode

from benchmarks.by_link import cookie


def main() -> None:
    """Ask page after page; prints a line once the first has come."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=120)
    cursor, first = None, True
    while True:
        query = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
        connection.request("GET", f"/api/v1/receipts?{urlencode(query)}", headers=cookie())
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the console answered {answer.status}: {body[:300]!r}")
        cursor = json.loads(body)["next"]
        if first:
            print("exporting", flush=True)
            first = False


if __name__ == "__main__":
    main()

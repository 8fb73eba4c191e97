"""Part: 242 telephone numbers in all that comes in, read by a viewer on all addresses."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from attack.report import NO_TIME, Check, check
from attack.world import Attack, World, sign_in
from patience import PATIENCE_S
from planted_numbers import MANY, leaks, paths_of, plant, routes_of, write_config
from program import Program, http, request, until

_EXPORTS = tuple(f"/api/v1/streams/export?format={x}" for x in ("csv", "ndjson", "parquet"))
_FEEDS = ("/feed", "/feed?page=now", "/api/v1/feed")
_SEEN_BY_OPERATOR = 150


def attack(given: Attack) -> list[Check]:
    """Plant them, read everything as a viewer, and once as an operator who reveals."""
    config = write_config(given.work)
    world = World.at(given.work)
    world.config = config
    with world.running() as program:
        planted = plant(program)
        for name, role in (("vik", "viewer"), ("oli", "operator")):
            world.user(name, role)
        viewer, operator = sign_in(program, "vik"), sign_in(program, "oli")

        def api(path: str) -> dict[str, list[dict[str, str]]]:
            reply = http(program.address("console"), path.encode(), headers=viewer)
            found: dict[str, list[dict[str, str]]] = json.loads(reply.body)
            return found

        until(lambda: len(api("/api/v1/receipts?limit=1000")["receipts"]) >= 200, "the fold")
        paths = sorted(_addresses(given.work, api, planted.calls))
        seen, failed, pages = [], [], 0
        for number, path in enumerate(paths):
            if given.late:
                failed.append(f"{len(paths) - number} addresses: {NO_TIME}")
                break
            status, text = _read(program, path, viewer)
            pages += status == 200
            failed += [f"{path}: {status}"] if status >= 500 else []
            seen += [f"{path}: {each}" for each in leaks(planted.numbers, text)]
        exported = [each for each in _EXPORTS if _read(program, each, viewer)[0] == 200]
        for path in _FEEDS:
            seen += [
                f"{path}: {each}" for each in leaks(planted.numbers, _feed(program, path, viewer))
            ]
        revealed = _revealed(program, operator, planted.numbers)
        program.stop()
        logged = leaks(planted.numbers, program.said)
    tried = f"{MANY} numbers, {len(paths) + len(_FEEDS)} addresses"
    few = [f"only {revealed}"] if revealed < _SEEN_BY_OPERATOR else []
    return [
        check("a viewer sees none of them", tried, seen, f"0 seen; {pages} addresses answered 200"),
        check("a viewer exports nothing", f"{len(_EXPORTS)} exports", exported, "refused"),
        check("no line of the log has one", tried, logged, "0 seen"),
        check("no address fails", tried, failed),
        check("an operator who reveals sees them", tried, few, f"{revealed} in one list"),
    ]


def _addresses(
    folder: Path, api: Callable[[str], dict[str, list[dict[str, str]]]], calls: list[str]
) -> set[str]:
    """Every address of the console's own table of routes, with ids that are there."""
    receipts = [each["id"] for each in api("/api/v1/receipts?limit=1000")["receipts"]]
    streams = [each["sid"] for each in api("/api/v1/streams?limit=1000")["streams"] if each["sid"]]
    issues = [each["id"] for each in api("/api/v1/issues")["issues"]]
    ids = {
        "/static/{name:path} name": ["console.css"],
        "/calls/{call_sid} call_sid": calls,
        "/causes/{issue} issue": issues,
        "/welcome/{link} link": ["none"],
        "/on-it/{link} link": ["none"],
        "/api/v1/issues/{id} id": issues,
        "/api/v1/receipts/{id} id": receipts,
        "/api/v1/calls/{call_sid} call_sid": calls,
        "/api/v1/calls/{call_sid}/sources call_sid": calls,
        "/api/v1/streams/{stream_sid} stream_sid": streams,
        "/api/v1/capacity/{account} account": ["main"],
        "/api/v1/erasures/{id} id": ["1"],
    }
    paths = paths_of(routes_of(folder), _Ids(ids))
    feeds = {each for each in paths if each.startswith(("/feed", "/api/v1/feed"))}
    more = {"/api/v1/receipts?limit=1000", "/api/v1/streams?limit=1000", "/api/v1/forms?since=1d"}
    columns = "time,cause,kind,from,to,bot,option,duration,endpoint,host,flow,status,error,stream"
    return (paths - feeds) | more | {f"/streams?cols={columns}&q={quote('is:failed')}"}


class _Ids(dict[str, list[str]]):
    """A place that nobody knows values for is still tried, with one that is not there."""

    def __missing__(self, key: str) -> list[str]:
        return ["none"]


def _read(program: Program, path: str, headers: dict[str, str]) -> tuple[int, str]:
    reply = http(program.address("console"), path.encode(), headers=headers)
    return reply.status, reply.body.decode(errors="replace") + str(reply.headers)


def _feed(program: Program, path: str, headers: dict[str, str]) -> str:
    """What a feed says until a receipt that comes now is in it, or the time is over."""
    host, port = program.address("console")
    said = b""
    with socket.create_connection((host, port), timeout=PATIENCE_S) as sock:
        sock.sendall(request(path.encode(), f"{host}:{port}", headers=headers))
        wanted = b"receipts\n" if "api" in path else b"tail" if "now" in path else b"verdict"
        while b"event: " not in said:
            said += _more(sock)
        program.ask("CallSid=last&CallFrom=09869869001&Stream[Status]=failed")
        while wanted not in said:
            said += _more(sock)
    return said.decode(errors="replace")


def _more(sock: socket.socket) -> bytes:
    data = sock.recv(65536)
    if not data:
        raise ConnectionError("the feed ended")
    return data


def _revealed(program: Program, cookie: dict[str, str], numbers: Iterable[str]) -> int:
    """How many of them an operator reads in a list, after revealing all."""
    address = program.address("console")
    page = http(address, b"/streams", headers={**cookie, "Accept": "text/html"})
    token = page.body.partition(b'name="csrf" value="')[2].partition(b'"')[0].decode()
    headers = {
        **cookie,
        "Origin": f"http://{address[0]}:{address[1]}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    form = f"csrf={token}&next=/".encode()
    http(address, b"/reveal", method="POST", headers=headers, body=form)
    return len(leaks(numbers, _read(program, "/api/v1/receipts?limit=1000", cookie)[1]))

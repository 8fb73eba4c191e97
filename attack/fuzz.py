"""Part: requests nobody should send, on both ports of the running program."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from attack.report import Check, check
from attack.shots import Maker
from attack.wire import MARKER, Seen, Shot, fire, markers
from attack.world import Attack, World, ask, complained, sign_in
from program import Program, http
from switchhook.journal.receipt import Receipt
from switchhook.rules.admission import SAFE_RULE
from switchhook.rules.decide import Option

SHOTS = 20_000
_AT_ONCE = 12
_AT_A_TIME = 500
_PAGES = (
    *("/", "/streams", "/causes", "/capacity", "/endpoints", "/alerts", "/settings", "/audit"),
    *("/login", "/metrics", "/healthz", "/calls/x", "/static/console.css", "/nothing"),
)
_TRUE = "refused what looks like|asked in bad HTTP|a request could not be read"
_TRACE = re.compile("^Traceback|answering failed|deciding failed", re.MULTILINE)
_SAFE_IS_A = "people"


def attack(given: Attack) -> list[Check]:
    """Fire, then hold what came back against what was kept."""
    world = World(given.work)
    count = given.many(SHOTS)
    with world.running() as program:
        world.user("asha", "operator")
        keys = [{}, {}, world.token("read"), world.token(), sign_in(program, "asha")]
        routes = [*_PAGES, *_api_paths(program, keys[3])]
        maker = Maker(given.chance, routes, keys)
        before = program.children()
        shots = [maker.make() for _ in range(count)]
        addresses = {side: program.address(side) for side in ("answer", "console")}
        seen: list[Seen] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while len(seen) < count and not given.late:
                some = shots[len(seen) : len(seen) + _AT_A_TIME]
                seen += pool.map(lambda shot: fire(addresses[shot.side], shot), some)
        shots = shots[: len(seen)]
        after = program.children()
        honest = ask(program, "99999999").status
        problems = [x for x in complained(program, keys[3]) if not re.search(_TRUE, x)]
        whole_end = program.stop()
        said = program.said
    found = judge(shots, seen, world.receipts())
    sides = [f"{side} was replaced" for side in before if before[side] != after.get(side)]
    sides += ["an honest caller after it all got " + str(honest)] if honest != 200 else []
    sides += [f"it ended with {whole_end}"] if whole_end else []
    traces = [said[max(0, at.start() - 300) : at.start() + 1500] for at in _TRACE.finditer(said)]
    kinds = Counter(shot.kind for shot in shots)
    given.say("fuzz: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
    return [
        *found,
        check(
            "no process dies, and honest callers are answered after", f"{len(shots):,} shots", sides
        ),
        check("no exception that nobody foresaw is logged", f"{len(shots):,} shots", traces),
        check(
            "/healthz of both sides complains of nothing but refused and unreadable requests",
            "1",
            problems,
        ),
    ]


def judge(shots: Sequence[Shot], seen: Sequence[Seen], receipts: Sequence[Receipt]) -> list[Check]:
    """What broke, from what was sent, what came back and what was kept."""
    kept: dict[bytes, list[Receipt]] = {}
    for each in receipts:
        match = MARKER.search(each.raw)
        kept.setdefault(match[1] if match else b"", []).append(each)
    public = [pair for pair in zip(shots, seen, strict=True) if pair[0].side == "answer"]
    private = [pair for pair in zip(shots, seen, strict=True) if pair[0].side == "console"]
    requests = sum(max(1, len(shot.due)) for shot, _ in public)
    due = [(shot, marker) for shot, _ in public for marker in shot.due]
    return [
        check(
            "no 200 that nobody decided",
            f"{requests:,} requests",
            undecided(public, kept),
            f"{sum(each.statuses.count(200) for _, each in public):,} times 200, each with a"
            " receipt that says who chose A, or whose applet is async",
        ),
        check(
            "with a wrong secret never 200, whatever the safe option",
            f"{sum(shot.refused for shot, _ in public):,} requests",
            [_case(shot, each) for shot, each in public if shot.refused and 200 in each.statuses],
        ),
        check(
            "with a readable line and the right secret: a receipt",
            f"{len(due):,} requests",
            [_case(shot) for shot, marker in due if marker not in kept],
        ),
        check(
            "whoever may be Exotel is answered",
            f"{sum(1 for shot, _ in public if shot.due):,} connections",
            [_case(shot, each) for shot, each in public if shot.due and each.missing],
        ),
        check(
            "nothing by accident: no 5xx, public port",
            f"{requests:,} requests",
            [_case(*pair) for pair in public if any(status >= 500 for status in pair[1].statuses)],
        ),
        check(
            "nothing by accident: no 5xx, private port",
            f"{len(private):,} requests",
            [_case(*pair) for pair in private if any(status >= 500 for status in pair[1].statuses)],
        ),
    ]


def undecided(public: Sequence[tuple[Shot, Seen]], kept: dict[bytes, list[Receipt]]) -> list[str]:
    """Answers by 200 that no receipt explains; by number where the marker was garbled."""
    explained = {
        marker: sum(each.http_status == 200 and _decided(each) for each in found)
        for marker, found in kept.items()
    }
    broken = []
    unmarked = 0
    for shot, seen in public:
        times = seen.statuses.count(200)
        names = set(markers(shot.parts))
        covered = sum(explained.get(name, 0) for name in names)
        if times > covered:
            unmarked += times - covered
            broken.append(_case(shot, seen))
    return broken if unmarked > explained.get(b"", 0) else []


def _decided(receipt: Receipt) -> bool:
    """Whether a rule chose A, or the operator by an endpoint's safe option, or nobody listens."""
    if receipt.decision.rule == SAFE_RULE and receipt.endpoint != _SAFE_IS_A:
        return receipt.mode == "async"
    return receipt.mode == "async" or receipt.decision.option is Option.A


def _case(shot: Shot, seen: Seen | None = None) -> str:
    said = "" if seen is None else f" got {seen.statuses} {seen.why}".rstrip()
    sent = b"".join(shot.parts)
    return f"{shot.kind}:{said} {_around(sent)!r}"


def _around(sent: bytes) -> bytes:
    """Of a long request the beginning and the end, which hold what is odd."""
    line, _, rest = sent.partition(b"\r\n")
    return line[:60] + b"~" + rest[:80]


def _api_paths(program: Program, headers: dict[str, str]) -> list[str]:
    reply = http(program.address("console"), b"/api/v1/openapi.json", headers=headers)
    return [re.sub(r"\{[^}]*\}", "x1", path) for path in json.loads(reply.body)["paths"]]

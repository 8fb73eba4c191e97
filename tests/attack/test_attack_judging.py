"""The attack tells what broke: each judge finds the case that it is there for."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from attack import ROOT, flips, fuzz
from attack.report import (
    BEGIN,
    BROKE,
    END,
    HELD,
    Check,
    Part,
    Result,
    check,
    put_between_marks,
    table,
)
from attack.shots import Maker
from attack.wire import Seen, Shot, read_statuses
from attack.world import SECRET
from switchhook.journal.receipt import Receipt
from switchhook.rules.decide import Decision, Option

LINE = f"GET /passthru/sales/{SECRET}?fz=00000001z HTTP/1.1\r\n\r\n".encode()
SHOT = Shot("as captured", (LINE,), (b"00000001",))


def receipt(option=Option.A, rule="default", mode="sync", marker="00000001"):
    return Receipt(
        received_us=0,
        endpoint="sales",
        method="GET",
        raw=f"fz={marker}z".encode(),
        decision=Decision(option, rule, "0" * 64, ""),
        http_status=200,
        mode=mode,
    )


def broken(shots, seen, receipts):
    return {each.promise for each in fuzz.judge(shots, seen, receipts) if each.state == BROKE}


def test_what_is_as_promised_holds():
    assert broken([SHOT], [Seen((200,), 0)], [receipt()]) == set()
    assert broken([SHOT], [Seen((200,), 0)], [receipt(Option.B, mode="async")]) == set()


@pytest.mark.parametrize(
    "shot, seen, receipts, what",
    [
        (SHOT, Seen((200,), 0), [receipt(rule="safe option")], "no 200 that nobody decided"),
        (SHOT, Seen((200,), 0), [receipt(Option.B)], "no 200 that nobody decided"),
        (SHOT, Seen((302,), 0), [], "with a readable line and the right secret: a receipt"),
        (SHOT, Seen((), 1, "silence"), [receipt()], "whoever may be Exotel is answered"),
        (SHOT, Seen((500,), 0), [receipt()], "nothing by accident: no 5xx, public port"),
        (
            msgspec.structs.replace(SHOT, side="console", due=()),
            Seen((500,), 0),
            [],
            "nothing by accident: no 5xx, private port",
        ),
        (
            Shot("wrong secret", (b"GET /passthru/people/x HTTP/1.1\r\n\r\n",), refused=True),
            Seen((200,), 0),
            [],
            "with a wrong secret never 200, whatever the safe option",
        ),
    ],
)
def test_what_is_not_is_told(shot, seen, receipts, what):
    assert what in broken([shot], [seen], receipts)


def test_the_same_chance_makes_the_same_shots():
    """So that what broke can be tried again."""

    def made(seed):
        maker = Maker(random.Random(seed), ["/", "/api/v1/receipts"], [{}])
        return [maker.make() for _ in range(300)]

    assert made(1) == made(1)
    assert made(1) != made(2)
    assert len({each.kind for each in made(1)}) == 10


def test_each_due_shot_has_a_readable_line_with_secret_and_marker():
    """Else a receipt could not be asked for."""
    maker = Maker(random.Random(3), ["/"], [{}])
    for shot in (maker.make() for _ in range(2000)):
        for marker in shot.due:
            line = next(x for x in b"".join(shot.parts).split(b"\r\n") if marker in x)
            method, target, version = line.split(b" ")
            assert method in (b"GET", b"HEAD", b"POST")
            assert version == b"HTTP/1.1"
            assert SECRET.encode() in target
            assert len(line) < 60_000


@pytest.mark.parametrize(
    "received, heads, statuses",
    [
        (b"", 0, []),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 0, []),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 0, []),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 302 Found\r\n\r\n",
            0,
            [200, 302],
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", 0, [403]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 1, [200]),
    ],
)
def test_replies_are_counted_whole(received, heads, statuses):
    assert read_statuses(received, heads) == statuses


WELL = flips.Told({"receipts": "abc"}, (), ("200",))


@pytest.mark.parametrize(
    "told, verdict",
    [
        (WELL, "harmless"),
        (flips.Told({"receipts": "abX"}, (), ("200",)), "broke"),
        (flips.Told({"receipts": "abX"}, ("a record is damaged",), ("200",)), "said"),
        (flips.Told({"receipts": "abc"}, (), ("302",)), "broke"),
        (flips.Told({"receipts": "abc"}, ("rules are damaged",), ("302",)), "said"),
        (flips.Told(None, ("identity.json is damaged",), ()), "said"),
        (flips.Told(None, (), ()), "broke"),
    ],
)
def test_a_flip_is_said_harmless_or_broke(told, verdict):
    assert flips.judge(WELL, told)[0] == verdict


def test_a_row_can_hold_whatever_was_sent():
    """No request can break the table that tells of it."""
    found = check("a", "1", [b"GET /|<script>\r\n".decode(), "b"])
    result = Result("2026-11-28T00:00:00", "0", "m", 1, [Part("fuzz", 2, [found])])
    row = table(result).splitlines()[-1]
    assert row.startswith("| fuzz | a | 1 | **broke** | 2 times: GET /\\|\\<script\\>··; b |")
    assert result.broke == [found]
    assert check("a", "1", [], "none").state == HELD
    assert not Result("", "", "", 1, [Part("x", 1, [Check("a", "1", HELD, "")])]).broke


def test_the_page_has_the_place_for_the_table():
    page = (ROOT / "docs/security.md").read_text()
    written = put_between_marks(page, "here")
    assert f"{BEGIN}\n\nhere\n\n{END}" in written
    with pytest.raises(ValueError, match="no marks"):
        put_between_marks("", "here")


def test_the_list_names_every_requirement_of_levels_1_and_2():
    """Met, not applicable or not met; none twice, none invented."""
    wanted = Path(__file__).parent.joinpath("asvs-5.0-levels-1-and-2.txt").read_text().split()
    numbers = [_parts(each) for each in wanted]
    page = (ROOT / "docs/security.md").read_text()
    named = []
    for line in page.splitlines():
        if not line.startswith("| v5.0.0-"):
            continue
        which, state, why = (cell.strip() for cell in line.strip("|").split("|"))
        assert state in ("met", "not applicable", "**not met**"), line
        assert why, line
        first, _, last = which.removeprefix("v5.0.0-").partition(" to ")
        begin, end = _parts(first), _parts(last or first)
        found = [each for each in numbers if begin <= each <= end]
        assert found, f"{which} names no requirement"
        named += found
    assert sorted(named) == sorted(numbers)


def _parts(number):
    return tuple(int(part) for part in number.split("."))

"""Part: one flipped bit in every kind of file, then a start: it is said, or harmless."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from attack.report import NO_TIME, Check, check, not_tried
from attack.world import CONFIG, SECRET, Attack, World, ask, complained, sign_in
from program import Program, Reply, http, running, until
from switchhook.capacity.facts_file import LOOK_S
from switchhook.emulator.testing import Exotel

_CALLS = 300
_FIRST = "first"
"""Where the folder was made: it is moved from there, so that nothing is where it was."""
_FLIPS = 4
_SAID = re.compile(rb"call0000|Stream\[|asha|\"(?:active|allowed|key|node|text|when)\"")
_BOTS = f"""
[bots.vendor.members.one]
url = "wss://one.bots.example/media"
weight = 70

[bots.vendor.members.two]
url = "wss://two.bots.example/media"

[endpoints.sales-in]
kind = "voicebot"
pool = "vendor"
secrets = ["{SECRET}"]
"""
_POOLS = "[vendor.members.one]\nweight = 20\n"
_RULES = """
[[rule]]
name = "the bot talked"
when = 'stream.status == "completed" || account.active == 4711'
option = "A"

[default]
option = "B"
"""
_CANDIDATE = _RULES.replace("4711", "4712")


@dataclass(frozen=True)
class Kind:
    """A kind of file: which it is in a data folder, and how a start uses it.

    Without `config` the operator's own files are gone, so that what was kept has to serve.
    """

    name: str
    find: Callable[[Path], Path | None]
    config: bool = True
    alone: bool = False
    """The answer side starts alone, as the console would write the file anew at once."""


def _newest(pattern: str) -> Callable[[Path], Path | None]:
    return lambda data: max((x for x in data.glob(pattern) if x.stat().st_size), default=None)


def _oldest(pattern: str) -> Callable[[Path], Path | None]:
    return lambda data: min((x for x in data.glob(pattern) if x.stat().st_size), default=None)


KINDS = (
    # First, as facts are used for a minute only.
    Kind("facts", _newest("facts.json"), alone=True),
    Kind("journal, a sealed segment", _oldest("journal/0*.sqlite")),
    Kind("journal, the open segment", _newest("journal/0*.sqlite")),
    Kind("journal, its write-ahead log", _newest("journal/0*.sqlite-wal")),
    Kind("store", _newest("store/*.sqlite")),
    Kind("store, its write-ahead log", _newest("store/*.sqlite-wal")),
    Kind("ledger", _newest("ledger/*.sqlite")),
    Kind("ledger, its write-ahead log", _newest("ledger/*.sqlite-wal")),
    Kind("which ledger it is", _newest("ledger.json")),
    Kind("the newest backup", _newest("newest-backup.json")),
    Kind("the list of erasures", _newest("erasures.json")),
    Kind("the last good rules", _newest("kept/rules-*.json"), config=False),
    Kind("the pools that run", _newest("kept/pools.json")),
    Kind("a candidate that decides for a share", _newest("kept/candidate-*.json")),
    Kind("the last good configuration", _newest("kept/config.json"), config=False),
    Kind("identity", _newest("identity.json")),
    Kind("boot", _newest("boot.json")),
)


@dataclass(frozen=True)
class Told:
    """What a start on a folder says: what is kept and shown, what it complains of, what it decides.

    `shown` has texts by what they are; None is a start that was refused, with `complaints`.
    """

    shown: dict[str, str] | None
    complaints: tuple[str, ...]
    answers: tuple[str, ...]


def attack(given: Attack) -> list[Check]:
    """Make a folder that has everything, then start on copies of it with one bit flipped."""
    _make(given.work / _FIRST).data.parent.rename(given.work / "original")
    original = World.at(given.work / "original")
    bases: dict[tuple[bool, bool], Told] = {}
    found = []
    for kind in KINDS:
        if given.late:
            found.append(not_tried(f"a flipped bit is said, or harmless: {kind.name}", NO_TIME))
            continue
        if kind.find(original.data) is None:
            why = "the folder has none of it, as a log was just emptied"
            found.append(not_tried(f"a flipped bit is said, or harmless: {kind.name}", why))
            continue
        way = kind.config, kind.alone
        base = bases[way] = bases.get(way) or _start(original, given.work / "base", kind)
        broken: list[str] = []
        seen: list[str] = []
        for number in range(given.many(_FLIPS)):
            world = _copy(original, given.work / f"{number}")
            file = kind.find(world.data)
            assert file is not None
            where = _flip(file, given, in_content=number % 2 == 0)
            told = _start(world, None, kind)
            verdict, why = judge(base, told)
            (broken if verdict == "broke" else seen).append(f"{where}: {why}")
            shutil.rmtree(world.data.parent)
        told_all = "; ".join(sorted({each.partition(": ")[2] for each in seen}))
        found.append(
            check(
                f"a flipped bit is said, or harmless: {kind.name}",
                str(given.many(_FLIPS)),
                broken,
                told_all,
            )
        )
        given.say(f"flips: {found[-1].state}: {kind.name}")
    return [*found, _backup(original, given)]


def judge(base: Told, told: Told) -> tuple[str, str]:
    """Whether a flip was `said`, `harmless` or `broke` something in silence, and what was seen."""
    fresh = [each for each in told.complaints if _plain(each) not in map(_plain, base.complaints)]
    if told.shown is None:
        return (
            ("said", f"refused: {fresh[0][:160]}") if fresh else ("broke", "ended without a word")
        )
    if told.answers != base.answers and not any("safe option" in each for each in fresh):
        kept = all(each in ("302", "200 bot") for each in told.answers)
        if not (fresh and kept):
            return "broke", f"callers got {told.answers}, not {base.answers}"
    if fresh:
        return "said", fresh[0][:160]
    if base.shown is None:
        raise RuntimeError(f"the folder doesn't start without a flip: {base.complaints}")
    other = [name for name in base.shown if told.shown.get(name) != base.shown[name]]
    if other:
        name = other[0]
        became = _difference(base.shown[name], told.shown.get(name, ""))
        return "broke", f"{name} differ, and nothing says so: {became}"
    return "harmless", "harmless"


def _difference(one: str, other: str) -> str:
    pairs = enumerate(zip(one, other, strict=False))
    at = next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))
    around = slice(max(0, at - 30), at + 30)
    return f"{one[around]!r} became {other[around]!r}"


def _plain(text: str) -> str:
    """A complaint without what differs from start to start."""
    return re.sub(r"[0-9]+|/\S+", "", text)


def _make(folder: Path) -> World:
    """A folder with everything in it, as a loss of power would leave it."""
    folder.mkdir(parents=True)
    (folder / "rules.toml").write_text(_RULES)
    os.environ.update({"ATTACK_KEY": "", "ATTACK_TOKEN": ""})
    with Exotel() as exotel:
        os.environ.update({"ATTACK_KEY": exotel.account.key, "ATTACK_TOKEN": exotel.account.token})
        exotel.account.streams = 7
        config = CONFIG.replace("[endpoints.sales]\n", '[endpoints.sales]\nrules = "rules.toml"\n')
        account = (
            f'\n[accounts.main]\nsid = "{exotel.account.sid}"\nurl = "{exotel.url}"\n'
            'key_env = "ATTACK_KEY"\ntoken_env = "ATTACK_TOKEN"\nquiet_s = 1\nbusy_s = 1\n'
        )
        world = World(folder, account + _BOTS, config)
        with world.running() as program:
            world.user("asha", "administrator")
            (folder / "headers.json").write_text(json.dumps(world.token()))
            ask(program, f"{_CALLS:08d}")
            world.of_data("forget", "--call", f"call{_CALLS:08d}", "--yes")
            world.of_data("backup", str(folder / "first.tar.gz"))
            for number in range(_CALLS):
                ask(program, f"{number:08d}")
            until((world.data / "facts.json").exists, "the first facts")
            _release(world)
            # Beside the emulator, which leaves with this block: facts are used for a minute.
            _kill(program)
    return world


def _release(world: World) -> None:
    """Other pools than the configuration's, and a candidate that gives callers the same."""
    pools, rules = world.data.parent / "pools.toml", world.data.parent / "candidate.toml"
    pools.write_text(_POOLS)
    rules.write_text(_CANDIDATE)
    because = ("--reason", "to be flipped")
    world.of_data("release", "promote", str(pools), "--of", "pools", *because)
    world.of_data("release", "canary", str(rules), "50%", "--of", "sales", *because)


def _kill(program: Program) -> None:
    """End all three at once, so that nobody tidies up."""
    children = program.children()
    os.kill(program.process.pid, signal.SIGSTOP)
    for pid in (*children.values(), program.process.pid):
        os.kill(pid, signal.SIGKILL)
    program.process.wait()


def _copy(world: World, folder: Path) -> World:
    shutil.copytree(world.data.parent, folder)
    return World.at(folder)


def _flip(file: Path, given: Attack, *, in_content: bool) -> str:
    """Flip one bit, in the bytes that hold something, or of what a caller said; says where."""
    text = bytearray(file.read_bytes())
    said = [found.start() for found in _SAID.finditer(text)] if in_content else []
    used = [number for number, byte in enumerate(text) if byte]
    at = given.chance.choice(said or used)
    if said:
        at = min(at + given.chance.randrange(80), len(text) - 1)
    bit = given.chance.randrange(7)
    text[at] ^= 1 << bit
    file.write_bytes(text)
    return f"{file.name} at {at}, bit {bit}"


def _start(world: World, copied: Path | None, kind: Kind) -> Told:
    """Start on a folder (or a copy of it), ask everything, end it."""
    if copied is not None:
        world = _copy(world, copied)
    if not kind.config:
        for name in ("switchhook.toml", "rules.toml"):
            (world.data.parent / name).unlink()
    try:
        with _running(world, kind) as program:
            time.sleep(2 * LOOK_S)  # until the answer side has looked at its facts
            answers = tuple(str(ask(program, f"later{n}").status) for n in "abc")
            answers += tuple(f"{_asked_bot(program, n)} bot" for n in "abc")
            program.ask(
                f"CallSid=calllater&passthru=https://x/{SECRET}", f"/passthru/sales/{SECRET}"
            )
            complaints = list(program.health("answer")["problems"])
            shown = {"facts": _facts(world)} if kind.alone else {}
            if not kind.alone:
                shown, more = _shown(world, program)
                complaints += more
            program.stop()
            said = program.said
    except (AssertionError, RuntimeError) as error:
        return Told(None, (str(error),), ())
    finally:
        if copied is not None:
            shutil.rmtree(world.data.parent)
    told = re.compile(" (WARNING|ERROR|CRITICAL) ")
    complaints += [line for line in said.splitlines() if told.search(line)]
    # Its reasons are told beside it, and count by themselves.
    complaints = [each for each in complaints if each != "console: degraded"]
    if not kind.alone:
        # The account's Exotel is gone and its figures grow old, and the bots are nowhere: that says
        # nothing of the flip.
        beside = re.compile("account main|vendor/")
        complaints = [each for each in complaints if not beside.search(each)]
    return Told(shown, tuple(complaints), answers)


@contextmanager
def _running(world: World, kind: Kind) -> Iterator[Program]:
    command = "answer" if kind.alone else "serve"
    config = world.config
    if not kind.config:  # what ran last serves for the file that ran, and for no other
        config = world.data.parent.parent / _FIRST / config.name
    with running(world.data, "--config", str(config), command=command) as program:
        yield program


def _asked_bot(program: Program, marker: str) -> int:
    """What the applet of a bot that asks which it is is answered with."""
    return program.ask(f"CallSid=callbot{marker}", f"/voicebot/sales-in/{SECRET}").status


def _facts(world: World) -> str:
    """What rules saw last of the account, without its age; nothing where it was unknown."""
    known = [each.facts for each in world.receipts()[-4:] if each.facts.active is not None]
    return str([(each.active, each.allowed, each.headroom) for each in known])


def _last_raw(world: World) -> str:
    return world.receipts()[-1].raw.decode("latin-1")


def _shown(world: World, program: Program) -> tuple[dict[str, str], list[str]]:
    """What is kept, as people see it, and what the console complains of."""
    headers = json.loads((world.data.parent / "headers.json").read_text())
    shown: dict[str, str] = {}
    problems: list[str] = []
    _let_fold(program, headers)
    for name in ("receipts", "streams"):
        reply = _api(program, f"/api/v1/{name}?limit=1000", headers)
        rows = json.loads(reply.body)[name] if reply.status == 200 else [{"status": reply.status}]
        kept = [row for row in rows if "calllater" not in json.dumps(row)]
        problems += [
            f"a {name[:-1]} has a defect: {row['defects']}" for row in kept if row.get("defects")
        ]
        shown[name] = json.dumps(kept)
    shown["fingerprints"] = str(set(re.findall(r"fp_[A-Za-z0-9_-]+", _last_raw(world))))
    try:
        shown["sign-in"] = str(sorted(sign_in(program, "asha")))
    except RuntimeError as error:
        shown["sign-in"] = str(error)
    audit = _api(program, "/api/v1/audit?limit=1000", headers)
    entries = json.loads(audit.body)["entries"] if audit.status == 200 else []
    shown["audit"] = json.dumps([each for each in entries if each["subject"] == "asha"])
    # Last: what is damaged is known once it was read.
    return shown, [*problems, *complained(program, headers)]


def _let_fold(program: Program, headers: dict[str, str]) -> None:
    """Wait for what a damaged log of the store had and is folded again, or for a problem."""

    def done() -> bool:
        reply = _api(program, "/healthz", headers)
        health = json.loads(reply.body) if reply.status == 200 else {}
        return reply.status != 200 or health.get("fold_lag") == 0 or bool(health.get("problems"))

    until(done, "the fold")


def _api(program: Program, path: str, headers: dict[str, str]) -> Reply:
    return http(program.address("console"), path.encode(), headers=headers)


def _backup(original: World, given: Attack) -> Check:
    """A backup with a flipped bit is refused, or what it restores is the same."""
    file = given.work / "backup.tar.gz"
    original.of_data("backup", str(file))
    whole, expected = file.read_bytes(), _restored(original, file, given.work / "whole")
    broken, seen = [], set()
    count = given.many(_FLIPS * 4)
    for number in range(count):
        text = bytearray(whole)
        at = given.chance.randrange(len(text))
        text[at] ^= 1 << given.chance.randrange(8)
        file.write_bytes(text)
        try:
            found = _restored(original, file, given.work / f"restored-{number}")
        except RuntimeError as error:
            seen.add(str(error).rpartition(": ")[2].strip()[:100] or "refused")
            continue
        if found != expected:
            broken.append(f"at {at}: restored something else")
    seen_all = "; ".join(sorted(seen)[:3])
    return check("a flipped bit is said, or harmless: a backup", str(count), broken, seen_all)


def _restored(world: World, file: Path, folder: Path) -> dict[str, str]:
    world.command("restore", str(file), "--data", str(folder))
    try:
        return {
            str(each.relative_to(folder)): hashlib.sha256(each.read_bytes()).hexdigest()
            for each in sorted(folder.rglob("*"))
            if each.is_file()
        }
    finally:
        shutil.rmtree(folder)

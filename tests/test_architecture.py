"""Which way imports point: edges → wire → subject; only `server` and `cli` know all the parts."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/switchhook"

SUBJECT = {
    "access",
    "alert_book",
    "alert_messages",
    "alert_rules",
    "alerts",
    "audit",
    "call_sources",
    "capacity",
    "cause",
    "checked_json",
    "erasure",
    "errors",
    "expression",
    "expression_text",
    "facet",
    "figures",
    "fingerprints",
    "forecast",
    "forms",
    "interpret",
    "issues",
    "local_keys",
    "keep",
    "names",
    "numbers",
    "passkeys",
    "passthru",
    "password_policy",
    "person",
    "phone_numbers",
    "proxies",
    "pulse",
    "receipt",
    "recent",
    "retention",
    "rules",
    "saved_views",
    "search",
    "shares",
    "search_text",
    "second_factor",
    "sign_in",
    "spellings",
    "steady",
    "story",
    "timeline",
    "trouble",
    "users",
    "variables",
    "verdict",
}
OPERATORS_FILES = {
    "backup",
    "config",
    "data_folder",
    "endpoint_rules",
    "erasure_list",
    "exposure",
    "file_system",
    "folder_lock",
    "kept",
    "own_links",
    "operator_files",
    "running_config",
    "settings",
}
PROCESSES = {"background", "liveness", "process", "supervisor"}
MAY_IMPORT = {
    **dict.fromkeys(SUBJECT, SUBJECT),
    "wire": SUBJECT,
    "journal": SUBJECT | {"sqlite_file"},
    "store": SUBJECT | {"background", "sqlite_file", "wire"},
    "answer": SUBJECT | {"wire"},
    "ledger": SUBJECT | {"sqlite_file"},
    "exotel": SUBJECT | {"wire"},
    "notify": SUBJECT,
    "console": SUBJECT | {"background", "wire"},
    "tracing": SUBJECT | {"wire"},
    "sqlite_file": set(),
    "logs": SUBJECT,
    "facts_file": SUBJECT,
    "emulator": SUBJECT | {"wire"},
    **dict.fromkeys(OPERATORS_FILES, SUBJECT | OPERATORS_FILES | {"sqlite_file"}),
    **dict.fromkeys(PROCESSES, PROCESSES),
}
KNOW_ALL = {"server", "cli", "pytest_plugin", "__main__", "__init__"}
NO_WORLD = {
    "asyncio",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
    "apsw",
    "httptools",
    "starlette",
    "uvicorn",
    "uvloop",
}
"""What the subject and wire have no business with: I/O, clocks, chance, frameworks."""

MODULES = sorted(SOURCE.rglob("*.py"))


def room_of(module: Path) -> str:
    return module.relative_to(SOURCE).with_suffix("").parts[0]


def imports(module: Path) -> Iterator[str]:
    """Every module that a module names in an import, also inside functions and for types only."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            assert node.module is not None
            yield node.module


def test_the_table_knows_every_room():
    assert {room_of(module) for module in MODULES} == MAY_IMPORT.keys() | KNOW_ALL


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_point_one_way(room):
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in MODULES
        if room_of(module) == room
        for name in imports(module)
        if name.partition(".")[0] == "switchhook"
        and [*name.split("."), "__init__"][1] not in MAY_IMPORT[room] | {room}
    ]
    assert not wrong


@pytest.mark.parametrize("room", [*sorted(SUBJECT), "wire"])
def test_values_and_decisions_touch_nothing_of_the_world(room):
    wrong = [
        f"{module.relative_to(ROOT)} imports {name}"
        for module in MODULES
        if room_of(module) == room
        for name in imports(module)
        if name.partition(".")[0] in NO_WORLD
    ]
    assert not wrong


def test_only_the_command_line_imports_the_wiring():
    assert {
        room_of(module)
        for module in MODULES
        for name in imports(module)
        if name.startswith("switchhook.server") and room_of(module) != "server"
    } == {"cli", "__init__"}


def test_parsing_and_judging_bring_no_server_along():
    code = (
        "import json, sys, switchhook as s\n"
        "s.judge(s.parse_passthru(s.build_passthru(s.parse_passthru('CallSid=a1'))))\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"apsw", "starlette", "uvicorn", "uvloop", "httptools", "asyncio"}
    assert not {name for name in loaded if name.startswith("switchhook.server")}


OPAQUE = ("call_sid", "stream_sid", "from", "to", "stream_url", "recording_url", "custom_field")
SHORTEST = 6


def test_no_text_of_a_case_stands_in_the_source():
    """A parser that knows the cases by heart understands nothing else."""
    source = "\n".join(module.read_text() for module in MODULES)
    texts = {
        str(value)
        for file in (ROOT / "tests/exotel/wire/cases").glob("*.jsonl")
        for line in file.read_text().splitlines()
        for name, value in json.loads(line).get("expect", {}).items()
        if name in OPAQUE and value is not None and len(str(value)) >= SHORTEST
    }
    assert len(texts) > 50
    assert not {text for text in texts if text in source}

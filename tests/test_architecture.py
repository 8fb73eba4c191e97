"""Which way imports point: a folder imports only folders of earlier layers, never sideways."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from source_trees import statements_in, tree_of

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/switchhook"

LAYERS = [
    line.split()
    for line in """
errors metrics loopback networks exotel sqlite_file bounded_connection checked_json report
postgresql_server shared_connections
ledger rules system emulator client
journal access delivery pytest_plugin
answer web
streams capacity
troubles
alerts retention
store cluster calls overview telemetry reports routes callbacks releases flags
config
server
doctor assistant
cli __init__
__main__
""".strip().splitlines()
]
"""A folder imports what stands in earlier lines, and itself."""

LAYER = {folder: at for at, line in enumerate(LAYERS) for folder in line}

WORLD = {
    "apsw",
    "asyncio",
    "httptools",
    "logging",
    "os",
    "pathlib",
    "psycopg",
    "random",
    "secrets",
    "socket",
    "sqlalchemy",
    "sqlite3",
    "starlette",
    "subprocess",
    "threading",
    "time",
    "uvicorn",
    "uvloop",
}
"""I/O, clocks, chance and frameworks: what values and decisions have no business with."""

TOPICS = (
    *("exotel", "rules", "access", "streams", "capacity", "troubles"),
    *(
        "alerts",
        "retention",
        "calls",
        "overview",
        "delivery",
        "reports",
        "routes",
        "callbacks",
        "releases",
        "flags",
        "doctor",
    ),
)
NAMED_FOR_IT = (
    *("page", "api", "ledger", "fold", "poller", "fetcher", "engine", "outbox", "heartbeat"),
    *("feed", "sender", "worker", "file", "keeper", "metrics", "queries", "client", "clock"),
    *("backup", "notify"),
)
"""The names, or last words of names, of modules and folders that are known to touch the world."""
TOUCH_THE_WORLD = re.compile(rf"(?:.+_)?(?:{'|'.join(NAMED_FOR_IT)})")

MODULES = sorted(SOURCE.rglob("*.py"))


def folder_of(module: str) -> str:
    """The folder of a module by its dotted name, or the module itself where it stands alone."""
    return [*module.split("."), "__init__"][1]


def name_of(file: Path) -> str:
    parts = ("switchhook", *file.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


NAMES = {name_of(file): file for file in MODULES}


@cache
def imports(file: Path) -> frozenset[str]:
    """Every module that a module names in an import, also inside functions and for types only."""
    found = set()
    for node in statements_in(tree_of(file)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            assert node.module is not None
            modules = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES.keys()
            found.update(modules or {node.module})
    return frozenset(found)


def ours(file: Path) -> set[str]:
    return {name for name in imports(file) if name.partition(".")[0] == "switchhook"}


def test_every_folder_has_its_layer():
    assert {folder_of(name) for name in NAMES} == LAYER.keys()


@pytest.mark.parametrize("folder", sorted(LAYER))
def test_imports_point_down(folder):
    wrong = [
        f"{module} imports {name}"
        for module, file in NAMES.items()
        if folder_of(module) == folder
        for name in ours(file)
        if folder_of(name) != folder and LAYER[folder_of(name)] >= LAYER[folder]
    ]
    assert not wrong


def test_no_file_reaches_itself():
    """Imports for types count too."""
    graph = {module: ours(file) & NAMES.keys() - {module} for module, file in NAMES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_the_emulator_knows_only_what_exotel_says():
    known = {folder_of(n) for m, f in NAMES.items() if folder_of(m) == "emulator" for n in ours(f)}
    assert known <= {"emulator", "exotel", "errors"}


@pytest.mark.parametrize("folder", TOPICS)
def test_only_modules_named_for_it_touch_the_world(folder):
    wrong = [
        f"{module} imports {name}"
        for module, file in NAMES.items()
        if folder_of(module) == folder
        and not any(map(TOUCH_THE_WORLD.fullmatch, module.split(".")[2:]))
        for name in imports(file)
        if name.partition(".")[0] in WORLD
    ]
    assert not wrong


def loaded_by(*code: str) -> set[str]:
    """The modules that are loaded once this has run in a new process."""
    told = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((*code, told))],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.process
def test_parsing_and_judging_bring_no_server_along():
    loaded = loaded_by(
        "import switchhook as s",
        "s.judge(s.parse_passthru(s.build_passthru(s.parse_passthru('CallSid=a1'))))",
    )
    assert not loaded & {"apsw", "starlette", "uvicorn", "uvloop", "httptools", "asyncio"}
    assert not {name for name in loaded if name.startswith("switchhook.server")}


@pytest.mark.process
def test_the_answer_program_loads_no_page():
    loaded = loaded_by("import switchhook.cli.run, switchhook.server.answer")
    assert not loaded & {"starlette", "jinja2", "apprise", "uvicorn", "pyarrow", "sqlalchemy"}


@pytest.mark.process
def test_the_console_loads_what_it_is_configured_for_alone():
    """What asks, exports, sends or proves anything is loaded by the first that needs it."""
    loaded = loaded_by("import switchhook.cli.run, switchhook.server.console")
    unwanted = {"httpx2", "apprise", "pyarrow", "psycopg", "cryptography", "webauthn"}
    assert not loaded & unwanted


@pytest.mark.process
def test_the_supervisor_loads_what_neither_program_is_made_of(tmp_path):
    """It is there all the time, and a start waits for it."""
    loaded = loaded_by(
        "from switchhook.config.live import SettingsKeeper",
        "from switchhook.server.exposed import warn_of",
        "import switchhook.cli.run, switchhook.server, switchhook.system.logs",
        "from pathlib import Path",
        f"keeper = SettingsKeeper(Path({str(tmp_path)!r}) / 'data', None, environ={{}})",
        "keeper.start(); warn_of(keeper)",
    )
    assert not loaded & {"starlette", "jinja2", "uvicorn", "uvloop", "httptools", "sqlalchemy"}


PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def shown(name: str) -> str:
    return f"{name}/" if (SOURCE / name).is_dir() else f"{name}.py"


def picture() -> str:
    """The layers as docs/architecture.md shows them: who imports stands above."""
    floors = [
        f" {at:2}  {'  '.join(map(shown, LAYERS[at]))}" for at in reversed(range(len(LAYERS)))
    ]
    line = "─" * (max(map(len, floors)) + 2)
    rows = f"\n├{line}┤\n".join(f"│{floor:{len(line)}}│" for floor in floors)
    return f"┌{line}┐\n{rows}\n└{line}┘\n"


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_page_shows_the_layers():
    """Where this fails, it prints the picture to put there."""
    drawn = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert drawn is not None
    assert drawn[1] == picture(), f"docs/architecture.md needs this picture:\n{picture()}"


def test_every_folder_is_on_the_page():
    told = re.findall(r"^\| `(\w+)/` \|", section("The folders"), re.MULTILINE)
    assert len(told) == len(set(told))
    assert set(told) == {name for name in LAYER if (SOURCE / name).is_dir()}
    _, _, alone = section("The folders").partition("Alone stand")
    assert set(re.findall(r"`(\w+)\.py`", alone)) == LAYER.keys() - set(told)


def test_every_path_on_the_page_is_there():
    paths = re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.py)?|[\w-]+\.py)`", PAGE)
    assert len(paths) > 50
    assert not [path for path in paths if not any((at / path).exists() for at in (SOURCE, ROOT))]


def test_the_page_says_who_may_touch_the_world():
    folders, names = section("Who may touch the world").split("holds its values", 1)
    assert sorted(re.findall(r"`(\w+)/`", folders)) == sorted(TOPICS)
    assert sorted(re.findall(r"`(\w+)`", names)) == sorted(NAMED_FOR_IT)


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


# Tests mirror the source.

COVERED_BY = """
Parts of one thing, which its test takes whole:
  access/test_ledger        audit_ledger credentials_ledger rows_ledger users
  alerts/test_alert         alert_rule
  alerts/test_alert_docs    default_rules
  alerts/test_engine        heartbeat memory_keeper sender
  answer/test_answerer clock_steps deciding health owed owed_answer samples
  answer/test_voicebot given /rules/addressing
  answer/http/test_protocol connections growing_head link listening messages
  capacity/test_poller readings
  exotel/request_logs/test_reader curl entry found line printed tables text
  cluster/test_joining membership
  cluster/test_api json
  journeys/test_two_nodes /server/own_nodes
  server/test_cluster_join /cluster/taking_along
  cluster/test_merged_journal connections
  cluster/test_erasures local_erasure
  journal/test_named source
  cluster/test_shipping     hand_over_state
  cli/test_cluster cluster_doctor cluster_join cluster_parts cluster_shown
  config/test_cluster /cluster/settings
  config/test_config basics keys secrets values
  config/test_live          kept_files last_good live_config live_rules rules_terms
  config/test_released      live_candidate live_pools
  emulator/api/test_exotel_api    recordings replies
  emulator/bot/test_bot           app conversation protocol script sound voice_activity
  emulator/call/test_call         trace /emulator/chance
  emulator/exchange/test_callbacks agents exchange line watcher
  emulator/net/test_http_client certificates
  emulator/plan/test_file flow
  emulator/runs/test_named_bots /emulator/bot/named
  emulator/runs/test_own_bot scenarios/definition
  emulator/runs/test_route_steps release_steps route_setup scenarios/route
  emulator/runs/test_scenarios client_steps scenario
  emulator/runs/test_scenarios scenarios/answer scenarios/plans
  exotel/test_phone_numbers other_digits
  exotel/test_client        http_client
  exotel/wire/test_calls          rest_document xml_text
  exotel/wire/test_media          media_json
  exotel/wire/test_passthru       build
  journal/test_sealed listing masking refused
  journal/test_writer       backlog commit connections health segment segment_chain upkeep
  callbacks/test_ledger     claims claims_ledger dialling_ledger moves_ledger queue_ledger
  callbacks/test_ledger     rows_ledger
  callbacks/test_lists_ledger history
  callbacks/test_api        json openapi parameters steering
  callbacks/test_page       queries view
  server/test_console_parts  tracing
  server/test_told_rules told_part
  cluster/test_told_facts told_writer
  callbacks/test_promises_worker dialling_worker following_worker leases_keeper proving_worker
  ledger/test_database dialect sql sqlite
  overview/test_verdict     known_troubles trouble /troubles/text /troubles/trouble
  releases/test_evidence    judgement
  releases/test_backtest_worker backtest_engine backtest_file
  releases/test_backtest_api backtest_keeper
  reports/test_vendor_queries forms vendor
  retention/backup/test_backup    archive encryption manifest restoring saving
  retention/backup/test_backup    /journal/verifying
  retention/test_retention_worker erased_calls erasure_list_file erasure_worker
  retention/test_retention_worker ledger texts_ledger
  retention/test_person     person_search
  routes/test_worker        members
  routes/test_dealt_rooms   /answer/place_taken
  routes/test_admission_worker admission_api admission_feed admission_view
  journeys/test_admission   /server/admitting
  journeys/test_promises_told /server/promise_news
  routes/test_api           json
  releases/test_differences pool_differences
  releases/test_ledger      rows_ledger
  releases/test_outcomes    measures
  releases/test_candidates_watch rollout_watch shadow
  releases/test_worker      candidates_keeper shares_told under_way_keeper /server/rollouts
  releases/test_release_troubles metrics
  callbacks/test_promise_troubles known promise_metrics
  flags/test_api            json
  releases/test_evidence_api evidence_json
  rules/test_expression     expression_text known_names variables
  rules/test_impossible     possible text_sets value_sets
  rules/test_flags          caller
  rules/test_rules_file     decide rules_layout rules_problems
  server/test_served_app    console
  store/test_contract       batch buckets digest folding known_streams lists stories taking
  store/test_counting       facets forms
  store/sqlite/test_store   files lists opening reading rebuild tables
  streams/search/test_query syntax /streams/facet
  streams/search/test_tokens keys
  streams/test_export       export_asked
  store/test_searching      deadline found_count sqlite/searching postgresql/searching
  store/test_contract       postgresql/lists postgresql/reading
  store/test_maintenance    postgresql/deletion
  store/postgresql/test_store     connections rows story_tables tables
  cli/test_call             nothing_found
  cli/test_release          release_apply release_parts release_reads release_shown
  cli/test_release          /releases/json
  cli/test_promises         promises_acts promises_parts promises_shown
  cli/test_release_backtest backtest_shown release_log
  telemetry/test_prometheus figure_gauges promise_counters stream_counters
  telemetry/traces/test_exporter  otlp spans
  web/sign_in/test_login_page forms link_page page_support
  web/sign_in/test_login_page sessions sign_in
  web/sign_in/test_oidc           oidc_state
  test_pytest_plugin        emulator/testing/api emulator/testing/app_under_test
  test_pytest_plugin        emulator/testing/errors emulator/testing/exotel
  test_pytest_plugin        emulator/testing/placed_call emulator/testing/thread
  alerts/test_alert_journey /metrics /streams/fold
  assistant/test_server /cli/mcp
  calls/test_before_stream /streams/routed_record
  calls/test_recording_page recordings
  capacity/test_api /web/app
  client/test_client errors
  cli/test_users /config/own_links
  config/test_accounts names
  config/test_live files
  emulator/call/test_call /emulator/exchange/flow_walk /emulator/exchange/requests
  emulator/call/test_call /emulator/stream/setup
  emulator/exchange/test_callbacks /emulator/net/webhook
  emulator/net/test_app_link dialler
  emulator/runs/test_replay_passthrus replay_stream
  emulator/runs/test_scenarios /emulator/plan/plan
  emulator/sound/test_speech recording
  journal/test_reader asked checking
  ledger/test_postgresql postgresql_text
  overview/test_health_metrics /capacity/metrics /streams/fold_metrics /streams/metrics
  overview/test_health_metrics /streams/recent /streams/share_metrics /streams/applied_queries
  retention/test_person /cli/person person_api
  retention/test_retention_worker /journal/closed
  server/test_pages /calls/other_sources /calls/story /exotel/times
  store/test_placing sqlite/times postgresql/times
  store/sqlite/test_deletion rows
  store/sqlite/test_healing open_store
  store/sqlite/test_store /streams/parsed_record
  streams/test_export /exotel/passthru api counts_api parameters /web/parameters
  streams/test_kept_call json queries
  telemetry/test_prometheus /answer/counter_names
  test_errors /cli/run /emulator/runs/server
  test_pytest_plugin /emulator/runs/scenarios/flow
  web/sign_in/test_passkey_page challenges prover second_step_page
  web/sign_in/test_people read_log
What pages and addresses show and take, which is asked by HTTP:
  server/test_pages         /calls/callback_page /calls/page /capacity/page /overview/api
  server/test_pages         /overview/json /overview/page
  server/test_pages /streams/columns
  server/test_pages         /streams/endpoints_page /streams/names /streams/page
  server/test_pages         /streams/refused_page /streams/refused_queries
  server/test_pages /streams/tail /streams/issues/page
  server/test_pages /web/endpoint /web/json /web/json_schema /web/openapi
  server/test_pages /web/render /web/search_turns
  alerts/test_page          json
What ties the parts together, and the commands, which the real program runs:
  journeys/test_life        /server/answer
  journeys/test_life        /server/console_app /system/supervised
  journeys/test_accounts    /server/accounts
  journeys/test_two_nodes   /server/keeping /server/keeping_shared
  journeys/test_two_nodes   /server/places
  journeys/test_open        /server/console_watch
  server/test_standby       forwarded forwarding_client
  journeys/test_open        /server/exposed /server/unavailable /cli/ledger /cli/ledger_back
  journeys/test_open        /cli/link
  journeys/test_shipper     /server/kept_cluster /server/local_socket /server/shipper
  journeys/test_keep        /cli/backups /cli/erasing /cli/keep
  journeys/test_keep        /server/retention_rows
  journeys/test_erased_again /cli/erasing_again /retention/erased_search
  journeys/test_emulator    /cli/emulate/beside
  journeys/test_emulator    /cli/emulate/check /cli/emulate/load
  journeys/test_emulator    /cli/emulate/loop /cli/emulate/options /cli/emulate/replay
  journeys/test_emulator    /cli/emulate/run /cli/emulate/start /cli/emulate/story
  journeys/test_emulator    /cli/emulate/telling /cli/emulate/ticker
  journeys/test_rush_hour   /cli/emulate/own_server /cli/emulate/rush_hour
  journeys/test_users       /cli/tokens
  journeys/test_routes      /cli/route /cli/route_shown
  journeys/test_routes      /cli/check_probe
  cli/test_endpoint endpoint_list endpoint_try
  journeys/test_doctor /cli/doctor /doctor/checkup_worker /doctor/machine_queries
  journeys/test_doctor /doctor/reach_client
  cli/test_by_itself reading
  cli/test_cli check check_matches data exporting kept_since parse reads
  cli/test_cli secret
  system/test_data_folder   folder_lock
"""
"""Modules that decide something and have no twin: which test covers each, by its reason."""

DECIDES = (ast.If, ast.IfExp, ast.BoolOp, ast.For, ast.While, ast.Try, ast.Match, ast.comprehension)


def decides(file: Path) -> bool:
    """Whether anything in its functions goes one way or another."""
    functions = (
        node
        for node in statements_in(tree_of(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return any(isinstance(node, DECIDES) for each in functions for node in ast.walk(each))


def has_twin(module: str) -> bool:
    folder, _, name = module.rpartition("/")
    return (ROOT / "tests" / folder / f"test_{name}.py").exists()


def covered_by() -> dict[str, str]:
    """The test by the module that it covers, each without its ending."""
    lines = [line.split() for line in COVERED_BY.splitlines() if line.startswith("  ")]
    return {
        name[1:] if name.startswith("/") else f"{test.rpartition('/')[0]}/{name}".lstrip("/"): test
        for test, *names in lines
        for name in names
    }


def test_every_module_that_decides_has_its_twin_or_a_reason():
    """A table, and a test of its own for what decides: not reached by way of others only."""
    modules = {
        file.relative_to(SOURCE).with_suffix("").as_posix(): file
        for file in MODULES
        if not file.stem.startswith("__")
    }
    told = covered_by()
    without = {each for each, file in modules.items() if not has_twin(each) and decides(file)}
    assert not without - told.keys(), "write tests/…/test_….py for it, or give its reason here"
    assert not told.keys() - without, "it has its twin, decides nothing, or is gone: strike it"
    tests = {ROOT / "tests" / f"{test}.py" for test in told.values()}
    assert not [each for each in tests if not each.exists()]


MOST_METHODS, MOST_LINES, MOST_LINES_OF_A_MODULE = 20, 40, 400
Function = ast.FunctionDef | ast.AsyncFunctionDef


def methods(owner: ast.ClassDef) -> list[Function]:
    return [each for each in owner.body if isinstance(each, Function)]


def given_by_a_fixture(file: Path) -> set[str]:
    """The classes that a fixture of pytest's gives, by what it says it yields: `Iterator[X]`.

    Tests reach everything by that one name, so it may have many methods, each a line or two.
    """
    return {
        name.id
        for node in statements_in(tree_of(file))
        if isinstance(node, Function)
        and any(ast.unparse(each) == "pytest.fixture" for each in node.decorator_list)
        and isinstance(node.returns, ast.Subscript)
        for name in ast.walk(node.returns.slice)
        if isinstance(name, ast.Name)
    }


def body_of(function: Function, *, command: bool) -> list[ast.stmt]:
    """The statements; those of a command without its docstring, which is its help."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.body[1:] if command and documented else function.body


def tables(node: ast.AST) -> list[ast.expr]:
    """The outermost displays in it: tuples, lists, sets and dicts."""
    found: list[ast.expr] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Tuple | ast.List | ast.Set | ast.Dict):
            found.append(child)
        else:
            found += tables(child)
    return found


def lines_of(function: Function, *, command: bool) -> int:
    """How long it is; a table that it lays out is one line, and a command's options are none."""
    body = body_of(function, command=command)
    begins = body[0].lineno if command else function.lineno
    ends = body[-1].end_lineno
    assert ends is not None
    laid_out = (table for statement in body for table in tables(statement))
    return ends - begins + 1 - sum((each.end_lineno or 0) - each.lineno for each in laid_out)


def test_no_class_has_more_methods_than_a_reader_can_keep():
    given = given_by_a_fixture(SOURCE / "pytest_plugin.py")
    assert given == {"Exotel"}
    assert not [
        f"{module}.{node.name} has {len(methods(node))} methods"
        for module, file in NAMES.items()
        for node in statements_in(tree_of(file))
        if isinstance(node, ast.ClassDef)
        and node.name not in given
        and len(methods(node)) > MOST_METHODS
    ]


def test_no_module_is_longer_than_one_reads():
    lines = {str(file): len(file.read_text().splitlines()) for file in MODULES}
    assert not {name for name, count in lines.items() if count > MOST_LINES_OF_A_MODULE}


def test_no_function_is_longer_than_a_page():
    assert not [
        f"{module}.{node.name} has {lines} lines"
        for module, file in NAMES.items()
        for node in statements_in(tree_of(file))
        if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno >= MOST_LINES
        for command in [folder_of(module) == "cli" and not node.name.startswith("_")]
        if (lines := lines_of(node, command=command)) > MOST_LINES
    ]


@pytest.mark.parametrize(
    ("text", "command", "lines"),
    [
        ("def f():\n    return 1", False, 2),
        ("def f(\n    a,\n    b,\n):\n    return [\n        1,\n        2,\n    ]", False, 5),
        ("def f(\n    a,\n    b,\n):\n    '''Help.'''\n    return 1", True, 1),
        (
            "def f():\n    return g(\n        1,\n        (\n            2,\n        ),\n    )",
            False,
            5,
        ),
    ],
)
def test_what_counts_as_a_line(text, command, lines):
    (function,) = ast.parse(text).body
    assert isinstance(function, Function)
    assert lines_of(function, command=command) == lines

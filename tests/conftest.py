"""Nothing is timed; and in CI a skip for a reason that nobody declared fails the run."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import signal
import sys
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import beside_sqlite
import other_processes

beside_sqlite.watch()
other_processes.watch()

# Whoever runs the tests behind something else may have Ctrl-C ignored, and each child would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The program is started hundreds of times; half of that would be compiling it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says something of the machine only: nothing here is timed. Whoever works
# here looks for new examples; CI has the same ones each time, so that it judges the change alone.
settings.register_profile("untimed", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("same", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("same" if os.environ.get("CI") else "untimed")

collect_ignore = [] if "SWITCHHOOK_LAB" in os.environ else ["lab"]
"""The lab of many nodes needs hosts of its own: `make test-cluster`."""

EXPECTED = (
    "turns can be chosen on Linux 6.12 and newer",
    "mounting a small file system needs root on Linux",
    r"(mount|mkfs\.ext4) isn't permitted here",
    r"there is no mkfs\.ext4 here",
    "only root can give files away",
)
"""Beginnings of reasons, as patterns."""


def _measure_by_file(item: pytest.Item) -> None:
    """Let `make coverage` know which test file enters what (scripts/coverage_of_twins.py)."""
    coverage = sys.modules.get("coverage")
    measured = None if coverage is None else coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(item.path.relative_to(item.config.rootpath).as_posix())


def pytest_itemcollected(item: pytest.Item) -> None:
    other_processes.mark(item)
    if _is_of_processes(item):
        # Their pipes are left open in places: see pytest_runtest_teardown.
        item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


def pytest_collection_finish() -> None:
    """Thousands of tests are there to stay: no collection of garbage has to go through them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    other_processes.forget_what_failed(item)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    other_processes.say_what_failed_first(terminalreporter)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """What tests of other processes leave open must not be laid at another's door."""
    try:
        return (yield)
    finally:
        if _is_of_processes(item) and not _is_of_processes(nextitem):
            gc.collect()


def _is_of_processes(item: pytest.Item | None) -> bool:
    return item is not None and item.get_closest_marker("process") is not None


class _ByWhatIsShared(LoadScopeScheduling):  # type: ignore[misc]
    """Tests for which their module makes something stay together, so that it is made once.

    The marker `xdist_group` says nothing any more from pytest 9 on.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _shares(self.config.rootpath / file) else nodeid


@cache
def _shares(module: Path) -> bool:
    return 'scope="module"' in module.read_text()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByWhatIsShared(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    other_processes.runs(item)
    _measure_by_file(item)
    try:
        return (yield)
    finally:
        other_processes.runs(None)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("CI"):
        return
    for report in reporter.stats.get("skipped", ()):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not re.match("|".join(EXPECTED), reason.removeprefix("Skipped: ")):
            reporter.write_line(f"unexpected skip: {report.nodeid}: {reason}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _nothing_beside_sqlite():
    """A database's file that our code opens itself costs the process its locks on it."""
    beside_sqlite.opened.clear()
    yield
    assert not beside_sqlite.opened


@pytest.fixture(autouse=True)
def _as_high_a_priority_as_before():
    """A command called in this process may stand back; the tests after it must not."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    yield
    if os.getpriority(os.PRIO_PROCESS, 0) != before:
        with contextlib.suppress(PermissionError):  # who is not root can't
            os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a database of this session's own."""
    import postgresql

    with postgresql.database() as url:
        if url is None:
            pytest.skip(postgresql.NONE)
        yield url


@pytest.fixture
def postgresql_schema(postgresql):
    """The URL of an empty schema, as it is given to a program."""
    import postgresql as found

    with found.schema(postgresql) as url:
        yield found.text_of(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_place(request, tmp_path):
    """Where a ledger could be: what it promises, it promises in both."""
    if request.param == "sqlite":
        return tmp_path / "ledger"
    return request.getfixturevalue("postgresql_schema")


@pytest.fixture(scope="session")
def _postgresql_ledgers(postgresql):
    import postgresql as found
    from switchhook.server.tables import open_ledger

    ledgers = found.EmptySchemas(postgresql, lambda url: open_ledger(url).close())
    yield ledgers
    ledgers.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    """An empty ledger, on SQLite and on PostgreSQL."""
    import postgresql as found
    from switchhook.server.tables import open_ledger

    with contextlib.ExitStack() as held:
        place = tmp_path / "ledger"
        if request.param == "postgresql":
            ledgers = request.getfixturevalue("_postgresql_ledgers")
            place = found.text_of(held.enter_context(ledgers.one()))
        ledger = open_ledger(place)
        held.callback(ledger.close)
        yield ledger

"""The API of back-tests: begun in a process of its own, watched, stopped, gone on with."""

from __future__ import annotations

import time

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from asgi_client import Client
from patience import PATIENCE_S
from served_folder import REFUSE, ServedFolder, write_files
from switchhook.access.roles import Role, Viewer
from switchhook.config.own_links import running_config
from switchhook.releases.backtest import REPORT
from switchhook.releases.backtest_api import PATHS, SCHEMAS, BackTestApi
from switchhook.releases.backtest_keeper import BackTests
from switchhook.server.releasing import backtests_of, releasing_of
from switchhook.server.running import FolderRunning
from switchhook.server.tables import open_ledger
from switchhook.system.supervisor import program
from switchhook.web.app import create_app

pytestmark = pytest.mark.process


class Here:
    """A folder where programs ran, with the console's API of back-tests."""

    def __init__(self, folder):
        write_files(folder)
        self.served = ServedFolder(folder)
        self.ledger = open_ledger(folder / "data" / "ledger")
        config = running_config(folder / "data")
        self.releasing = releasing_of(
            self.ledger,
            FolderRunning(folder / "data", lambda: config),
            lambda: time.time_ns() // 1_000_000,
        )
        self.releasing.reconcile()
        self.backtests = backtests_of(folder / "data", self.releasing.releases)
        self.deeds = []
        self.viewer = Viewer("asha", Role.OPERATOR, origin="10.0.0.1")

    @property
    def number(self):
        full = self.releasing.releases.full("rules/default")
        assert full is not None
        return full.release.number

    @property
    def app(self):
        api = BackTestApi(self.backtests, lambda: self.served.node, self.deeds.append)
        inner = create_app([api])

        async def app(scope, receive, send):
            scope["viewer"] = self.viewer
            await inner(scope, receive, send)

        return app

    @property
    def client(self):
        return Client(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    def path(self, number=None):
        return f"/api/v1/releases/{self.number if number is None else number}/backtest"

    def ended(self):
        """What is told once it runs no more."""
        until = time.monotonic() + PATIENCE_S
        while (told := self.client.get(self.path()).json())["running"]:
            assert time.monotonic() < until
        return told

    def close(self):
        self.backtests.close()
        self.served.close()
        self.ledger.close()


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path)
    yield found
    found.close()


def test_one_is_begun_and_told_of(here):
    for call in range(50):
        here.served.passthru(f"c{call}", **(REFUSE if call % 5 == 0 else {}))
    here.served.flush()
    nothing = here.client.get(here.path()).json()
    assert nothing == {"running": False, "problem": None, "backtest": None}
    begun = here.client.post(here.path(), json={"since": "24h"})
    assert begun.status_code == 202
    told = here.ended()
    assert told["problem"] is None
    found = told["backtest"]
    assert (found["complete"], found["decided"], found["different"]) == (True, 50, 0)
    assert here.releasing.releases.reports(here.number)[REPORT].body
    (deed,) = here.deeds
    assert (deed.who, deed.what) == ("asha", "began a back-test")


def test_one_that_is_stopped_goes_on(here):
    for call in range(6000):
        here.served.passthru(f"c{call}")
    here.served.flush()
    assert here.client.post(here.path()).status_code == 202
    again = here.client.post(here.path())
    assert again.status_code == 400
    assert "still runs" in again.json()["error"]["problem"]
    until = time.monotonic() + PATIENCE_S
    while not (told := here.client.get(here.path()).json())["backtest"]:
        assert time.monotonic() < until
    assert told["backtest"]["records"]["of"] == 6000
    assert here.client.delete(here.path()).status_code == 200
    stopped = here.ended()
    if stopped["backtest"]["complete"]:
        return  # it was quicker than who stops it
    assert stopped["problem"] is None
    assert here.client.post(here.path()).status_code == 202
    assert here.ended()["backtest"]["decided"] == 6000
    assert [each.what for each in here.deeds][1] == "stopped a back-test"


def test_who_may_only_look_begins_none(here):
    here.viewer = Viewer("ravi", Role.VIEWER, origin="10.0.0.1")
    assert here.client.get(here.path()).status_code == 200
    assert here.client.post(here.path()).status_code == 403
    assert here.client.delete(here.path()).status_code == 403


@pytest.mark.parametrize(
    "body", [{"since": "soon"}, {"since": "7"}, {"until": "7d"}, [], "x" * 5000]
)
def test_what_can_not_be_understood_is_said(here, body):
    assert here.client.post(here.path(), json=body).status_code == 400


def test_what_is_not_there_is_404(here):
    for number in (99, 10**30):
        assert here.client.get(here.path(number)).status_code == 404
        assert here.client.post(here.path(number)).status_code == 404
        assert here.client.delete(here.path(number)).status_code == 404
    assert here.client.delete(here.path()).json()["running"] is False


def test_why_one_failed_is_told(here, tmp_path):
    gone = str(tmp_path / "gone")
    here.backtests = BackTests(
        tmp_path / "data",
        here.releasing.releases,
        lambda number, since: program("release", "backtest", str(number), "--data", gone),
    )
    assert here.client.post(here.path()).status_code == 202
    told = here.ended()
    until = time.monotonic() + PATIENCE_S
    while told["problem"] is None:
        assert time.monotonic() < until
        told = here.client.get(here.path()).json()
    assert "gone" in told["problem"]


def test_a_report_of_another_version_is_as_none(here):
    here.releasing.releases.report(here.number, REPORT, b"other", 1)
    assert here.client.get(here.path()).json()["backtest"] is None


def test_it_does_what_its_description_says(here):
    document = {
        "openapi": "3.1.0",
        "info": {"title": "back-tests", "version": "1"},
        "paths": PATHS,
        "components": {"schemas": {**SCHEMAS, "Error": {"type": "object"}}},
    }
    schema = schemathesis.openapi.from_dict(document)
    schema.app = here.app
    tried = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        tried.add(operation.method.upper())

        @settings(max_examples=10, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(
                headers={"Host": "127.0.0.1"},
                base_url="http://127.0.0.1",
                excluded_checks=[positive_data_acceptance],
            )

        check()
    assert tried == {"GET", "POST", "DELETE"}

"""The API of flags: who has the right to release acts, viewers read, and it is as described."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from asgi_client import Client
from flags.test_worker import World
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.roles import Role, Viewer
from switchhook.flags.api import PATHS, SCHEMAS, FlagsApi
from switchhook.web.app import create_app
from switchhook.web.masking import Masked

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"
ASHA = Viewer("asha", Role.OPERATOR, origin="10.0.0.1", releases=True)


class Here(World):
    def __init__(self, folder):
        super().__init__(folder)
        self.viewer = ASHA
        self.worker.look()

    @property
    def app(self):
        inner = Masked(create_app([FlagsApi(self.worker, lambda: "http://127.0.0.1:8082")]))

        async def app(scope, receive, send):
            scope["viewer"] = self.viewer
            await inner(scope, receive, send)

        return app

    @property
    def client(self):
        return Client(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    def put(self, name, **body):
        return self.client.put(f"/api/v1/flags/{name}", json=body)

    def post(self, path, **body):
        return self.client.post(f"/api/v1/flags/{path}", json=body)

    def get(self, path=""):
        return self.client.get(f"/api/v1/flags{path}").json()


@pytest.fixture
def here(tmp_path):
    found = Here(tmp_path)
    yield found
    found.worker.stop()
    found.ledger.close()


def test_flags_are_told_in_their_order(here):
    found = here.get()
    assert [each["name"] for each in found["flags"]] == [flag.name for flag in here.worker.flags]
    off, share = found["flags"][:2]
    assert (off["value"], off["change"], off["readers"]) == (False, None, ["sales-in"])
    assert (share["value"], share["text"], share["words"]) == (10, "10%", "10 % of callers")
    assert found["ofrep"] == "http://127.0.0.1:8082"


def test_what_is_set_is_in_force_and_noted(here):
    answer = here.put("off", value=True, reason="it fails", for_s=60.0)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["act"], said["value"], said["by"], said["text"]) == ("set", True, "asha", "true")
    assert here.told == {"off": True}
    assert here.get("/off")["history"] == [here.get("/off")["change"]] == [said]
    (entry,) = LedgerAudit(here.ledger).entries(AuditFilter(), 1)
    noted = entry.who, entry.what, entry.subject, entry.origin
    assert noted == ("asha", "set a flag", "off", "10.0.0.1")


def test_reset_and_undo_are_changes_too(here):
    here.put("share", value=25, reason="a")
    here.put("share", value=50.5, reason="b")
    assert here.post("share/undo").json()["value"] == 25
    reset = here.post("share/reset", reason="over").json()
    assert (reset["act"], reset["value"], reset["text"]) == ("reset", None, None)
    assert here.told == {}
    assert [each["act"] for each in here.get("/share")["history"]] == [
        "reset",
        "undo",
        "set",
        "set",
    ]


def test_a_window_and_a_list_are_json(here):
    window = {"from": "21:00", "until": "06:00", "days": ["sunday"], "zone": "UTC"}
    assert here.put("day", value=window, reason="x").json()["value"] == window
    assert here.put("lines", value=["b", "c"], reason="x").json()["text"] == "b, c"


@pytest.mark.parametrize(
    ("name", "body", "status", "told"),
    [
        ("of", {"value": True, "reason": "x"}, 404, ""),
        ("off", {"value": "yes", "reason": "x"}, 400, "a boolean is neither"),
        ("off", {"value": True, "reason": " "}, 400, "it has no reason"),
        ("off", {"value": True}, 400, "not as described"),
        ("off", {"value": False, "reason": "x"}, 400, "already"),
        ("off", {"value": True, "reason": "x", "for_s": 1.5}, 400, "no whole number"),
        ("share", {"value": 101, "reason": HOSTILE}, 400, "no such percentage"),
        ("vendor", {"value": HOSTILE, "reason": "x"}, 400, "control character"),
        ("most", {"value": 1.5, "reason": "x"}, 400, "not a whole number"),
        ("most", {"value": 1e25, "reason": "x"}, 400, "less than 2 to the power of 53"),
        ("most", {"value": -(10**25), "reason": "x"}, 400, "less than 2 to the power of 53"),
    ],
)
def test_what_is_refused_says_why(here, name, body, status, told):
    answer = here.put(name, **body)
    assert answer.status_code == status
    assert told in answer.text
    assert here.told == {}


@pytest.mark.parametrize(
    "viewer", [Viewer("vik", Role.VIEWER), Viewer("ravi", Role.OPERATOR, token=True)]
)
def test_it_takes_the_right_to_release(here, viewer):
    here.viewer = viewer
    assert here.get()["flags"]
    for answer in (
        here.put("off", value=True, reason="x"),
        here.post("off/reset", reason="x"),
        here.post("off/undo"),
    ):
        assert answer.status_code == 403
        assert "the right to release" in answer.text
    assert here.told == {}


def test_numbers_are_masked_and_a_masked_one_is_not_taken_back(here):
    here.put("lines", value=["+919876543210"], reason="x")
    (shown,) = here.get("/lines")["value"]
    assert "9876543210" not in str(here.get("/lines"))
    answer = here.put("lines", value=[shown, "b"], reason="x")
    assert (answer.status_code, "a masked number" in answer.text) == (400, True)


def test_every_address_does_what_its_description_says(here):
    document = {
        "openapi": "3.1.0",
        "info": {"title": "flags", "version": "1"},
        "paths": PATHS,
        "components": {"schemas": SCHEMAS | {"Error": {"type": "object"}}},
    }
    schema = schemathesis.openapi.from_dict(document)
    schema.app = here.app
    tried = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        tried.add(operation.path)

        @settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(
                headers={"Host": "127.0.0.1"},
                base_url="http://127.0.0.1",
                excluded_checks=[positive_data_acceptance],
            )

        check()
    assert tried == PATHS.keys()

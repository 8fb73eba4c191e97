"""What is kept, and erasures, by the API and by the form: who may, and what is told."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from starlette.requests import Request

from asgi_client import Client
from retention.test_erasure import hash_of_proof
from retention.test_retention_worker import NUMBER, SID, House, call_of, fill
from switchhook.access.roles import Role, Viewer
from switchhook.retention.api import OPERATIONS, SCHEMAS, RetentionApi
from switchhook.retention.policy import Matter, RetentionLimits
from switchhook.streams.openapi import SCHEMAS as OTHERS
from switchhook.web.app import create_app
from switchhook.web.openapi import describe
from switchhook.web.render import Renderer

HOST = {"Host": "127.0.0.1"}


@pytest.fixture
def house(tmp_path):
    found = House(tmp_path / "data", RetentionLimits(30, 40, 50, 60, 70, 0, 90))
    yield found
    found.close()


def app_of(house):
    return create_app([RetentionApi(house.keeper)])


def asking(house, role=Role.ADMINISTRATOR):
    inner = app_of(house)

    async def seen(scope, receive, send):
        scope["viewer"] = Viewer("asha", role, origin="192.0.2.7")
        await inner(scope, receive, send)

    return Client(seen, base_url="http://127.0.0.1", client=("127.0.0.1", 1))


def test_each_class_is_told_with_its_limit_and_oldest(house):
    fill(house, 10)
    told = asking(house, Role.VIEWER).get("/api/v1/keeping").json()
    assert told["problem"] is None
    by = {each["class"]: each for each in told["classes"]}
    assert list(by) == [matter.value for matter in Matter]
    assert [each["days"] for each in by.values()] == [30, 40, 50, 60, 70, 0, 90]
    assert by["raw"]["oldest_at"] == "1972-09-27T00:00:00.000000Z"
    assert by["audit"]["oldest_at"] is None


def test_a_number_is_erased(house):
    seqs = fill(house, 20)
    client = asking(house)
    begun = client.post("/api/v1/erasures", json={"number": "+91 98765 43210"})
    assert begun.status_code == 202
    id = begun.json()["id"]
    assert begun.json()["complete"] is False
    assert client.post("/api/v1/erasures", json={"number": "09876543210"}).json()["id"] == id
    house.run()
    proof = client.get(f"/api/v1/erasures/{id}").json()
    assert proof.pop("confirmed") is True
    assert proof["complete"] is True
    assert proof["by"] == "asha"
    assert {tuple(each["seqs"]) for each in proof["places"]} == {(), tuple(seqs)}
    assert proof["proof"] == hash_of_proof(proof)
    assert client.get("/api/v1/erasures").json() == {"erasures": [proof]}
    entry = next(house.audit.oldest_first())
    assert (entry.who, entry.what, entry.origin) == ("asha", "asked to erase a number", "192.0.2.7")
    assert "9876543210" not in json.dumps(proof) + repr(entry)


@pytest.mark.parametrize(
    "asked, subject, shown",
    [
        ({"call": SID}, "call", "5f0a1b…"),
        ({"custom_field": "order 77"}, "custom_field", "or…"),
        ({"number": "+91 98765 43210"}, "number", NUMBER.masked),
    ],
)
def test_calls_are_erased_too(house, asked, subject, shown):
    """And the proof says in which forms they were looked for."""
    seqs = call_of(house, SID, "09876543210", "order+77")
    house.flush()
    begun = asking(house).post("/api/v1/erasures", json=asked)
    assert begun.status_code == 202
    house.run()
    proof = asking(house).get(f"/api/v1/erasures/{begun.json()['id']}").json()
    assert (proof["complete"], proof["subject"], proof["masked"]) == (True, subject, shown)
    assert proof["looked_for"]
    assert bool(proof["not_looked_for"]) is (subject == "number")
    place = next(each for each in proof["places"] if each["name"] == "journal")
    assert place["seqs"] == seqs
    form = {"subject": subject, "number": next(iter(asked.values()))}
    reply = asking(house).post(
        "/settings/erasures", data=form | {"again": form["number"]}, follow_redirects=False
    )
    assert reply.status_code == 303


def test_one_thing_is_erased_at_a_time(house):
    for asked in ({}, {"call": SID, "number": "+919876543210"}, {"call": "short"}):
        reply = asking(house).post("/api/v1/erasures", json=asked)
        assert reply.status_code == 400
    assert house.keeper.proofs() == []


def test_what_is_erased_is_remembered_before_it_begins(house):
    """What can't be remembered isn't erased: a restore would bring it back without a word."""
    fill(house, 10)

    def fail(erasure):
        raise OSError(28, "no space left on device")

    house.keeper._remember = fail
    with pytest.raises(OSError, match="no space"):
        house.erase()
    assert house.keeper.proofs() == []
    remembered = []
    house.keeper._remember = remembered.append
    house.erase()
    assert [each.number for each in remembered] == [NUMBER.e164]


def test_a_plan_is_told_first(house):
    fill(house, 20)
    plan = asking(house).post("/api/v1/erasures", json={"number": "09876543210", "plan": True})
    assert plan.status_code == 200
    assert plan.json()["seals_open"] is True
    assert plan.json()["segments"] == len(house.sealed.segments())
    assert house.keeper.proofs() == []


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_erasures_are_for_administrators(house, role):
    client = asking(house, role)
    for reply in (
        client.post("/api/v1/erasures", json={"number": "09876543210"}),
        client.post("/settings/erasures", data={"number": "09876543210"}),
        client.get("/api/v1/erasures"),
        client.get("/api/v1/erasures/1"),
    ):
        assert reply.status_code == 403, reply.url
    assert house.keeper.proofs() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"number": 9876543210}',
        b'{"number": "+919876543210", "also": 1}',
        b'{"number": "43210"}',
        b'{"number": "sip:a@b"}',
        b'{"number": "' + b"9" * 5000 + b'"}',
        b"\xff",
    ],
)
def test_what_names_no_number_is_refused(house, body):
    """With the API's problem, and without the number in it."""
    reply = asking(house).post("/api/v1/erasures", content=body)
    assert reply.status_code == 400
    assert set(reply.json()["error"]) == {"parameter", "problem", "hint"}
    assert "9876543210" not in reply.text
    assert house.keeper.proofs() == []


def test_there_may_be_no_such_erasure(house):
    assert asking(house).get("/api/v1/erasures/none").status_code == 404


def test_the_form_begins_an_erasure(house):
    """The number has to be said twice, in whichever spelling."""
    client = asking(house)
    for once in ({"number": "098765 43210"}, {"number": "098765 43210", "again": "09876543211"}):
        assert client.post("/settings/erasures", data=once).status_code == 400
    assert house.keeper.proofs() == []
    twice = {"number": "098765 43210", "again": "+919876543210"}
    reply = client.post("/settings/erasures", data=twice, follow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, "/settings#keeping")
    assert len(house.keeper.proofs()) == 1
    assert client.post("/settings/erasures", data={}).status_code == 400


@pytest.mark.parametrize("role", Role)
def test_the_section_of_settings_shows_what_the_role_may_see(house, role):
    """Harmlessly, whoever asked; erasures to administrators only."""
    fill(house, 10)
    house.erase(by="<b>asha</b>")
    house.run()
    viewer = Viewer("asha", role)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/settings",
        "query_string": b"",
        "headers": [],
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "viewer": viewer,
        "csrf": "the-csrf",
    }
    context = RetentionApi(house.keeper).context(viewer)
    page = Renderer().text(Request(scope), "_keeping.html", context)
    assert "30 days" in page
    assert "for ever" in page
    assert "<b>" not in page
    assert "9876543210" not in page
    erasing = role is Role.ADMINISTRATOR
    assert ('value="the-csrf"' in page) is erasing
    assert ("nothing left" in page) is erasing
    assert ("&lt;b&gt;asha" in page) is erasing


def test_it_does_what_its_description_says(house):
    fill(house, 10)
    id = house.erase().id
    house.run()
    document = describe("0", OPERATIONS, OTHERS | SCHEMAS)
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app_of(house)
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        tried += 1

        @settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(headers=HOST, base_url="http://127.0.0.1")

        check()
    assert tried == len(OPERATIONS)
    case = schema["/api/v1/erasures/{id}"]["GET"].Case(path_parameters={"id": id})
    reply = case.call_and_validate(headers=HOST, base_url="http://127.0.0.1")
    assert reply.status_code == 200

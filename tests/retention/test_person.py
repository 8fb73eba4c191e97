"""All that is held on one person: found in every place, dated, audited, for administrators."""

from __future__ import annotations

import json

import apsw
import pytest

from asgi_client import Client
from callbacks import some_promises
from patience import PATIENCE_S
from retention.test_api import HOST
from retention.test_retention_worker import NUMBER, SID, START, House, call_of, details
from switchhook.access.audit import Deed
from switchhook.access.roles import Role, Viewer
from switchhook.callbacks.do_not_call_ledger import LedgerDoNotCall
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import PromiseEvent
from switchhook.cli import run
from switchhook.exotel.spellings import ErasedNumber
from switchhook.exotel.times import DAY_MS
from switchhook.journal.receipt import RecordKind
from switchhook.retention.person import NOT_REACHED
from switchhook.retention.person_api import PersonApi
from switchhook.retention.person_search import PersonSearch
from switchhook.retention.policy import RetentionLimits
from switchhook.system.data_folder import DataFolder
from switchhook.web.app import create_app
from switchhook.web.render import Renderer

LIMITS = RetentionLimits(30, 40, 50, 60, 70, 80, 90)


@pytest.fixture
def house(tmp_path):
    found = House(tmp_path / "data")
    yield found
    found.close()


def search_of(house):
    return PersonSearch(house.reader, house.sealed, house.book)


def asking(house, role=Role.ADMINISTRATOR):
    def note(deed):
        house.audit.note(deed, 5)

    api = PersonApi(search_of(house), Renderer(), lambda: LIMITS, note)
    inner = create_app([api])

    async def seen(scope, receive, send):
        scope["viewer"] = Viewer("asha", role, origin="192.0.2.7")
        scope["csrf"] = "x"
        await inner(scope, receive, send)

    return Client(seen, base_url="http://127.0.0.1", client=("127.0.0.1", 1), headers=HOST)


def fill(house):
    """Three records of a call of theirs, one of somebody else, and rows of several tables."""
    seqs = call_of(house, SID, "cust98765 43210")
    call_of(house, "another-call", "09000000001", stream="another")
    details(house, SID)
    with house.ledger.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO saved_views VALUES (1, 'x', '9876543210', 'asha', 0)"
        )
    house.flush()
    (house.folder / "journal" / "refused").mkdir()
    (house.folder / "journal" / "refused" / "7.bin").write_bytes("९८७६५४३२१०".encode())
    return seqs


def test_everything_is_found_with_when_it_goes(house):
    seqs = fill(house)
    person = search_of(house).find(NUMBER, LIMITS)
    assert person.whole
    assert (person.searched, person.until_seq) == (6, 6)
    assert [each.seq for each in person.records] == seqs
    assert [each.kind for each in person.records] == ["passthru", "passthru", "status callback"]
    first = person.records[0]
    assert (first.at_ms, first.raw_until_ms, first.story_until_ms) == (
        START,
        START + 30 * DAY_MS,
        START + 40 * DAY_MS,
    )
    assert person.sids == (SID, "stream-sid-1")
    assert person.refused_files == 1
    rows = {each.kind: each for each in person.rows}
    assert rows["call details"].until_ms == 1 + 50 * DAY_MS
    assert rows["saved view"].until_ms is None
    assert person.not_reached == NOT_REACHED
    assert search_of(house).find(ErasedNumber("+919876543211"), LIMITS).records == ()


def test_promises_of_callbacks_are_found_with_when_they_go(house):
    promises, never = LedgerPromises(house.ledger), LedgerDoNotCall(house.ledger)
    made = promises.make(some_promises.promise(number=NUMBER.e164, why=NUMBER.e164))
    promises.make(some_promises.promise(number=NUMBER.e164))
    promises.settle(made.id, PromiseEvent.CANCELLED, START)
    never.add(NUMBER.e164, "", Deed(who="asha", what="never call"), START)
    person = search_of(house).find(NUMBER, LIMITS)
    assert {each.kind: (each.at_ms, each.until_ms) for each in person.rows} == {
        "promise of a callback": (START, START + 90 * DAY_MS),
        "step of a promise": (some_promises.T, some_promises.T + 90 * DAY_MS),
        "callback that was not promised": (some_promises.T, some_promises.T + 90 * DAY_MS),
        "entry of the do-not-call list": (START, None),
    }


def test_mentions_are_entries_of_the_audit_log(house):
    """However much else each says, and not what stands masked in other tables."""
    deeds = [
        Deed(who="asha", what="looked up a person", subject=NUMBER.masked),
        Deed(who="asha", what="revealed", subject=SID, details={"from": NUMBER.e164, "to": "x"}),
        Deed(who="asha", what="noted", details={"note": f"rang {NUMBER.e164} and {NUMBER.e164}"}),
        Deed(who="asha", what="revealed", subject=SID, details={"from": "+919876543299"}),
    ]
    for deed in deeds:
        house.audit.note(deed, 5)
    with house.ledger.writing() as connection:
        view = (NUMBER.masked, "asha")
        connection.exec_driver_sql("INSERT INTO saved_views VALUES (1, 'x', ?, ?, 0)", view)
    assert search_of(house).find(NUMBER, LIMITS).audit_mentions == 3


def test_what_is_kept_for_ever_says_so(house):
    fill(house)
    person = search_of(house).find(NUMBER, RetentionLimits(0, 0, 0, 0, 0, 0, 0))
    assert {each.raw_until_ms for each in person.records} == {None}


def test_a_search_that_is_ended_says_how_far_it_came(house):
    fill(house)
    person = search_of(house).find(NUMBER, LIMITS, lambda: False)
    assert (person.whole, person.searched, person.records) == (False, 0, ())


def test_a_record_that_is_damaged_is_no_place_that_was_looked_into(house):
    house.receipt()
    house.flush()
    seq = house.reader.last_seq()
    (segment,) = sorted(house.reader._folder.glob("*.sqlite"))[-1:]
    connection = apsw.Connection(str(segment))
    connection.execute("UPDATE record SET body = CAST(body || x'00' AS BLOB) WHERE seq = ?", (seq,))
    connection.close()
    report = search_of(house).find(NUMBER, LIMITS)
    assert report.not_reached[:-1] == NOT_REACHED
    assert report.not_reached[-1].startswith(f"damaged records: {seq}; restore")


def test_every_kind_of_record_and_table_has_a_word(house):
    with house.ledger.reading() as connection:
        rows = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert {"audit", "users", "call_details", "deliveries"} <= {name for (name,) in rows}
    house.keep(RecordKind.COUNTERS, {"counts": {"9876543210": 1}})
    house.flush()
    assert search_of(house).find(NUMBER, LIMITS).records[0].kind == "record"


def test_the_api_and_the_page_tell_it_and_it_is_in_the_audit_log(house):
    seqs = fill(house)
    client = asking(house)
    told = client.post("/api/v1/persons", json={"number": "+91 98765 43210"})
    assert told.status_code == 200
    assert [each["seq"] for each in told.json()["records"]] == seqs
    assert told.json()["sids"] == [SID, "stream-sid-1"]
    page = client.post("/settings/person", data={"number": "098765 43210"})
    assert page.status_code == 200
    assert SID in page.text
    for text in (told.text, page.text):
        assert "98765" not in text
    noted = [(each.who, each.what, each.subject) for each in house.audit.oldest_first()]
    assert noted == [("asha", "looked up a person", NUMBER.masked)] * 2
    assert "no-store" in told.headers["cache-control"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_it_is_for_administrators(house, role):
    fill(house)
    client = asking(house, role)
    for path, more in (
        ("/api/v1/persons", {"json": {"number": "+919876543210"}}),
        ("/settings/person", {"data": {"number": "+919876543210"}}),
    ):
        assert client.post(path, **more).status_code == 403
    assert list(house.audit.oldest_first()) == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"number": 1}', b'{"number": "43210"}', b"\xff"])
def test_what_names_no_number_is_refused_and_not_noted(house, body):
    reply = asking(house).post("/api/v1/persons", content=body)
    assert reply.status_code == 400
    assert list(house.audit.oldest_first()) == []


def test_the_command_tells_the_same(tmp_path, capsys, house):
    with DataFolder.open(tmp_path / "whole", "answer") as held:
        folder = held.path
    fill(house)
    house.writer.flush(PATIENCE_S)
    for name in ("journal", "ledger"):
        (house.folder / name).rename(folder / name)
    words = ["person", "+91 98765 43210", "--data", str(folder)]
    assert run([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sids"] == [SID, "stream-sid-1"]
    assert told["audit_mentions"] == 1
    assert run(words) == 0
    said = capsys.readouterr().out
    assert SID in said
    assert "98765" not in said
    assert run(["person", "43210", "--data", str(folder)]) == 2

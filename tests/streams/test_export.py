"""Exports, what the store counts, and the search of the API: whole, masked, and harmless."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import JSONResponse

from asgi_client import Client
from kept_receipts import START_MS, Kept, fold, query, receipt
from switchhook.access.roles import EVERYTHING, Role, Viewer
from switchhook.errors import SearchError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.exotel.phone_numbers import masked as masked_number
from switchhook.store import SqliteStore
from switchhook.streams.api import StreamsApi, StreamsApiParts
from switchhook.streams.counts_api import StoreApi
from switchhook.streams.export import (
    COLUMNS,
    FORMATS,
    LONGEST_CELL,
    PAGE,
    ROW_GROUP,
    USUAL,
    ExportFormat,
    as_parquet,
    columns_named,
    csv_text,
    rows_of,
)
from switchhook.streams.fold import Folder
from switchhook.streams.names import Bot, Names
from switchhook.streams.openapi import COUNTED, SCHEMAS
from switchhook.streams.search.syntax import parse_query
from switchhook.web.app import create_app
from switchhook.web.masking import Masked, mask_json
from switchhook.web.openapi import describe
from switchhook.web.parameters import RefusedParameter

HOSTILE = {
    "markup": '<script>alert("1")</script>',
    "formula": '=HYPERLINK("http://evil.example","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "minus": "-2+3",
    "at": "@SUM(A1)",
    "tab": "\t=1+1",
    "wide": "\uff1d1+1",
    "direction": "abc\u202egpj.exe\u2066",
    "controls": "a\x00b\x1b[31mc\x7fd\r\ne",
    "script": "हिन्दी தமிழ் اردو 中文 🎧",
    "long": "ल" * 65_536,
    "quotes": '"a","b"\n"c"',
}
NAMES = Names(
    bots=(Bot("रिसेप्शन", hosts=("bot.example.com",)),),
    exophones={"+918047112233": "Sales"},
    destinations={("default", "B"): "a human"},
)


def call(number, sid=None, **more):
    """A receipt of an inbound call with a bot."""
    said = {"StreamUrl": "wss://bot.example.com/x", "Duration": "28", **more}
    raw = query(f"c{number}", sid or f"s{number}", **said)
    return receipt(raw + f"&CallFrom=0987650{number:04d}&CallTo=08047112233".encode())


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    kept = Kept(folder / "journal")
    kept.keep(*(call(n) for n in range(1, 8)))
    kept.keep(
        *(
            call(100 + n, Error=text, DisconnectedBy=text, DetailedStatus=text)
            for n, text in enumerate(HOSTILE.values())
        )
    )
    store = SqliteStore(folder / "store", kept.reader)
    store.open()
    fold(store, kept.reader)
    yield SimpleNamespace(kept=kept, store=store)
    store.close()
    kept.close()


def as_viewer(app, viewer):
    async def wrapped(scope, receive, send):
        await app(scope | {"viewer": viewer}, receive, send)

    return wrapped


ADMIN = Viewer("asha", Role.ADMINISTRATOR, revealed=frozenset({EVERYTHING}))
VIEWER = Viewer("vik", Role.VIEWER)


@pytest.fixture
def deeds():
    return []


@pytest.fixture
def client(world, deeds):
    def of(viewer=ADMIN):
        api = StoreApi(world.store, lambda: NAMES, lambda: START_MS + 3_600_000, note=deeds.append)
        refused = {
            RefusedParameter: lambda request, error: JSONResponse(
                {
                    "error": {
                        "parameter": error.parameter,
                        "problem": error.problem,
                        "hint": error.hint,
                    }
                },
                400,
            )
        }
        app = Starlette(routes=list(api.routes()), exception_handlers=refused)
        return Client(as_viewer(Masked(app), viewer))

    return of


def table(answer):
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def test_csv_has_what_the_search_finds_in_the_columns_asked(client, deeds):
    asked = {"q": "from:987650 !error:*", "columns": "time,from,bot,cause,lead", "tz": "utc"}
    answer = client().get("/api/v1/streams/export", params=asked)
    rows = table(answer)
    assert list(rows[0]) == ["time (UTC)", "from", "bot", "cause", "lead"]
    assert [row["from"] for row in rows] == [f"'+91987650000{n}" for n in range(7, 0, -1)]
    assert rows[0]["time (UTC)"] == "2026-11-18 11:06:47"
    assert {row["bot"] for row in rows} == {"रिसेप्शन"}
    assert re.fullmatch(
        r'attachment; filename="streams-[0-9]{8}-[0-9]{6}\.csv"',
        answer.headers["content-disposition"],
    )
    assert deeds[0].what == "exported streams"
    assert "987650" not in str(deeds)


def test_every_column_can_be_exported_in_every_form(client):
    for form in FORMATS:
        answer = client().get(
            "/api/v1/streams/export", params={"format": form, "columns": "all", "q": "call:c1"}
        )
        assert answer.status_code == 200
        if form == "parquet":
            rows = pq.read_table(io.BytesIO(answer.content)).to_pylist()
        elif form == "ndjson":
            rows = [json.loads(line) for line in answer.content.splitlines()]
        else:
            rows = table(answer)
        assert len(rows) == 1
        assert len(rows[0]) == len(COLUMNS)
        assert str(rows[0]["duration"]) == "28"
        assert rows[0]["exophone"] == "Sales"


def test_who_may_not_see_numbers_gets_them_masked_in_every_form(client):
    for form in ("csv", "ndjson"):
        answer = client(VIEWER).get(
            "/api/v1/streams/export", params={"format": form, "columns": "all"}
        )
        assert b"98765" not in answer.content
        assert b"8047112" not in answer.content
    revealed = Viewer("vik", Role.OPERATOR, revealed=frozenset({"c1"}))
    answer = client(revealed).get("/api/v1/streams/export", params={"columns": "call,from"})
    assert [row["call"] for row in table(answer) if "98765" in row["from"]] == ["c1"]


def test_a_spreadsheet_takes_nothing_hostile_for_a_formula(client):
    asked = {"columns": "error,disconnected_by,detailed_status", "q": "error:*"}
    rows = table(client().get("/api/v1/streams/export", params=asked))
    assert len(rows) == len(HOSTILE)
    for row in rows:
        for cell in row.values():
            assert not re.match(r"[=+\-@\t\r\uff1d]", cell)
            assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", cell)
            assert len(cell) < 32_767
    cells = [row["error"] for row in rows]
    assert '<script>alert("1")</script>' in cells
    assert HOSTILE["script"] in cells
    assert "abc\\u202egpj.exe\\u2066" in cells
    long = next(cell for cell in cells if cell.startswith("ल"))
    assert long.endswith("(65536 characters)")


def test_ndjson_and_parquet_hold_hostile_values_exactly(client):
    asked = {"columns": "error", "q": "error:*"}
    answer = client().get("/api/v1/streams/export", params=asked | {"format": "ndjson"})
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", answer.text)
    lines = {json.loads(line)["error"] for line in answer.content.splitlines()}
    parquet = client().get("/api/v1/streams/export", params=asked | {"format": "parquet"})
    rows = pq.read_table(io.BytesIO(parquet.content)).to_pylist()
    assert {row["error"] for row in rows} == lines
    assert {HOSTILE["formula"], HOSTILE["direction"], HOSTILE["long"]} <= lines


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("plain", "plain"),
        ("", ""),
        ("=1", "'=1"),
        ("  =1", "'  =1"),
        ("09876543210", "'09876543210"),
        ("1e5", "'1e5"),
        ("12/11", "'12/11"),
        ("1a2b", "1a2b"),
        ("a\nb", "a\\nb"),
        ("%0A", "'%0A"),
    ],
)
def test_csv_text_of(text, cell):
    assert csv_text(text) == cell


@given(st.text())
def test_no_cell_acts_or_is_too_long(text):
    cell = csv_text(text * 50)
    assert not re.match(r"\s*[=+\-@]", cell)
    assert not re.search("[\x00-\x1f\u202a-\u202e]", cell)
    assert len(cell) < LONGEST_CELL * 10


def test_exports_are_read_a_page_at_a_time_and_stop_when_nobody_reads(world):
    asked = []

    class Counting:
        def position(self):
            return 10_000_000

        def search(self, query, names, *, before_seq, limit):
            asked.append((before_seq, limit))
            row = world.store.search(query, names, limit=1).rows[0]
            rows = [msgspec.structs.replace(row, seq=before_seq - n) for n in range(limit)]
            return type(world.store.search(query, names, limit=1))(rows, before_seq - limit)

    look = ExportFormat(columns_named("time,call")[0], lambda call: True, UTC)
    store: Any = Counting()
    parts: Any = FORMATS["ndjson"].write(rows_of(store, parse_query("", 0), Names(), look), look)
    next(parts)
    next(parts)
    parts.close()
    assert asked == [(10_000_001, PAGE), (10_000_001 - PAGE, PAGE)]


def test_parquet_has_small_row_groups():
    look = ExportFormat(columns_named("call,duration")[0], lambda call: True, UTC)
    whole = b"".join(as_parquet(iter([["a", n] for n in range(2 * ROW_GROUP + 1)]), look))
    file = pq.ParquetFile(io.BytesIO(whole))
    assert [file.metadata.row_group(n).num_rows for n in range(3)] == [ROW_GROUP, ROW_GROUP, 1]
    empty = pq.read_table(io.BytesIO(b"".join(as_parquet(iter([]), look))))
    assert empty.column_names == ["call", "duration"]


def test_the_page_shows_what_can_be_exported():
    """Whoever exports exactly what is shown names the page's columns."""
    from switchhook.streams import columns

    assert set(columns.COLUMNS) <= set(COLUMNS)
    assert columns.USUAL == USUAL


def test_the_documentation_explains_every_column():
    page = (Path(__file__).parents[2] / "docs/search.md").read_text().partition("## Exports")[2]
    assert [name for name in COLUMNS if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"columns": "time,nonsense"}, "columns"),
        ({"format": "xlsx"}, "format"),
        ({"q": "casue:throttled"}, "q"),
        ({"else": "1"}, "else"),
        ({"numbers": "local"}, "numbers"),
        ({"region": "XX"}, "region"),
        ({"headers": "a,b", "columns": "from"}, "headers"),
        ({"headers": "a,a", "columns": "from,to"}, "headers"),
        ({"headers": "none", "format": "ndjson"}, "headers"),
        ({"rows": "all"}, "rows"),
    ],
)
def test_what_can_not_be_exported_is_refused_by_name(client, asked, parameter):
    answer = client().get("/api/v1/streams/export", params=asked)
    assert answer.status_code == 400
    assert answer.json()["error"]["parameter"] == parameter


DIALLER = {"numbers": "e164", "q": "from:987650 !error:*"}


def lines(answer):
    assert answer.status_code == 200, answer.text
    return answer.content.decode().splitlines()


def test_a_dialler_takes_numbers_as_they_are(client, deeds):
    """No apostrophe, no mark, the columns in their order under the names that are asked."""
    asked = DIALLER | {"columns": "customer,bot,duration", "headers": "Phone,Bot,Seconds"}
    found = lines(client().get("/api/v1/streams/export", params=asked))
    assert found[0] == "Phone,Bot,Seconds"
    assert found[1] == "+919876500007,रिसेप्शन,28"
    assert len(found) == 1 + 7
    assert deeds[0].details["numbers"] == "e164"
    assert lines(client().get("/api/v1/streams/export", params=DIALLER | {"headers": "none"})) == [
        f"+91987650000{n}" for n in range(7, 0, -1)
    ]


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ({"numbers": "digits"}, "919876500007"),
        ({"numbers": "00"}, "00919876500007"),
        ({"numbers": "national"}, "9876500007"),
        ({"numbers": "0"}, "09876500007"),
        ({"numbers": "national", "region": "sg"}, "+919876500007"),
    ],
)
def test_numbers_have_the_form_that_is_asked(client, form, written):
    asked = DIALLER | form
    assert lines(client().get("/api/v1/streams/export", params=asked))[1] == written
    rows = lines(client().get("/api/v1/streams/export", params=asked | {"format": "ndjson"}))
    assert json.loads(rows[0]) == {"customer": written}


def test_one_row_a_caller(client, world):
    asked = DIALLER | {"rows": "callers", "columns": "customer,call"}
    found = lines(client().get("/api/v1/streams/export", params=asked))
    assert len(found) == 1 + 7
    look = ExportFormat(columns_named("call")[0], lambda call: True, UTC, once=True)

    class Twice:
        def position(self):
            return 10

        def search(self, *asked, before_seq, limit):
            page = world.store.search(parse_query("from:987650", 0), NAMES, limit=3)
            return msgspec.structs.replace(page, next=5 if before_seq == 11 else None)

    store: Any = Twice()
    assert len(list(rows_of(store, parse_query("", 0), NAMES, look))) == 3


def test_a_byte_order_mark_where_it_is_asked(client):
    asked = DIALLER | {"bom": "yes"}
    answer = client().get("/api/v1/streams/export", params=asked)
    assert answer.content.startswith(b"\xef\xbb\xbf")
    plain = client().get("/api/v1/streams/export", params={"bom": "no"})
    assert not plain.content.startswith(b"\xef\xbb\xbf")


def test_for_a_dialler_too_no_cell_runs(client):
    asked = {"columns": "error,disconnected_by", "q": "error:*", "numbers": "e164"}
    answer = client().get("/api/v1/streams/export", params=asked)
    for row in csv.DictReader(io.StringIO(answer.text, newline="")):
        for cell in row.values():
            assert not re.match(r"\s*[=+\-@\t\r\uff1d]", cell)


def test_who_sees_numbers_masked_exports_none_for_a_dialler(client, deeds):
    operator = Viewer("vik", Role.OPERATOR, revealed=frozenset({"c1"}))
    answer = client(operator).get("/api/v1/streams/export", params={"numbers": "e164"})
    assert answer.status_code == 400
    assert answer.json()["error"]["parameter"] == "numbers"
    assert not deeds


def test_a_search_that_takes_too_long_exports_nothing(client, world, monkeypatch):
    """It is said before the first byte, not in the middle of a file."""

    def slow(*asked, **how):
        raise SearchError("the search took longer than 5 s", "narrow it")

    monkeypatch.setattr(world.store, "search", slow)
    with pytest.raises(SearchError):
        client().get("/api/v1/streams/export")


def test_what_is_counted_is_given_by_stretch(client):
    found = client().get("/api/v1/tallies", params={"by": "hour", "since": "2d"}).json()
    assert sum(each["streams"] for each in found["tallies"]) == 7 + len(HOSTILE)
    uses = client().get("/api/v1/uses").json()["uses"]
    assert sum(each["streams"] for each in uses) == 7 + len(HOSTILE)
    assert {each["host"] for each in uses} == {"bot.example.com"}
    assert {each["exophone"] for each in uses} == {"+918047112233"}
    masked = client(VIEWER).get("/api/v1/uses").json()["uses"]
    assert {each["exophone"] for each in masked} == {masked_number("+918047112233")}
    forms = client().get("/api/v1/forms", params={"since": "2d"}).json()["forms"]
    assert ("default", "dialect", "flat") in {
        (each["endpoint"], each["aspect"], each["value"]) for each in forms
    }
    assert client().get("/api/v1/counts").json() == {"counts": []}
    assert client().get("/api/v1/tallies", params={"since": "30d"}).status_code == 400


@pytest.mark.parametrize("path", ["tallies", "counts", "forms"])
def test_times_at_the_ends_of_the_calendar_are_times(client, path):
    begin, end = "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"
    asked = {"since": begin, "until": "0001-01-02T00:00:00Z"}
    assert client().get(f"/api/v1/{path}", params=asked).json()[path] == []
    asked = {"since": end, "until": end}
    assert client().get(f"/api/v1/{path}", params=asked).json()[path] == []
    asked = {"since": begin, "until": end}
    assert client().get(f"/api/v1/{path}", params=asked).json()["error"]["hint"]
    asked = {"until": "0000-01-01T00:00:00Z"}
    assert "9999" in client().get(f"/api/v1/{path}", params=asked).json()["error"]["hint"]


@pytest.mark.slow
def test_the_api_does_what_its_description_says(client):
    transport = client()
    document = describe("1", COUNTED, SCHEMAS)
    schema = schemathesis.openapi.from_dict(document)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=schema.as_strategy())
    def check(case):
        answer = transport.request(case.method, case.formatted_path, params=_flat(case.query or {}))
        assert answer.status_code in (200, 400), answer.text

    check()


def _flat(asked):
    return {name: str(value).encode("utf-8", "replace").decode() for name, value in asked.items()}


def test_the_list_of_streams_takes_a_search_with_other_filters(world):
    folder = Folder(world.kept.reader, world.store)
    parts = StreamsApiParts(journal=world.kept.reader, store=world.store, folder=folder, fresh_s=0)
    app = create_app([StreamsApi(parts, dict)])
    here = Client(app, base_url="http://127.0.0.1")
    asked = {"q": "from:987650 !error:*", "limit": "3", "endpoint": "default"}
    page = here.get("/api/v1/streams", params=asked).json()
    assert [each["call_sid"] for each in page["streams"]] == ["c7", "c6", "c5"]
    page = here.get("/api/v1/streams", params=asked | {"cursor": page["next"]}).json()
    assert [each["call_sid"] for each in page["streams"]] == ["c4", "c3", "c2"]
    assert page["count"] is None
    none = here.get("/api/v1/streams", params=asked | {"endpoint": "other"}).json()
    assert (none["streams"], none["next"]) == ([], None)
    assert none["understood"] == [
        "the caller's number begins with or ends in 987650 (in any country)",
        "not so that it has an error's text",
    ]
    counted = here.get("/api/v1/streams", params={"q": "endpoint:default", "limit": "2"}).json()
    assert counted["count"] == {"streams": 7 + len(HOSTILE), "more": False}
    wrong = here.get("/api/v1/streams", params={"q": "cause:throtled"})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["hint"] == "did you mean throttled?"
    assert here.get("/api/v1/receipts", params={"q": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("CallFrom=09876543210&CallTo=x", "CallFrom=0••••••••10&CallTo=x"),
        ("From=%2B919876543210", "From=%2B9•••••••••10"),
        ("%22from%22%3A%2209876543210%22", "%22from%22%3A%220••••••••10%22"),
        ("98765 43210", "9•••• •••10"),
        ("98765+43210", "9••••+•••10"),
        ("Created=2026-11-24+10:31:58", "Created=2026-11-24+10:31:58"),
        ("CallSid=7f31bb90c2d84e0fa6550e1d9c2b1abo", "CallSid=7f31bb90c2d84e0fa6550e1d9c2b1abo"),
        ("123456", "123456"),
    ],
)
def test_mask_text_of(text, masked):
    assert mask_text(text) == masked


def test_mask_json_masks_all_but_what_may_be_seen():
    shown = {
        "id": "01234567890",
        "call_sid": "c1",
        "from": "+919876543210",
        "received_at": "2026-11-24T09:12:34Z",
        "raw": "CallFrom=09876543210",
        "call": {"legs": [{"number": "09876543210", "caller_id": "08047112233"}]},
        "extra": {"From": ["09876543210"]},
        "custom_field": "call back 9876543210",
        "decided_in_ms": 1.5,
        "streams": [{"call_sid": "c1", "to": "+918047112233", "duration_s": 28}],
    }
    masked = json.dumps(mask_json(shown), ensure_ascii=False)
    assert "98765" not in masked
    assert "80471" not in masked
    assert "01234567890" in masked
    assert "2026-11-24T09:12:34Z" in masked
    assert mask_json(shown, lambda call_sid: call_sid == "c1") == shown

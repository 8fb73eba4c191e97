"""The console's API is what its OpenAPI document says, whatever it is asked."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient

from kept_receipts import Kept, query, receipt
from switchhook.console import ConsoleParts, Folder, create_app
from switchhook.store import SqliteStore

HERE = {"Host": "127.0.0.1"}
"""Who may ask a console without accounts."""
MORE = {
    "markup": '<script>alert("1")</script>',
    "formula": "=HYPERLINK(1)",
    "direction": "\u202eabc\u2066",
    "controls": "\x00\x1b[31m\x7f",
    "long": "ल" * 20_000,
    "surrogate": "%ED%A0%80",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The API over a store that holds good streams, bad ones and hostile texts."""
    folder = tmp_path_factory.mktemp("api")
    kept = Kept(folder / "journal")
    kept.keep(
        receipt(),
        receipt(query("c2", "s2", "failed", DetailedStatus="Streaming_call_throttled")),
        receipt(query("c2", "s2", "failed", DetailedStatus="Streaming_call_throttled")),
        receipt(query("c3", None, None)),
        receipt(query("c3", "s3", "in-progress")),
        *(
            receipt(query(f"h{number}", f"hs{number}", text, Error=text, StreamUrl=text))
            for number, text in enumerate(MORE.values())
        ),
        receipt(b"%00%ff=&&&=%zz"),
    )
    store = SqliteStore(folder / "store", kept.reader)
    store.open()
    following = Folder(kept.reader, store)
    following.start()
    assert following.reach(kept.reader.last_seq(), 30)
    yield create_app(ConsoleParts(journal=kept.reader, store=store, folder=following))
    following.stop()
    store.close()
    kept.close()


@pytest.fixture
def client(app):
    return TestClient(app, base_url="http://127.0.0.1")


def test_it_does_what_its_description_says(app):
    """Every operation, with parameters that fit and ones that don't."""
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=HERE)
    tried = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        tried.add(operation.path)

        @settings(max_examples=25, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(headers=HERE)

        check()
    assert len(tried) >= 6


def test_every_page_of_a_list_can_be_reached(client):
    seen, cursor = [], {}
    while True:
        page = client.get("/api/v1/receipts", params={"limit": 2, **cursor}).json()
        seen += [each["id"] for each in page["receipts"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(seen) == len(set(seen)) == 12
    assert seen == sorted(seen, reverse=True)

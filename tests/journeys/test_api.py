"""The console's API is what its description says, whatever it is asked and whatever is kept."""

from __future__ import annotations

import json
import re
import socket
from urllib.parse import quote_plus, urlencode

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from kept_receipts import query
from patience import PATIENCE_S
from program import request, running

HOSTILE = {
    "markup": '<script>alert("1")</script>',
    "formula": "=HYPERLINK(1)",
    "direction": "\u202eabc\u2066",
    "controls": "\x00\x1b[31m\x7f",
    "long": "ल" * 400,
}
FEED = "/api/v1/feed"
UNSAID = {
    f"/api/v1/{name}": [positive_data_acceptance]
    for name in (
        *("streams", "streams/export", "tallies", "counts", "forms", "capacity/{account}"),
        *("erasures", "persons", "receipts", "report", "routes/hands", "routes/undo"),
        *("nodes/lead", "nodes/drain"),
        *("releases", "releases/{number}/acts", "releases/{number}/differences"),
        "releases/{number}/backtest",
        *("promises", "promises/acts", "promises/allow-dialling", "promises/stop-dialling"),
        *("promises/do-not-call", "promises/do-not-call/remove"),
    )
}
"""OpenAPI has no words for the language of searches, how long a stretch may be, which digits are a
telephone number, which filters suit a kind of receipt, nor for which bots, pools and nodes there
are."""
ASKED = (
    query(),
    query("c2", "s2", "failed", DetailedStatus="Streaming_call_throttled"),
    query("c2", "s2", "failed", DetailedStatus="Streaming_call_throttled"),
    query("c3", None, None),
    query("c3", "s3", "in-progress"),
    *(
        query(f"h{number}", f"hs{number}", text, Error=text, StreamUrl=text)
        for number, text in enumerate(HOSTILE.values())
    ),
    b"CallSid=%ED%A0%80&Stream=" + quote_plus('{"Status":"completed"').encode(),
    b"%00%ff=&&&=%zz&" + urlencode({"CallSid": "c4"}).encode(),
)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    with running(tmp_path_factory.mktemp("api") / "data") as program:
        for each in ASKED:
            assert program.ask(each).status in (200, 302)
        yield program


def test_who_leaves_in_the_middle_of_a_body_is_no_error(tmp_path):
    """Anybody can do that: a log that grows by a traceback each time hides what matters."""
    with running(tmp_path / "data") as program:
        address = program.address("console")
        head = f"POST /api/v1/erasures HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
        for _ in range(5):
            with socket.create_connection(address) as sock:
                sock.sendall(f"{head}Content-Length: 100\r\n\r\nhalf of it".encode())
        assert program.api("status")["version"]
        program.stop()
        assert "Traceback" not in program.said


def hold(operation, headers):
    """Ask one operation what fits its description and what doesn't, and look at the answers."""
    excluded = UNSAID.get(operation.path)

    @settings(max_examples=12, deadline=None, suppress_health_check=[*HealthCheck], database=None)
    @given(operation.as_strategy())
    def check(case):
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    check()


def test_it_does_what_its_description_says(program):
    """Every operation, with parameters and bodies that fit and ones that don't."""
    schema = schemathesis.openapi.from_url(
        program.urls["console"] + "/api/v1/openapi.json", headers=program.by_link
    )
    operations = [result.ok() for result in schema.get_all_operations()]
    for operation in operations:
        if operation.path != FEED:  # which never ends
            hold(operation, program.by_link)
    assert len({operation.path for operation in operations}) >= 25


def test_the_feed_is_what_its_description_says(tmp_path):
    """Each event by its name."""
    with running(tmp_path / "data") as program:
        document = program.api("openapi.json")
        ((kind, said),) = document["paths"][FEED]["get"]["responses"]["200"]["content"].items()
        parts = {"components": document["components"]}
        validators = {
            name: jsonschema_rs.validator_for(each["schema"] | parts)
            for name, each in said["x-events"].items()
        }
        assert read_events(program, kind, validators) == {"now", "receipts"}


def read_events(program, kind, validators):
    """The names of the events that the feed had, until each of them came, as it is described."""
    address, seen, text = program.address("console"), set(), b""
    with socket.create_connection(address, timeout=PATIENCE_S) as sock:
        host = f"{address[0]}:{address[1]}"
        sock.sendall(request(FEED.encode(), host, headers=program.by_link))
        while seen < validators.keys():
            text += sock.recv(65536)
            program.ask(query("c9", "s9"))
            for event in text.split(b"\n\n")[:-1]:
                name = re.search("^event: (.*)$", event.decode(), re.MULTILINE)
                if name is not None:
                    data = re.findall("^data: (.*)$", event.decode(), re.MULTILINE)
                    validators[name[1]].validate(json.loads("\n".join(data)))
                    seen.add(name[1])
    assert f"content-type: {kind}".encode() in text.lower()
    return seen


def test_every_page_of_a_list_can_be_reached(program):
    seen, cursor = [], {}
    while True:
        page = program.api("receipts", limit=2, **cursor)
        seen += [each["id"] for each in page["receipts"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(seen) == len(set(seen)) == len(ASKED)
    assert seen == sorted(seen, reverse=True)

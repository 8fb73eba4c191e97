"""An OpenAPI document as people read it: all of it, by topic, with the form of each answer."""

from __future__ import annotations

import json

import pytest

from switchhook.server.api_document import describe_all
from switchhook.web.api_reference import OTHERS, TOPICS, form_of, topics_of

DOCUMENT = describe_all("1.2.3")
CALLS = [call for calls in topics_of(DOCUMENT).values() for call in calls]


def call(method: str, path: str):
    (found,) = (each for each in CALLS if (each.method, each.path) == (method, path))
    return found


def test_every_address_has_its_topic():
    described = {
        (method.upper(), path) for path, said in DOCUMENT["paths"].items() for method in said
    }
    assert len(described) > 35
    assert {(each.method, each.path) for each in CALLS} == described
    assert len(CALLS) == len(described) == len({each.name for each in CALLS})
    assert list(topics_of(DOCUMENT)) == list(TOPICS), "give the new address a place in TOPICS"


def test_what_belongs_nowhere_comes_last():
    paths = {
        "/api/v1/new": DOCUMENT["paths"]["/healthz"],
        "/healthz": DOCUMENT["paths"]["/healthz"],
    }
    found = topics_of({**DOCUMENT, "paths": paths})
    assert list(found) == ["This program", OTHERS]
    assert [each.path for each in found[OTHERS]] == ["/api/v1/new"]


def test_parameters_say_where_they_stand_and_what_they_may_be():
    fields = {each.name: each for each in call("GET", "/api/v1/streams").fields}
    assert fields["option"].choices == ("A", "B")
    assert (fields["limit"].least, fields["limit"].most, fields["limit"].default) == (
        1,
        1000,
        "100",
    )
    assert fields["limit"].whole
    assert not fields["q"].whole
    assert {each.place for each in fields.values()} == {"query"}
    (sid,) = call("GET", "/api/v1/streams/{stream_sid}").fields
    assert (sid.name, sid.place) == ("stream_sid", "path")


def test_answers_are_shown_by_their_form():
    listed = json.loads(call("GET", "/api/v1/receipts").answer)
    (receipt,) = listed["receipts"]
    assert set(receipt) >= {"id", "received_at", "cause", "decision", "stream"}
    assert receipt["decision"]["option"] == "A | B"
    assert call("DELETE", "/api/v1/alerts/silences/{id}").answer == ""
    exported = call("GET", "/api/v1/streams/export")
    assert (exported.answer, exported.media[0]) == ("", "text/csv")
    assert call("GET", "/api/v1/feed").endless
    assert not call("GET", "/api/v1/now").endless


def test_bodies_can_be_sent_once_they_are_filled_in():
    silence = call("POST", "/api/v1/alerts/silences")
    assert silence.changes
    assert json.loads(silence.body) == {"matcher": {"rule": "text"}, "for_s": 0, "reason": "text"}
    assert not call("GET", "/api/v1/alerts").body


@pytest.mark.parametrize(
    ("schema", "form"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        ({"type": ["integer", "null"]}, 0),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null"]}, None),
        ({"enum": ["A", None, 3]}, "A | null | 3"),
        ({"const": 1}, 1),
        ({"anyOf": [{"type": "null"}, {"type": "number"}]}, 0.5),
        ({"oneOf": [{"type": "null"}]}, None),
        ({"type": "array"}, []),
        ({"type": "array", "items": {"type": "integer"}}, [0]),
        ({}, {}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"…": 0}),
        ({"type": "object", "additionalProperties": False}, {}),
        ({"$ref": "#/components/schemas/One"}, {"one": "text"}),
    ],
)
def test_a_schema_is_shown_by_a_value(schema, form):
    known = {"One": {"type": "object", "properties": {"one": {"type": "string"}}}}
    assert form_of(schema, known) == form


def test_what_holds_itself_ends():
    known = {"Tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}
    assert "…" in json.dumps(form_of(known["Tree"], known), ensure_ascii=False)


def test_a_form_made_of_several_is_shown_whole():
    whole = {
        "allOf": [
            {"type": "object", "properties": {"id": {"type": "string"}}},
            {"$ref": "#/components/schemas/More"},
        ]
    }
    more = {"More": {"type": "object", "properties": {"room": {"type": "integer"}}}}
    assert form_of(whole, more) == {"id": "text", "room": 0}

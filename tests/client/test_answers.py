"""What the client reads, held against the API's own description: it can't drift."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec
import pytest

from switchhook.client import Promises, PromisesSummary, PromiseStory, Routes, answers
from switchhook.client.client import Client
from switchhook.server.api_document import describe_all

DOCUMENT = describe_all("1")
KINDS = {
    "/api/v1/streams": answers.Streams,
    "/api/v1/streams/{stream_sid}": answers.StreamStory,
    "/api/v1/calls/{call_sid}": answers.Call,
    "/api/v1/verdict": answers.Verdict,
    "/api/v1/now": answers.Now,
    "/api/v1/issues": answers.Issues,
    "/api/v1/alerts": answers.Alerts,
    "/api/v1/capacity": answers.Capacity,
    "/api/v1/routes": Routes,
    "/api/v1/promises": Promises,
    "/api/v1/promises/{id}": PromiseStory,
    "/api/v1/promises/summary": PromisesSummary,
    "/api/v1/endpoints": answers.Endpoints,
}
PLAIN = {"string": str, "integer": int, "number": float, "boolean": bool}


def whole(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without references; parts that hold together are one."""
    if "$ref" in schema:
        return whole(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "allOf" not in schema:
        return schema
    parts = [whole(each) for each in schema["allOf"]]
    return {
        "type": "object",
        "properties": {k: v for part in parts for k, v in part["properties"].items()},
        "required": [name for part in parts for name in part["required"]],
    }


def differences(schema: dict[str, Any], kind: Any, place: str) -> list[str]:
    """Where a type is not what the schema says, in words."""
    schema = whole(schema)
    arms = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    nullable = type(None) in arms
    (plain,) = (each for each in arms if each is not type(None))
    if "anyOf" in schema and typing.get_origin(plain) is dict:
        return []  # one of several kinds, left as it came
    if "anyOf" in schema:
        (schema,) = (whole(each) for each in schema["anyOf"] if each != {"type": "null"})
        return [] if not nullable else differences(schema, plain, place)
    if "enum" in schema:
        wrong = plain is not str or nullable is not (None in schema["enum"])
        return [f"{place}: {schema['enum']} is {kind}"] if wrong else []
    said = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if nullable is not ("null" in said):
        return [f"{place}: whether it may be null differs"]
    (word,) = (each for each in said if each != "null")
    if word in PLAIN:
        return [] if plain is PLAIN[word] else [f"{place}: {word} is {kind}"]
    if word == "array":
        if typing.get_origin(plain) is not list:
            return [f"{place}: a list is {kind}"]
        return differences(schema["items"], typing.get_args(plain)[0], f"{place}[]")
    if typing.get_origin(plain) is dict:
        return []  # left as it came
    return members(schema, plain, place)


def members(schema: dict[str, Any], kind: Any, place: str) -> list[str]:
    fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    found = [f"{place}.{name} is not there" for name in schema["required"] if name not in fields]
    for name, field in fields.items():
        if name not in schema["properties"]:
            found.append(f"{place}.{name} is not described")
            continue
        found += differences(schema["properties"][name], field.type, f"{place}.{name}")
    return found


@pytest.mark.parametrize("path", KINDS)
def test_what_is_read_is_what_is_described(path):
    answer = DOCUMENT["paths"][path]["get"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]
    assert differences(schema, KINDS[path], path) == []


def test_a_difference_is_found():
    class Wrong(msgspec.Struct):
        level: int
        what: str | None
        other: str

    schema = {"$ref": "#/components/schemas/Verdict"}
    found = differences(schema, Wrong, "v")
    assert "v.todo is not there" in found
    assert "v.other is not described" in found
    assert any(each.startswith("v.level: ") for each in found)
    assert "v.what: whether it may be null differs" in found


def test_the_filters_are_those_of_the_api():
    asked = DOCUMENT["paths"]["/api/v1/streams"]["get"]["parameters"]
    known = typing.get_type_hints(Client.streams).keys() - {"return"}
    assert known == {each["name"] for each in asked}


def test_the_filters_of_promises_are_those_of_the_api():
    asked = DOCUMENT["paths"]["/api/v1/promises"]["get"]["parameters"]
    known = typing.get_type_hints(Client.promises).keys() - {"return"}
    assert {name.removesuffix("_") for name in known} == {each["name"] for each in asked}


def test_every_struct_is_frozen_and_used():
    structs = {
        each
        for each in vars(answers).values()
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__doc__
    }
    assert all(each.__struct_config__.frozen for each in structs)

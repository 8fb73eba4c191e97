"""The words of JSON Schema that the parts of the API describe themselves with."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
TEXT: Schema = {"type": ["string", "null"]}
"""A text that may not be known; so it is with WHOLE, NUMBER and TIME."""
WHOLE: Schema = {"type": ["integer", "null"]}
NUMBER: Schema = {"type": ["number", "null"]}
TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def object_of(**properties: Schema) -> Schema:
    """An object that always has all of these; a name that is a word of Python's ends in `_`."""
    named = {name.removesuffix("_"): schema for name, schema in properties.items()}
    return {"type": "object", "properties": named, "required": list(named)}


def list_of(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """What the document describes under this name."""
    return {"$ref": f"#/components/schemas/{name}"}


def words(*said: str | None) -> Schema:
    return {"enum": list(said)}


def body_of(**properties: Schema) -> Schema:
    """A JSON body that has all of these and nothing else."""
    return body(object_of(**properties) | {"additionalProperties": False})


def body(schema: Schema) -> Schema:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def answers_of(said: str, schema: str | None, *, status: str = "200", gone: bool = False) -> Schema:
    """What may be answered: as asked, or refused; `gone` where there may be none any more."""
    found: Schema = {status: {"description": said}}
    if schema is not None:
        found[status]["content"] = {"application/json": {"schema": ref(schema)}}
    refused = {"application/json": {"schema": ref("Error")}}
    found["400"] = {"description": "it can't be understood", "content": refused}
    found["403"] = {"description": "the role is too low", "content": refused}
    found["503"] = {"description": "the ledger can't be read or written", "content": refused}
    if gone:
        found["404"] = {"description": "there is none any more", "content": refused}
    return found

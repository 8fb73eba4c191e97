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

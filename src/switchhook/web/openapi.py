"""Addresses as an OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from switchhook.web.json_schema import ref
from switchhook.web.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.web.json_schema import Schema


class Operation(msgspec.Struct, frozen=True):
    """One address: `schema` of its answer, what it may be asked, `identifier` if it may be 404.

    `files` are the media types of answers that are no JSON; with a `schema` it can be either.
    """

    path: str
    name: str
    summary: str
    schema: str | None
    asked: Mapping[str, Parameter] = {}
    identifier: str | None = None
    files: tuple[str, ...] = ()


def describe(
    version: str, operations: Iterable[Operation], schemas: Mapping[str, Schema]
) -> Schema:
    """The OpenAPI document of some addresses, whose answers look as `schemas` say by name."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Switchhook console",
            "version": version,
            "description": "What was received, decided and why. Lists are newest first, and pages"
            " stay the same while rows arrive.",
        },
        "paths": {operation.path: {"get": _operation(operation)} for operation in operations},
        "components": {"schemas": dict(schemas)},
    }


def _operation(operation: Operation) -> Schema:
    answers = {"200": ("as described", operation.schema), "400": ("a parameter", "Error")}
    answers["403"] = ("the role is too low, or an open console is asked from elsewhere", "Error")
    if operation.identifier:
        answers["404"] = ("there is none", "Error")
    answers["503"] = ("the store or the journal can't be read", "Error")
    responses = {
        status: {"description": said, "content": _content(name)}
        for status, (said, name) in answers.items()
    }
    if operation.files:
        binary: Schema = {"schema": {"type": "string", "format": "binary"}}
        of_json = _content(operation.schema) if operation.schema else {}
        responses["200"]["content"] = of_json | dict.fromkeys(operation.files, binary)
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": responses,
    }


def _content(name: str | None) -> Schema:
    return {"application/json": {"schema": ref(name) if name else {"type": "object"}}}


def _parameters(operation: Operation) -> list[Schema]:
    found: list[Schema] = []
    if operation.identifier:
        schema: Schema = {"type": "string", "minLength": 1}
        found.append(
            {"name": operation.identifier, "in": "path", "required": True, "schema": schema}
        )
    return found + [
        {
            "name": each.name,
            "in": "query",
            "description": each.meaning,
            "required": each.required,
            "schema": each.schema,
        }
        for each in operation.asked.values()
    ]

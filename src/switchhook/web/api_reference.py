"""An OpenAPI document as people read it: addresses by topic, and what each takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchhook.web.json_schema import Schema

TOPICS = {
    "Right now": ("verdict", "now", "feed", "issues", "endpoints", "refused", "status"),
    "Streams and calls": ("receipts", "streams", "calls", "views", "report"),
    "Counts": ("tallies", "uses", "counts", "forms"),
    "Alerts": ("alerts",),
    "Accounts": ("capacity",),
    "Calling back": ("promises",),
    "Before the stream": ("routes", "admission"),
    "Changing rules": ("releases", "flags"),
    "Keeping and forgetting": ("keeping", "erasures", "persons"),
    "Several machines": ("nodes",),
    "This program": ("audit", "healthz", "openapi.json"),
}
"""Which addresses stand together, by the word of their path that follows the version."""
OTHERS = "More"
_DEEPEST = 7
_PREFIX = "/api/v1/"


class Field(msgspec.Struct, frozen=True):
    """A parameter of an address; `place` is `path` or `query`."""

    name: str
    place: str
    meaning: str
    choices: tuple[str, ...] = ()
    default: str = ""
    least: int | None = None
    most: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is a whole number within bounds."""
        return self.least is not None or self.most is not None


class Call(msgspec.Struct, frozen=True):
    """One address asked by one method.

    `body` and `answer` show their form as JSON, "" where there is none; `media` are the types of
    an answer, `endless` says that it is a feed, which never ends.
    """

    name: str
    method: str
    path: str
    summary: str
    fields: tuple[Field, ...]
    body: str
    answer: str
    media: tuple[str, ...]

    @property
    def changes(self) -> bool:
        return self.method != "GET"

    @property
    def endless(self) -> bool:
        return "text/event-stream" in self.media


def topics_of(document: Mapping[str, Any]) -> dict[str, list[Call]]:
    """All that the document describes, by topic; what belongs to none of them comes last."""
    found: dict[str, list[Call]] = {topic: [] for topic in (*TOPICS, OTHERS)}
    for call in _calls(document):
        word = call.path.removeprefix(_PREFIX).strip("/").partition("/")[0]
        topic = next((each for each, words in TOPICS.items() if word in words), OTHERS)
        found[topic].append(call)
    return {topic: calls for topic, calls in found.items() if calls}


def _calls(document: Mapping[str, Any]) -> Iterator[Call]:
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
            gives = _content(said["responses"])
            shown = gives.get("application/json", {}).get("schema")
            yield Call(
                name=said["operationId"],
                method=method.upper(),
                path=path,
                summary=said["summary"],
                fields=tuple(_field(each) for each in said.get("parameters", ())),
                body=_shown(body["schema"], schemas) if body else "",
                answer=_shown(shown, schemas) if shown else "",
                media=tuple(gives),
            )


def _content(responses: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is answered when all is well, by media type; nothing for 204."""
    for status, said in responses.items():
        if status.startswith("2"):
            content: Mapping[str, Any] = said.get("content", {})
            return content
    return {}


def _field(said: Mapping[str, Any]) -> Field:
    schema = said["schema"]
    return Field(
        name=said["name"],
        place=said["in"],
        meaning=said.get("description", ""),
        choices=tuple(map(str, schema.get("enum", ()))),
        default=str(schema.get("default", "")),
        least=schema.get("minimum"),
        most=schema.get("maximum"),
    )


def _shown(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    form = msgspec.json.encode(form_of(schema, schemas))
    return msgspec.json.format(form, indent=2).decode()


def form_of(schema: Schema, schemas: Mapping[str, Schema], depth: int = 0) -> Any:
    """A value that shows what a schema allows: a word for a text, 0 for a whole number.

    What may be null is shown as it is where it isn't; what lies too deep, or in itself, as `…`.
    """
    if depth > _DEEPEST:
        return "…"
    if "$ref" in schema:
        return form_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return " | ".join("null" if each is None else str(each) for each in schema["enum"])
    for word in ("anyOf", "oneOf"):
        if word in schema:
            parts = [each for each in schema[word] if each.get("type") != "null"]
            return form_of(parts[0], schemas, depth) if parts else None
    if "allOf" in schema:
        forms = [form_of(each, schemas, depth) for each in schema["allOf"]]
        return {name: form for each in forms for name, form in each.items()}
    kinds = schema.get("type", "object")
    kind = (
        next((each for each in kinds if each != "null"), "null")
        if isinstance(kinds, list)
        else kinds
    )
    if kind == "array":
        return [form_of(schema["items"], schemas, depth + 1)] if "items" in schema else []
    if kind == "object":
        return _object(schema, schemas, depth)
    return {"integer": 0, "number": 0.5, "boolean": True, "null": None}.get(
        kind, schema.get("format", "text")
    )


def _object(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    named: dict[str, Any] = {
        name: form_of(each, schemas, depth + 1)
        for name, each in schema.get("properties", {}).items()
    }
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        word = next(iter(schema.get("propertyNames", {}).get("enum", ())), "…")
        named[word] = form_of(more, schemas, depth + 1)
    return named

"""The document of the whole API holds together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planted_numbers import routes_of
from switchhook.server.api_document import describe_all

DOCUMENT = describe_all("1.2.3")
API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def references(value: Any) -> Iterator[str]:
    """Every `$ref` in a document, at any depth."""
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name == "$ref")
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def test_every_reference_leads_to_a_schema_and_every_schema_is_referred_to():
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert known == set(references(DOCUMENT))


def test_the_feed_says_what_its_events_are():
    """It is no JSON, so a generated client has to be told of it apart."""
    answers = DOCUMENT["paths"]["/api/v1/feed"]["get"]["responses"]
    (events,) = answers["200"]["content"].items()
    assert events[0] == "text/event-stream"
    assert {name: each["schema"] for name, each in events[1]["x-events"].items()} == {
        "now": {"$ref": "#/components/schemas/Now"},
        "receipts": {"$ref": "#/components/schemas/FeedReceipts"},
    }


def test_no_name_of_the_code_stands_in_a_sentence():
    """A rename of code must not reach what people read."""
    said = [
        method["summary"]
        for methods in DOCUMENT["paths"].values()
        for method in methods.values()
        if isinstance(method, dict)
    ]
    assert len(said) > 30
    assert not [each for each in said if any(c.isupper() for c in each.split()[0][1:])]


def test_the_document_has_every_route_of_the_console(tmp_path):
    """With its methods, and nothing that is not answered."""
    answered: dict[str, set[str]] = {}
    for path, methods in routes_of(tmp_path):
        if path.startswith(("/api/", "/healthz")):
            named = re.sub(r":\w+}", "}", path)
            answered.setdefault(named, set()).update(methods - {"HEAD"})
    described = {
        path: {method.upper() for method in methods} for path, methods in DOCUMENT["paths"].items()
    }
    assert described == answered


def test_the_table_of_the_docs_has_every_address():
    """And nothing else; what acts says by which method."""
    rows = re.findall(r"^\| \[`(/[^`]+)`\]\(\S+\) \| (.*) \|$", API_PAGE.read_text(), re.MULTILINE)
    assert sorted(path for path, _ in rows) == sorted(DOCUMENT["paths"])
    for path, said in rows:
        acting = {each.upper() for each in DOCUMENT["paths"].get(path, {})} - {"GET"}
        assert acting == set(re.findall(r"\b(?:POST|PUT|PATCH|DELETE)\b", said)), path

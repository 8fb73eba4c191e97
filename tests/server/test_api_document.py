"""The document of the whole API holds together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from switchhook.server.api_document import describe_all

DOCUMENT = describe_all("1.2.3")
API_PAGE = Path(__file__).parents[2] / "docs" / "api.md"
FEED = "/api/v1/feed"
"""The one address that no document can describe: it never ends."""


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


def test_the_table_of_the_docs_has_every_address():
    """And nothing else; what acts says by which method."""
    rows = re.findall(r"^\| \[`(/[^`]+)`\]\(\S+\) \| (.*) \|$", API_PAGE.read_text(), re.MULTILINE)
    assert sorted(path for path, _ in rows) == sorted([*DOCUMENT["paths"], FEED])
    for path, said in rows:
        acting = {each.upper() for each in DOCUMENT["paths"].get(path, {})} - {"GET"}
        assert acting == set(re.findall("[A-Z]{4,}", said)) - {"NDJSON"}, path

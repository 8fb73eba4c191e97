"""What Exotel knows of a number: its circle, its operator, and whether it is registered as DND.

`GET /v1/Accounts/{sid}/Numbers/{number}.json`, for Indian numbers (exotel-platform E.8).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from switchhook.exotel.wire.active_streams import UnreadableAnswer
from switchhook.exotel.wire.rest_document import build_document, find_object, parse_document
from switchhook.exotel.wire.rest_error import parse_error

_LONGEST = 200


class Dnd(StrEnum):
    """Whether a number is registered as one that wants no commercial calls."""

    YES = "Yes"
    NO = "No"
    UNAVAILABLE = "Unavailable"
    UNKNOWN = ""
    """Another word, or none."""


class NumberMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a number; "" is what was not said. `kind` is Mobile or Landline."""

    phone_number: str = ""
    circle: str = ""
    circle_name: str = ""
    kind: str = ""
    operator: str = ""
    operator_name: str = ""
    dnd: Dnd = Dnd.UNKNOWN


_KEYS = {
    "phone_number": "PhoneNumber",
    "circle": "Circle",
    "circle_name": "CircleName",
    "kind": "Type",
    "operator": "Operator",
    "operator_name": "OperatorName",
    "dnd": "DND",
}


def build_metadata(metadata: NumberMetadata, *, xml: bool) -> bytes:
    """The body of what is known."""
    said = {key: str(getattr(metadata, field)) for field, key in _KEYS.items()}
    return build_document("Numbers", said, xml=xml)


def parse_metadata(body: bytes) -> NumberMetadata | UnreadableAnswer:
    """Read the body of what is known, JSON or XML; never raises."""
    tree = parse_document(body)
    if isinstance(tree, UnreadableAnswer):
        return tree
    numbers = find_object(tree, "numbers")
    if numbers is None:
        error = parse_error(body)
        said = f"a refusal: {error.message}" if error else "nothing of a number in the answer"
        return UnreadableAnswer(said)
    told = {str(key).lower(): value for key, value in numbers.items()}
    found = {field: _text(told.get(key.lower())) for field, key in _KEYS.items()}
    known = {str(each): each for each in Dnd}
    return NumberMetadata(
        phone_number=found["phone_number"],
        circle=found["circle"],
        circle_name=found["circle_name"],
        kind=found["kind"],
        operator=found["operator"],
        operator_name=found["operator_name"],
        dnd=known.get(found["dnd"].capitalize(), Dnd.UNKNOWN),
    )


def _text(value: object) -> str:
    return value.strip()[:_LONGEST] if isinstance(value, str) else ""

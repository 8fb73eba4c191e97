"""How Exotel's API refuses: the body of an error (exotel-platform E.6)."""

from __future__ import annotations

from typing import Any

import msgspec

from switchhook.exotel.wire.rest_document import build_document, find_object, parse_document
from switchhook.exotel.wire.scalar import whole_number


class RestError(msgspec.Struct, frozen=True):
    """A refusal: HTTP status, what is wrong, and Exotel's own code where it has one."""

    status: int
    message: str
    code: int | None = None


def build_error(error: RestError, *, xml: bool) -> bytes:
    """The body of a refusal."""
    said: dict[str, Any] = {"Status": error.status, "Message": error.message}
    if error.code is not None:
        said["Code"] = error.code
    return build_document("RestException", said, xml=xml)


def parse_error(body: bytes) -> RestError | None:
    """A refusal's body; None where it is none."""
    said = find_object(parse_document(body), "restexception")
    if said is None:
        return None
    status = whole_number(said.get("Status"))
    if status is None:
        return None
    return RestError(status, str(said.get("Message") or ""), whole_number(said.get("Code")))


def invalid(name: str, said: str, right: str) -> RestError:
    """The refusal of a parameter, which says what would be right."""
    return RestError(400, f"Invalid parameter {name}: got {said}, expected {right}")

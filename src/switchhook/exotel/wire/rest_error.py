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


def build_later_error(error: RestError, method: str, request_id: str) -> bytes:
    """The body of a refusal below `/v2` and `/v3`, as the published client exotelpy reads it."""
    code = error.code if error.code is not None else error.status
    told = {"code": code, "message": error.message, "description": error.message}
    refused = {"code": error.status, "error_data": told, "status": "failure", "data": None}
    return msgspec.json.encode(
        {
            "request_id": request_id,
            "method": method,
            "http_code": error.status,
            "response": refused,
        }
    )


def parse_error(body: bytes) -> RestError | None:
    """A refusal's body; None where it is none."""
    document = parse_document(body)
    said = find_object(document, "restexception")
    if said is None:
        return _later(find_object(document, "response"))
    status = whole_number(said.get("Status"))
    if status is None:
        return None
    return RestError(status, str(said.get("Message") or ""), whole_number(said.get("Code")))


def _later(said: dict[str, Any] | None) -> RestError | None:
    """A refusal of `/v2` and `/v3`; nothing where it is the answer to what went well."""
    told = find_object(said, "error_data") if said is not None else None
    status = whole_number(said.get("code")) if said is not None else None
    if told is None or status is None:
        return None
    code = whole_number(told.get("code"))
    text = told.get("description") or told.get("message") or ""
    return RestError(status, str(text), code if code != status else None)


def invalid(name: str, said: str, right: str) -> RestError:
    """The refusal of a parameter, which says what would be right."""
    return RestError(400, f"Invalid parameter {name}: got {said}, expected {right}")

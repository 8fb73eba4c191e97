"""The tree of a checked expression."""

from __future__ import annotations

import pytest

from switchhook.rules.checked_tree import Node, read_tree
from switchhook.rules.expression import check


def tree(text: str) -> Node:
    return read_tree(check(text).program.serialize())


def test_a_comparison_with_its_places() -> None:
    assert tree('"é" == call.sid') == Node(
        "call",
        4,
        "_==_",
        None,
        (Node("constant", 0, value="é"), Node("name", 11, "call.sid")),
    )


@pytest.mark.parametrize(
    ("literal", "value"),
    [("-1", -1), ("0", 0), ("9223372036854775807", 2**63 - 1)],
)
def test_whole_numbers(literal: str, value: int) -> None:
    assert tree(f"call.legs == {literal}").parts[1].value == value


def test_other_constants() -> None:
    assert tree("account.age < -2.5").parts[1].value == -2.5
    assert tree("stream.present == false").parts[1].value is False
    assert tree(r'call.sid == "a\n"').parts[1].value == "a\n"
    assert tree('call.sid == ""').parts[1].value == ""


def test_lists_methods_and_macros() -> None:
    listed = tree('call.sid in ["a", "b"]').parts[1]
    assert (listed.kind, [each.value for each in listed.parts]) == ("list", ["a", "b"])
    method = tree('call.sid.startsWith("a")')
    assert (method.name, method.parts[0].name, method.parts[1].value) == (
        "startsWith",
        "call.sid",
        "a",
    )
    names = {node.name for node in tree('["a"].exists(x, x == call.sid)').all()}
    assert "call.sid" in names


@pytest.mark.parametrize("message", [b"", b"\x12\x02\x08\x01", b"\xff", b"\x0a\x05ab"])
def test_what_is_no_tree(message: bytes) -> None:
    with pytest.raises(ValueError, match="not a checked expression"):
        read_tree(message)

"""JSON that no sender should send, under names that a reader knows."""

from __future__ import annotations

import json

from hypothesis import strategies as st

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["²", "١", "9" * 5000, "0" * 20 + "1", "1e3", "", " 7 ", "null"])
    | st.text(max_size=6)
)


def odd_json(*names: str) -> st.SearchStrategy[object]:
    """Values of any shape, with objects whose members have one of the names, or another."""
    keys = st.sampled_from(names) | st.text(max_size=4)
    return st.recursive(
        _LEAVES,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=4),
        max_leaves=10,
    )


def odd_bodies(*names: str) -> st.SearchStrategy[bytes]:
    """The same, as the body of a request or an answer."""
    return odd_json(*names).map(lambda value: json.dumps(value).encode())

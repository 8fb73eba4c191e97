"""A flipped bit of a small JSON file is noticed, or changes nothing that is read from it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.checked_json import damage_of, has_checksum, is_whole, set_aside, with_checksum

DOCUMENTS = st.dictionaries(
    st.text(max_size=9).filter(lambda name: name != "checksum"),
    st.integers(-(2**53), 2**53) | st.text(max_size=30),
    min_size=1,
    max_size=5,
)


@given(DOCUMENTS, st.booleans())
def test_what_is_written_is_whole_and_reads_the_same(document, indented):
    encoded = msgspec.json.encode(document)
    content = with_checksum(msgspec.json.format(encoded, indent=1) if indented else encoded)
    assert has_checksum(content)
    assert is_whole(content)
    read = msgspec.json.decode(content)
    assert read.pop("checksum")
    assert read == document


def test_every_flipped_bit_is_noticed_or_changes_nothing():
    document = {"node": 7, "key": "ab" * 8, "active": 71, "checksum of": '"checksum":"12345678"}'}
    content = with_checksum(msgspec.json.encode(document))
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        if not is_whole(bytes(flipped)):
            continue
        try:
            read = msgspec.json.decode(flipped)
        except (ValueError, UnicodeDecodeError):
            continue
        assert {name: read[name] for name in document} == document


@pytest.mark.parametrize("content", [b"", b"{}", b'{"a":1}', b"\xff" * 99, b'","checksum":"0"}'])
def test_what_has_none_is_an_older_release_s(content):
    assert not has_checksum(content)
    assert is_whole(content)


def test_what_is_set_aside_never_replaces_another_and_is_told_of(tmp_path):
    file = tmp_path / "kept" / "config.json"
    file.parent.mkdir()
    for number in ("1", "3"):
        file.with_name(f"config.json.damaged-{number}").touch()
    file.with_name("config.json.damaged-by-me").touch()
    assert damage_of(file.with_name("other.json"), tmp_path, "it") is None
    file.write_bytes(b"{")
    set_aside(file)
    assert file.with_name("config.json.damaged-4").read_bytes() == b"{"
    assert str(damage_of(file, tmp_path, "it")) == (
        "it was damaged; it is now in config.json.damaged-4"
        " (see whether the disk is well, then remove kept/config.json.damaged-*)"
    )

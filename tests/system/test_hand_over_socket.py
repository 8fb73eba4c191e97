"""The numbers that the answer program and the shipper send each other, and where."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.system.hand_over_socket import SOCKET_NAME, Seqs, address_in, pack

SEQS = st.lists(st.integers(0, 2**64 - 1), max_size=20)


@given(SEQS, st.lists(st.integers(1, 30)))
def test_the_last_whole_number_counts_however_the_bytes_come(seqs, cuts):
    data, reader, said, fed = b"".join(map(pack, seqs)), Seqs(), None, 0
    for size in [*cuts, len(data)]:
        part = data[fed : fed + size]
        before, fed = fed // 8, fed + len(part)
        found = reader.feed(part)
        assert found == (seqs[fed // 8 - 1] if fed // 8 > before else None)
        said = said if found is None else found
    assert said == (seqs[-1] if seqs else None)


def test_a_number_is_eight_bytes_the_lowest_first():
    assert pack(0x0102) == b"\x02\x01" + bytes(6)


@pytest.mark.parametrize("depth", [0, 4], ids=["a short path", "one too long for an address"])
def test_both_ends_meet_in_the_folder_however_deep_it_lies(tmp_path, depth):
    folder = tmp_path.joinpath(*["a-folder-with-quite-a-long-name"] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as asking:
        with address_in(folder) as address:
            listening.bind(address)
        listening.listen()
        assert (folder / SOCKET_NAME).is_socket()
        with address_in(folder) as address:
            asking.connect(address)
        asking.sendall(pack(7))
        there, _ = listening.accept()
        with there:
            assert Seqs().feed(there.recv(8)) == 7


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    deep = tmp_path.joinpath(*["a-folder-with-quite-a-long-name"] * 4)
    with pytest.raises(FileNotFoundError), address_in(deep):
        pass

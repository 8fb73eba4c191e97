"""Small files of the data folder are looked at before somebody needs them."""

from __future__ import annotations

import pytest

from switchhook.checked_json import with_checksum
from switchhook.server.own_files import OwnFiles
from switchhook.system.data_folder import DataFolder, read_identity


@pytest.fixture
def held(tmp_path):
    with DataFolder.open(tmp_path / "data", "console") as folder:
        yield folder


def test_what_is_damaged_is_said_and_logged_once_until_it_is_mended(held, caplog):
    files = OwnFiles(held)
    files.look()
    assert files.damage == ()
    erasures, identity = held.path / "erasures.json", held.path / "identity.json"
    erasures.write_bytes(b"{")
    identity.write_bytes(b"{")
    files.look()
    files.look()
    said = [str(each) for each in files.damage]
    assert [each.partition(";")[0] for each in said] == [
        "the data folder's identity.json was damaged",
        "the list of erasures, erasures.json: it is damaged, or no list of erasures"
        " (get it back from beside a backup",
    ]
    assert [record.message for record in caplog.records] == said
    assert read_identity(held.path) == held.identity
    (held.path / "identity.json.damaged-1").unlink()
    erasures.write_bytes(with_checksum(f'{{"node":{held.node}}}'.encode()))
    files.look()
    assert files.damage == ()

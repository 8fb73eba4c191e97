"""A ledger belongs to its data folder: which one is taken, and which is missed."""

from __future__ import annotations

import random

import apsw
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.access.audit import Deed, entry_of
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.errors import LedgerError
from switchhook.ledger.belonging import (
    Backup,
    Found,
    Note,
    note_backup,
    problem_of,
    read_backup,
    read_note,
    way_back,
    write_note,
)
from switchhook.ledger.sqlite import APPLICATION_ID, CHECKED_VERSION
from switchhook.server.tables import MIGRATIONS, open_ledger
from switchhook.system.data_folder import DataFolder

DEED = Deed(who="test", what="tested")
NOTE = Note("a", 7)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found("a", 7), None),
        (Found("a", 8), None),
        (Found("a", 6), "its audit log ends with entry 6 of 7"),
        (Found("b", 9), "another ledger"),
        (Found(None, 0), "an empty or older ledger"),
        (Found(None, 9), "an empty or older ledger"),
        (None, "is missing"),
    ],
)
def test_which_ledger_is_the_one(found, said):
    problem = problem_of(NOTE, found)
    assert (problem is None) if said is None else said in problem


@given(st.text(), st.integers(0), st.text(), st.integers(0))
def test_only_the_same_ledger_that_lost_nothing_is_taken(id, entry, other, newer):
    taken = problem_of(Note(id, entry), Found(other, newer)) is None
    assert taken == (id == other and newer >= entry)


def test_the_way_back_names_the_newest_backup_and_no_place():
    said = way_back(Backup("/srv/backups/b.tar.gz", "2026-11-28T10:00:00+00:00"))
    assert "the newest is b.tar.gz of 2026-11-28" in said
    assert "/srv" not in said
    assert "--ledger-only" in way_back(None)


@pytest.fixture
def folder(tmp_path):
    """The path of a data folder that nobody holds."""
    DataFolder.open(tmp_path / "data", "console").close()
    return tmp_path / "data"


def opened(folder):
    return open_ledger(folder / "ledger")


def noted(folder):
    return read_note(folder / "ledger.json")


def test_it_is_noted_with_how_far_it_has_come(folder):
    """While it is open, and at the latest when it is closed."""
    ledger = opened(folder)
    first = noted(folder)
    assert first.entry == 0
    LedgerAudit(ledger).note(DEED, 1)
    ledger.keep_note()
    assert noted(folder) == Note(first.id, 1)
    LedgerAudit(ledger).note(DEED, 2)
    ledger.close()
    assert noted(folder) == Note(first.id, 2)
    assert (folder / "ledger.json").stat().st_mode & 0o777 == 0o600
    opened(folder).close()
    assert noted(folder) == Note(first.id, 2)


def test_nothing_is_made_in_the_place_of_a_missing_one(folder):
    opened(folder).close()
    (folder / "ledger").rename(folder / "elsewhere")
    for _ in range(2):
        with pytest.raises(LedgerError, match="is missing"):
            opened(folder)
    assert not (folder / "ledger").exists()
    (folder / "elsewhere").rename(folder / "ledger")
    opened(folder).close()


def test_a_foreign_one_is_left_as_it_is(folder, tmp_path):
    opened(folder).close()
    stranger = open_ledger(tmp_path / "ledger")
    stranger.close()
    (folder / "ledger").rename(folder / "elsewhere")
    (tmp_path / "ledger").rename(folder / "ledger")
    before = noted(folder)
    with pytest.raises(LedgerError, match="another ledger"):
        opened(folder)
    assert noted(folder) == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"id": 1}', b"\xff" * 100])
def test_a_damaged_note_opens_nothing(folder, content):
    """Whoever cut it short did not thereby choose another ledger."""
    opened(folder).close()
    (folder / "ledger.json").write_bytes(content)
    with pytest.raises(LedgerError, match="it is damaged"):
        opened(folder)


def test_a_note_that_is_damaged_while_the_ledger_is_open_is_written_anew(folder):
    """Else the next start would open nothing."""
    ledger = opened(folder)
    before = noted(folder)
    (folder / "ledger.json").write_bytes(b"{")
    ledger.keep_note()
    assert noted(folder) == before
    ledger.close()


def test_without_a_note_the_one_that_is_there_is_taken(folder):
    """So it is after an upgrade, and when a whole backup was unpacked."""
    opened(folder).close()
    before = noted(folder)
    (folder / "ledger.json").unlink()
    opened(folder).close()
    assert noted(folder) == before


def test_beside_no_data_folder_nothing_is_noted(tmp_path):
    open_ledger(tmp_path / "ledger").close()
    assert [each.name for each in tmp_path.iterdir()] == ["ledger"]


def test_one_that_is_taken_away_while_open_is_missed(folder):
    ledger = opened(folder)
    assert ledger.problem is None
    file = folder / "ledger" / "ledger.sqlite"
    file.rename(folder / "away")
    assert "was removed while the console ran" in str(ledger.problem)
    before = noted(folder)
    with pytest.raises(LedgerError, match="was removed"):
        LedgerAudit(ledger).note(DEED, 1)  # what is kept in a file without a name is lost
    ledger.keep_note()
    assert noted(folder) == before
    file.touch()
    assert "was replaced by another file" in str(ledger.problem)
    with pytest.raises(LedgerError, match="was replaced"), ledger.reading():
        pass
    ledger.close()


def test_the_note_of_a_backup_is_for_people_only(folder):
    note_backup(folder, Backup("/b.tar.gz", "2026-11-28"))
    opened(folder).close()
    (folder / "ledger" / "ledger.sqlite").unlink()
    with pytest.raises(LedgerError) as refused:
        opened(folder)
    assert "b.tar.gz of 2026-11-28" in refused.value.hint
    (folder / "newest-backup.json").write_bytes(b"?")
    with pytest.raises(LedgerError, match="is missing"):
        opened(folder)
    assert msgspec.json.decode((folder / "ledger.json").read_bytes())["id"]


def flips(content):
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        yield bytes(flipped)


@pytest.mark.slow
def test_a_flipped_bit_of_a_note_is_no_other_note(tmp_path):
    """The ledger's is refused by name; that of the newest backup only helps, and is left out."""
    file = tmp_path / "ledger.json"
    write_note(file, Note("0f" * 16, 7))
    note_backup(tmp_path, Backup("/srv/b.tar.gz", "2026-11-28"))
    for content in flips(file.read_bytes()):
        file.write_bytes(content)
        try:
            assert read_note(file) == Note("0f" * 16, 7)
        except LedgerError:
            continue
    backup = tmp_path / "newest-backup.json"
    for content in flips(backup.read_bytes()):
        backup.write_bytes(content)
        assert read_backup(tmp_path) in (None, Backup("/srv/b.tar.gz", "2026-11-28"))


@pytest.mark.slow
def test_a_flipped_bit_anywhere_in_a_ledger_is_noticed(tmp_path):
    """In header, tree, free page or text: what is read is what was written, or it is damaged."""
    ledger = open_ledger(tmp_path / "ledger")
    audit = LedgerAudit(ledger)
    for number in range(200):
        audit.note(Deed(who="asha", what="tested", subject=f"thing {number}"), number)
    ledger.close()
    file = tmp_path / "ledger" / "ledger.sqlite"
    content = file.read_bytes()
    chance = random.Random(13)
    places = [*range(100), *(chance.randrange(len(content)) for _ in range(300))]
    noticed = 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        for side in ("-wal", "-shm"):
            file.with_name(file.name + side).unlink(missing_ok=True)
        try:
            opened = open_ledger(tmp_path / "ledger")
            found = [entry.subject for entry in LedgerAudit(opened).oldest_first()]
            opened.close()
        except LedgerError:
            noticed += 1
        else:
            assert found == [f"thing {number}" for number in range(200)], place
    assert noticed > 100


def test_damage_is_said_for_as_long_as_it_is_there(tmp_path):
    """Though what is asked next may stand on a page that is well."""
    ledger = open_ledger(tmp_path / "ledger")
    for number in range(200):
        LedgerAudit(ledger).note(Deed(who="asha", what="did", subject=f"thing {number}"), number)
    ledger.close()
    file = tmp_path / "ledger" / "ledger.sqlite"
    file.write_bytes(file.read_bytes().replace(b"thing 150", b"thinG 150"))
    ledger = open_ledger(tmp_path / "ledger")
    with pytest.raises(LedgerError, match="damaged"):
        list(LedgerAudit(ledger).oldest_first())
    with ledger.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM users").scalar() == 0
    assert "damaged" in str(ledger.problem)
    ledger.close()


def test_an_older_release_s_ledger_gets_checksums(tmp_path):
    """Written anew with what it had; after that a flipped bit of a text is noticed."""
    (tmp_path / "ledger").mkdir()
    file = tmp_path / "ledger" / "ledger.sqlite"
    older = apsw.Connection(str(file))
    older.pragma("journal_mode", "wal")
    for number, migration in enumerate(MIGRATIONS[: CHECKED_VERSION - 1], 1):
        assert isinstance(migration, str)  # of that time
        older.execute(migration)
        older.pragma("application_id", APPLICATION_ID)
        older.pragma("user_version", number)
    deed = Deed(who="asha", what="tested", subject="something long")
    entry = entry_of(deed, 1, 5, bytes(32))
    older.execute(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(entry)
    )
    older.close()
    assert file.read_bytes()[20] == 0
    ledger = open_ledger(tmp_path / "ledger")
    assert [entry.subject for entry in LedgerAudit(ledger).oldest_first()] == ["something long"]
    assert LedgerAudit(ledger).head().newest_seq == 1
    ledger.close()
    content = file.read_bytes()
    assert content[20] == 8
    file.write_bytes(content.replace(b"something long", b"somethinG long"))
    with pytest.raises(LedgerError, match="damaged"):
        list(LedgerAudit(open_ledger(tmp_path / "ledger")).oldest_first())

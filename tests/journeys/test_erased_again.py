"""A restore doesn't bring back what was erased: by the commands, on real folders."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

import postgresql
from exotel.test_spellings import FOUND
from journeys.test_two_nodes import running
from kept_receipts import query, receipt
from patience import PATIENCE_S
from program import command, until
from switchhook.cli import run
from switchhook.cli.erasing_again import preparing
from switchhook.journal import JournalReader, JournalWriter
from switchhook.journal.receipt import RecordKind, encode
from switchhook.retention.backup import restore
from switchhook.retention.erasure import Erasure, proof_of
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import DataFolder

DIGITS = b"9876543210"
SID = "5f0a1b2c3d4e5f60718293a4b5c6198p"


def write(data, bodies, first=1):
    with DataFolder.open(data, "answer") as folder:
        writer = JournalWriter(
            folder.folder("journal"),
            node=folder.node,
            notify=lambda call: call(),
            observe=lambda event: None,
            synchronous="OFF",
            segment_bytes=30_000,
        )
        for seq, raw in enumerate(bodies, first):
            writer.append(int(RecordKind.PASSTHRU), seq, encode(receipt(raw, received_us=seq)))
        assert writer.flush(PATIENCE_S)
        assert writer.close()


@pytest.fixture
def data(tmp_path):
    """A folder with one person's number in every spelling, a call, and others; and notes of it."""
    folder = tmp_path / "data"
    bodies = [query(f"call{n}", f"s{n}") + b"&x=" + text.encode() for n, text in enumerate(FOUND)]
    bodies += [f"CallSid={SID}&From=0900000000{n}&Name=Asha".encode() for n in range(3)]
    bodies += [f"CallSid=field-{n}&CustomField=order+77&Name=Ravi".encode() for n in range(3)]
    bodies += [query(f"other{n}", f"o{n}") + b"&From=0900000000" * 20 for n in range(60)]
    write(folder, bodies)
    ledger = open_ledger(folder / "ledger")
    with ledger.writing() as connection:
        connection.exec_driver_sql(
            "INSERT INTO saved_views VALUES (1, 'of cust98765 43210', 'x', 'asha', 0)"
        )
    ledger.close()
    return folder


def ok(*words):
    assert run([*map(str, words)]) == 0, words


def forget(data, *what):
    ok("forget", *what, "--yes", "--json", "--data", data)


def holding(folder: Path, part: bytes) -> list[str]:
    return [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and part in path.read_bytes()
    ]


def bodies_of(folder):
    reader = JournalReader(folder / "journal")
    found = {record.seq: record.body for record in reader.read(0, 10_000)}
    reader.close()
    return found


def test_what_was_erased_since_a_backup_is_erased_again(data, tmp_path, capsys):
    """Number, call and custom field, in every spelling, before anything can start; with proof."""
    old, new = tmp_path / "b" / "old.tar.gz", tmp_path / "b" / "new.tar.gz"
    old.parent.mkdir()
    ok("backup", old, "--data", data)
    forget(data, "+919876543210")
    forget(data, "--call", SID)
    forget(data, "--custom-field", "order 77")
    ok("backup", new, "--data", data)
    (copy,) = old.parent.glob("switchhook-erasures-*.json")
    assert DIGITS not in copy.read_bytes()
    assert SID.encode() not in copy.read_bytes()
    erased = bodies_of(data)

    restored = tmp_path / "restored"
    ok("restore", old, "--data", restored)
    assert capsys.readouterr().err.count("erased again: ") == 3
    assert holding(restored, DIGITS) == []
    assert holding(restored, SID.encode()) == []
    assert holding(restored, b"Asha") == holding(restored, b"Ravi") == []
    assert bodies_of(restored) == erased

    # A newer backup knows of them, and nothing is done twice.
    again = tmp_path / "again"
    ok("restore", new, "--data", again)
    assert "erased again" not in capsys.readouterr().err
    # And the list goes on in the folder that was restored.
    assert json.loads((restored / "erasures.json").read_bytes())["erasures"]
    third = tmp_path / "c" / "third.tar.gz"
    third.parent.mkdir()
    ok("backup", third, "--data", restored)
    shutil.copy(old, third.parent / "old.tar.gz")
    once_more = tmp_path / "once-more"
    ok("restore", third.parent / "old.tar.gz", "--data", once_more)
    assert holding(once_more, DIGITS) == []


@pytest.mark.parametrize("way", ["--erasures", "left in the folder", "none"])
def test_the_list_of_a_lost_folder_is_used(data, tmp_path, capsys, way):
    """Given by name, or left where the backup is restored into; without one it is said."""
    old, restored = tmp_path / "old.tar.gz", tmp_path / "restored"
    ok("backup", old, "--data", data)
    forget(data, "+919876543210")
    words = []
    if way == "--erasures":
        words = ["--erasures", data / "erasures.json"]
    elif way != "none":
        restored.mkdir()
        shutil.copy(data / "erasures.json", restored)
    capsys.readouterr()
    ok("restore", old, "--data", restored, *words)
    assert ("there is no list" in capsys.readouterr().err) == (way == "none")
    assert (holding(restored, DIGITS) == []) == (way != "none")


def test_who_called_again_after_the_erasure_is_kept(data, tmp_path):
    """It covers what it covered; a backup that knows of it is restored as it is."""
    forget(data, "+919876543210")
    last = max(bodies_of(data))
    write(data, [query("later", "later") + b"&x=9876543210"], first=last + 1)
    ok("backup", tmp_path / "b.tar.gz", "--data", data)
    ok("restore", tmp_path / "b.tar.gz", "--data", tmp_path / "new")
    assert DIGITS in bodies_of(tmp_path / "new")[last + 1]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "it is damaged, or no list of erasures"),
        (b"[" * 5000, "it is damaged, or no list of erasures"),
        (b'{"node": 1, "format": 99}', "made by a newer version"),
        (b'{"node": 1, "erasures": []}', "the list of node 1"),
        (None, "there is no such list"),
    ],
)
def test_a_list_that_is_none_is_refused_before_anything_is_written(
    data, tmp_path, capsys, content, said
):
    ok("backup", tmp_path / "b.tar.gz", "--data", data)
    file = tmp_path / "list.json"
    if content is not None:
        file.write_bytes(content)
    new = tmp_path / "new"
    words = ["restore", tmp_path / "b.tar.gz", "--data", new, "--erasures", file]
    assert run([*map(str, words)]) == 2
    assert said in capsys.readouterr().err
    assert not new.exists()


def test_a_restore_cut_short_while_erasing_leaves_what_nothing_starts_in(
    data, tmp_path, monkeypatch, capsys
):
    ok("backup", tmp_path / "b.tar.gz", "--data", data)
    forget(data, "+919876543210")

    def fail(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("switchhook.cli.erasing_again.seal", fail)
    new = tmp_path / "new"
    words = ["restore", tmp_path / "b.tar.gz", "--data", new]
    words += ["--erasures", data / "erasures.json"]
    assert run([*map(str, words)]) == 2
    assert not (new / "identity.json").exists()
    with pytest.raises(Exception, match=r"no identity\.json"):
        DataFolder.open(new, "console")


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "one thing is forgotten at a time"),
        (["+919876543210", "--call", SID], "one thing is forgotten at a time"),
        (["--call", "short"], "not a CallSid"),
        (["--custom-field", ""], "not a CustomField"),
    ],
)
def test_what_names_nothing_is_refused(data, capsys, words, said):
    before = bodies_of(data)
    assert run(["forget", *words, "--yes", "--data", str(data)]) == 2
    assert said in capsys.readouterr().err
    assert bodies_of(data) == before


def test_a_ledger_restored_alone_is_erased_again_too(data, tmp_path):
    """It has no journal beside it, and is unpacked aside before it counts."""
    backup, aside = tmp_path / "b" / "b.tar.gz", tmp_path / "aside"
    backup.parent.mkdir()
    ok("backup", backup, "--data", data)
    forget(data, "+919876543210")
    proofs = []
    prepare = preparing(backup, [data / "erasures.json"], proofs)
    restore(backup, aside, only="ledger/", prepare=prepare)
    found = [(place.name, place.found) for place in proofs[0].places if place.found]
    assert (len(proofs), proofs[0].complete) == (1, True)
    assert found == [("ledger.saved_views", 1)]
    ledger = open_ledger(aside / "ledger")
    with ledger.reading() as connection:
        ((name,),) = connection.exec_driver_sql("SELECT name FROM saved_views").all()
    ledger.close()
    assert "43210" not in name
    assert not list((aside / "journal").glob("0*"))


CALLER = b"&CallFrom=%2B919876543210"


@pytest.fixture
def cluster(tmp_path):
    """Two nodes, and a database that nobody else uses."""
    with postgresql.database() as url:
        if url is None:
            pytest.skip(postgresql.NONE)
        with running(tmp_path, url) as nodes:
            nodes.url = url
            yield nodes


def bodies_in(database) -> dict[str, bytes]:
    """What the database has of each call that was asked about."""
    rows = database.execute("SELECT body FROM cluster_receipt").fetchall()
    calls = ("before-one", "before-two", "later")
    return {call: body for (body,) in rows for call in calls if f"={call}&".encode() in body}


def with_number(database) -> set[str]:
    return {call for call, body in bodies_in(database).items() if DIGITS in body}


@pytest.mark.process
def test_a_database_restored_to_before_an_erasure_is_erased_again(cluster, tmp_path):
    """By itself: each node knows what it erased, with the proof that it gave."""
    one, two = cluster.nodes
    for node in cluster.nodes:
        assert node.program.ask(query(f"before-{node.name}", "s1") + CALLER).status == 200
    until(lambda: {"before-one", "before-two"} <= one.calls().keys(), "both calls")
    dump = postgresql.dumped(cluster.url, tmp_path / "dump")
    before = json.loads(two.command("forget", "+919876543210", "--yes", "--json"))
    assert before["complete"]
    assert with_number(cluster.database) == set()
    # Who calls again after it is not covered by it.
    assert one.program.ask(query("later", "s2") + CALLER).status == 200
    until(lambda: "later" in two.calls(), "the later call")

    ((schema,),) = cluster.database.execute("SELECT current_schema()").fetchall()
    postgresql.restore(cluster.url, dump)
    with closing(postgresql.connect(cluster.url)) as database:
        database.execute(f"SET search_path TO {schema}".encode())

        def again():
            said = one.get("nodes")
            return said["cluster"]["erased_again"] if said else {"count": 0, "done": 0}

        until(lambda: again()["count"] == 1, "it is told")
        until(lambda: again()["done"] == 1, "it is erased again")
        assert with_number(database) <= {"later"}
        until(lambda: with_number(database) == {"later"}, "what came since is there again")
        ((state,),) = database.execute("SELECT state FROM erasures").fetchall()
        noted = "SELECT count(*) FROM audit WHERE what = 'erases a number again after a restore'"
        ((deeds,),) = database.execute(noted).fetchall()
    proof = msgspec.to_builtins(proof_of(msgspec.json.decode(state, type=Erasure)))
    assert (proof["id"], proof["state"], proof["complete"]) == (before["id"], "done", True)
    assert list(proof["nodes"]) == before["nodes"]
    for node in cluster.nodes:
        files = sorted((node.data / "journal").glob("0*"))
        own = b"".join(each.read_bytes() for each in files)
        assert (DIGITS in own) == (node is one)
        assert DIGITS not in (node.data / "erasures.json").read_bytes()
        said = command("cluster", "status", "--data", str(node.data), code=None).out
        assert "The database was restored to before an erasure; it is done again." in said
    assert deeds == 1
    until(
        lambda: any(each["rule"] == "erased-again" for each in one.get("alerts")["alerts"]), "alert"
    )

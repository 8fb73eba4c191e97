"""When the power fails, what was acknowledged is there; and this test would notice if not."""

from __future__ import annotations

import random

import pytest

from patience import PATIENCE_S
from switchhook.errors import JournalError
from switchhook.journal import JournalReader, segment

from .conftest import Loop
from .forgetful_vfs import forgetful_disk


def harm_of_a_power_failure(tmp_path, monkeypatch, seed, synchronous):
    """Write until the power fails at a random moment; give what is wrong with what is left.

    That is acknowledged seqs that are gone, gaps in the numbers, damage. With an odd seed some of
    the unsynced writes have reached the disk all the same, as they may.
    """
    chance = random.Random(seed)
    folder = tmp_path / f"{synchronous}-{seed}" / "journal"
    folder.parent.mkdir()
    loop, acknowledged = Loop(), {}
    with forgetful_disk(f"power-{synchronous}-{seed}") as disk:
        monkeypatch.setattr(segment, "sync_folder", disk.folder_synced)
        writer = loop.open(
            folder,
            vfs=disk.name,
            synchronous=synchronous,
            segment_bytes=chance.choice([40_000, 10_000_000]),
            checkpoint_bytes=60_000,
        )
        disk.power_fails_after = chance.randrange(20, 600)
        while not loop.seen("failing"):
            for _ in range(chance.randrange(1, 40)):
                body = chance.randbytes(chance.randrange(2000))
                seq = writer.next_seq

                def note(kept, seq=seq, body=body):
                    acknowledged[seq] = body

                writer.append(1, seq, body, done=note)
            loop.run_until(
                lambda: len(acknowledged) == writer.next_seq - 1 or bool(loop.seen("failing"))
            )
        writer.close(0)
        loop.run_pending()
        disk.lose_power(folder, chance if seed % 2 else None)
    monkeypatch.undo()

    try:
        kept = {record.seq: record.body for record in JournalReader(folder).read(0, 100_000)}
        again = loop.open(folder)
    except JournalError as error:
        return [str(error)]
    harm = [f"lost {seq}" for seq, body in acknowledged.items() if kept.get(seq) != body]
    if list(kept) != list(range(1, len(kept) + 1)):
        harm.append("gaps")
    try:
        seq = again.append(1, 10**6, b"after")
        assert again.flush(PATIENCE_S)
        assert JournalReader(folder).read_back(None, 1)[0].seq == seq
        if seq != len(kept) + 1:
            harm.append("the count does not go on")
    finally:
        again.close()
    return harm


@pytest.mark.parametrize("seed", range(16))
def test_nothing_acknowledged_is_lost(tmp_path, monkeypatch, seed):
    """With every commit synced, whatever the moment and whatever else reached the disk."""
    assert harm_of_a_power_failure(tmp_path, monkeypatch, seed, "FULL") == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_lowered_synchronous_is_found_out(tmp_path, monkeypatch, synchronous):
    """The very same test finds a loss as soon as commits are not synced."""
    harms = [harm_of_a_power_failure(tmp_path, monkeypatch, seed, synchronous) for seed in range(8)]
    assert any(problem.startswith("lost") for harm in harms for problem in harm)

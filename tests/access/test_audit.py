"""The chain of the audit log: whatever is done to it shows, and where."""

from __future__ import annotations

import hashlib
import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from switchhook.access.audit import (
    FIRST,
    ChainHead,
    ChainResult,
    Deed,
    deed_of,
    entry_hash,
    entry_of,
    verify_chain,
)
from switchhook.access.roles import Role, Viewer
from switchhook.exotel.phone_numbers import Ours

TEXT = st.text(max_size=40)
DEEDS = st.builds(
    Deed,
    who=TEXT,
    what=TEXT,
    subject=TEXT,
    origin=TEXT,
    details=st.dictionaries(TEXT, TEXT, max_size=3),
)
LOGS = st.lists(st.tuples(DEEDS, st.integers(0, 2**50)), min_size=1, max_size=8)


def written(deeds):
    entries, previous = [], FIRST
    for seq, (deed, at_us) in enumerate(deeds, 1):
        entries.append(entry_of(deed, seq, at_us, previous))
        previous = entries[-1].hash
    return entries


@given(LOGS)
def test_a_log_as_written_holds(deeds):
    """From its beginning, and from any place where retention cut it."""
    entries = written(deeds)
    assert verify_chain(entries) == ChainResult(len(entries))
    for cut in range(len(entries)):
        base = entries[cut - 1].hash if cut else FIRST
        head = ChainHead(cut, base, len(entries))
        assert verify_chain(entries[cut:], head) == ChainResult(len(entries) - cut)


@given(LOGS, st.data())
def test_a_changed_entry_shows_at_its_place(deeds, data):
    entries = written(deeds)
    at = data.draw(st.integers(0, len(entries) - 1))
    field = data.draw(st.sampled_from(("who", "what", "subject", "origin", "details")))
    changed = msgspec.structs.replace(entries[at], **{field: getattr(entries[at], field) + "x"})
    chain = verify_chain([*entries[:at], changed, *entries[at + 1 :]])
    assert (chain.verified, chain.broken_at) == (at, at + 1)


@given(LOGS, st.data())
def test_a_missing_entry_shows(deeds, data):
    """Also the newest, by the number that was given out."""
    entries = written(deeds)
    at = data.draw(st.integers(0, len(entries) - 1))
    head = ChainHead(0, FIRST, len(entries))
    assert verify_chain([*entries[:at], *entries[at + 1 :]], head).broken_at == at + 1


@given(LOGS, st.data())
def test_an_entry_put_in_shows(deeds, data):
    """Even one that follows well from the one before: the next does not follow from it."""
    entries = written(deeds)
    at = data.draw(st.integers(0, len(entries)))
    previous = entries[at - 1].hash if at else FIRST
    strange = entry_of(Deed(who="mallory", what="was never here"), at + 1, 0, previous)
    moved = [msgspec.structs.replace(each, seq=each.seq + 1) for each in entries[at:]]
    chain = verify_chain([*entries[:at], strange, *moved], ChainHead(0, FIRST, len(entries)))
    assert chain.broken_at is not None


@given(DEEDS, st.integers(0, 2**50), st.binary(min_size=32, max_size=32))
def test_the_hash_can_be_made_in_any_language(deed, at_us, previous):
    """It is over the JSON that Python's own module writes too."""
    entry = entry_of(deed, 1, at_us, previous)
    said = [1, at_us, entry.who, entry.what, entry.subject, entry.origin, entry.details]
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    assert entry_hash(previous, entry) == hashlib.sha256(previous + text.encode()).digest()


def test_long_texts_are_cut():
    """What comes from outside is bounded; half a character is replaced."""
    deed = Deed(who="x" * 9_999, what="did", details={str(n): "y" * 999 for n in range(99)})
    entry = entry_of(deed, 1, 0, FIRST)
    assert len(entry.who) == 256
    assert entry.details == '{"cut":"too long"}'
    assert entry_of(Deed(who="a\ud800b", what="did"), 1, 0, FIRST).who == "a?b"


def test_a_viewers_deed_says_from_where():
    viewer = Viewer("asha", Role.OPERATOR, origin="203.0.113.7")
    deed = deed_of(viewer, "silenced an alert", "headroom", until="18:00")
    assert deed == Deed(
        who="asha",
        what="silenced an alert",
        subject="headroom",
        origin="203.0.113.7",
        details={"until": "18:00"},
    )


def test_an_id_of_ours_is_kept_whole():
    """It names the proof of an erasure, say, and some look as if a number were in them."""
    deed = Deed(who="asha", what="erased a number", subject=Ours("0468217612345678"))
    assert entry_of(deed, 1, 0, FIRST).subject == "0468217612345678"


def test_numbers_that_people_write_are_masked():
    """No erasure reaches the log, so what it must not hold never gets in."""
    note = "caller +91 98765-43210, (98765) 43210, 09876543210; since 2026-11-25 18:05, 3009"
    deed = Deed(who="asha", what="acknowledged", subject="9876543210", details={"note": note})
    entry = entry_of(deed, 1, 0, FIRST)
    assert "43210" not in entry.details + entry.subject
    assert "2026-11-25 18:05, 3009" in entry.details


def test_details_may_have_the_names_of_what_a_deed_has():
    """A label of an alert is called as it is."""
    deed = deed_of(Viewer("asha", Role.OPERATOR), "silenced alerts", "7", subject="pools", what="x")
    assert deed.subject == "7"
    assert deed.details == {"subject": "pools", "what": "x"}

"""What is kept of a subject, through any order of edits, releases and undos."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.config import kept_text
from switchhook.config.kept_text import (
    Candidate,
    KeptPools,
    KeptRules,
    TakenOver,
    hash_of,
    overruled_text,
    put,
    salvage,
    settle,
    settle_pools,
    undo,
    way_back,
)

AT = "2026-11-29T10:00:00.000+00:00"


def found(text: str, release: int = 0) -> TakenOver:
    return TakenOver(0, hash_of(text), AT, "x", text, release=release)


def in_file(text: str, kept: KeptRules | None = None) -> KeptRules:
    return settle(kept, found(text), "sales.toml")


def released(kept: KeptRules, text: str, number: int, file: str | None = "one") -> KeptRules:
    return put(kept, found(text, number), in_file=None if file is None else hash_of(file))


def test_a_release_overrules_the_file_until_that_holds_something_else() -> None:
    kept = released(in_file("one"), "two", 12)
    assert (kept.current.text, kept.current.release) == ("two", 12)
    assert in_file("one", kept).current.text == "two"
    edited = in_file("three", kept)
    assert (edited.current.text, edited.current.release, edited.undone) == ("three", 0, ())
    assert in_file("one", edited).current.text == "one"


def test_the_release_written_into_the_file_is_nothing_new() -> None:
    kept = in_file("two", released(in_file("one"), "two", 12))
    assert (kept.current.release, kept.undone) == (12, ())
    assert len(kept.history) == 2


def test_what_the_file_holds_unseen_is_overruled_too() -> None:
    """Edited while nobody looked: it is not what the release was to be put in place of."""
    kept = released(in_file("one"), "two", 12, file="edited")
    assert in_file("edited", kept).current.text == "two"


def test_a_rollback_goes_back_as_an_undo_does() -> None:
    one = in_file("one")
    three = released(released(one, "two", 2), "three", 3)
    back = released(three, "two", 2)
    assert (back.current.text, back.current.before) == ("two", 1)
    undone = undo(three, in_file=hash_of("one"), at=AT, by="x")
    assert undone == back
    again = undo(back, in_file=hash_of("one"), at=AT, by="x")
    assert again is not None
    assert again.current.text == "one"
    assert undo(again, in_file=None, at=AT, by="x") is None


def test_the_same_text_as_another_release_is_a_step_of_its_own() -> None:
    kept = released(in_file("one"), "one", 5)
    assert (kept.current.text, kept.current.release) == ("one", 5)
    assert undo(kept, in_file=None, at=AT, by="x") is None
    assert released(kept, "one", 5) is kept


def test_rules_that_wait_are_no_rules_that_run() -> None:
    """The built-in rules run: a release is put in their place, and no undo goes to what waits."""
    aside = msgspec.structs.replace(in_file("one"), aside=True)
    kept = released(aside, "two", 3, file=None)
    assert (kept.file, kept.aside, kept.undone) == ("", False, ())
    assert kept.current.before is None
    assert in_file("one", kept).current.text == "one"
    assert in_file("one", aside).aside is False


TEXTS = st.sampled_from(["a", "b", "c", "d"])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), TEXTS),
        st.tuples(st.just("release"), TEXTS),
        st.tuples(st.just("undo"), st.just("")),
        st.tuples(st.just("look"), st.just("")),
    ),
    max_size=20,
)


@given(ACTS)
def test_only_an_edit_a_release_or_an_undo_changes_what_runs(acts: list[tuple[str, str]]) -> None:
    """However often the file is looked at; and what a person did last is what runs."""
    file, kept, wanted, number = "a", in_file("a"), "a", 1
    for act, text in acts:
        before = kept
        if act == "edit":
            changed = text != file
            file, kept = text, in_file(text, kept)
            # What was undone waits as long as the file is back at it without a change of its own.
            wanted = text if changed and hash_of(text) not in before.undone else wanted
            if text == before.current.text:
                wanted = text
        elif act == "release":
            number += 1
            kept, wanted = released(kept, text, number, file), text
        elif act == "undo":
            back = undo(kept, in_file=hash_of(file), at=AT, by="x")
            kept, wanted = (kept, wanted) if back is None else (back, back.current.text)
        assert kept.current.text == wanted
        assert in_file(file, kept).current.text == wanted
        assert len({each.number for each in kept.history}) == len(kept.history)
        assert next(iter(way_back(kept))) == kept.current


def test_pools_follow_the_configuration_and_keep_what_was_released() -> None:
    first = settle_pools(None, found("w1"), "w1", "c.toml")
    assert (first.current.text, first.written) == ("w1", "w1")
    out = put(first, found("w2", 4), in_file=None)
    assert (out.current.release, out.undone, out.written) == (4, (), "w1")
    same = settle_pools(out, found("w2"), "w1", "c.toml")
    assert same.current.release == 4
    edited = settle_pools(same, found("w3"), "w1b", "c.toml")
    assert (edited.current.text, edited.current.before, edited.written) == ("w3", 2, "w1b")


def test_of_damaged_texts_the_nearest_whole_one_is_kept() -> None:
    kept = released(released(in_file("one"), "two", 2), "three", 3)
    raw = msgspec.json.encode(kept)
    assert salvage(raw, KeptRules) == kept
    spoilt = salvage(raw.replace(b'"text":"three"', b'"text":"thr0e"'), KeptRules)
    assert spoilt is not None
    assert (spoilt.current.text, spoilt.current.release) == ("two", 2)
    assert in_file("one", spoilt).current.text == "two", "what was undone stays undone"
    nothing = raw
    for text in (b"one", b"two", b"three"):
        nothing = nothing.replace(b'"text":"%s"' % text, b'"text":"?"')
    assert salvage(nothing, KeptRules) is None
    assert salvage(b"{", KeptRules) is None
    pools = settle_pools(None, found("w1"), "w1", "c.toml")
    assert salvage(msgspec.json.encode(pools), KeptPools) == pools


@pytest.mark.parametrize(
    ("by", "release", "said"),
    [
        ("asha", 12, "f still holds other weights than release 12, which runs"),
        ("undo: asha", 0, "f still holds what was undone"),
        ("undo: asha on two", 0, "f still holds what was undone"),
        (
            "changed file on two",
            0,
            "f holds other weights than all nodes run, which came by a changed file on two",
        ),
    ],
)
def test_why_a_file_does_not_run_is_said_as_it_is(by: str, release: int, said: str) -> None:
    assert overruled_text("f", by, release, "weights") == said


def test_a_candidate_is_whole_by_its_hash() -> None:
    assert Candidate(3, hash_of("x"), "x").whole
    assert not Candidate(3, hash_of("x"), "y").whole


def test_what_an_older_version_kept_is_read() -> None:
    entry = {"number": 1, "hash": hash_of("one"), "at": AT, "by": "start", "text": "one"}
    old = {"file": "f", "running": 1, "history": [entry], "undone": [], "format": 1}
    kept = msgspec.json.decode(msgspec.json.encode(old), type=KeptRules)
    assert (kept.current.release, kept.aside) == (0, False)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({**old, "running": 2}), type=KeptRules)


def test_a_history_ends_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_text, "MOST_KEPT", 3)
    kept = in_file("0")
    for number in range(1, 10):
        kept = released(kept, str(number), number)
    assert [each.text for each in kept.history] == ["7", "8", "9"]

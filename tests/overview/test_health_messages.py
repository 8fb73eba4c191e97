"""What the sentences of /healthz mean: every one of the handbook has a meaning of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from switchhook.overview.health_checks import (
    DISK,
    EXOTEL,
    FILES,
    FOLD,
    JOURNAL,
    KEEPING,
    LEDGER,
    LET_IN,
    OF_ANSWER,
    OF_CONSOLE,
    OTHER,
    OWN_FILES,
    RELEASES,
    STORE,
)
from switchhook.overview.health_messages import meaning_of

HANDBOOK = (Path(__file__).parents[2] / "docs/operations.md").read_text()
SECTIONS = (
    "### Messages about the ledger",
    "### Messages about files",
    "### Messages of the answer side",
    "### Messages of the console",
)


def messages():
    """Those of /healthz, as the handbook's tables have them."""
    for title in SECTIONS:
        section = HANDBOOK.partition(title)[2].partition("\n### ")[0]
        told = section.partition("Only in the log")[0]
        for cell in re.findall(r"^\| (`.*?`)[^|]* \|", told, re.MULTILINE):
            text = cell.strip("`").partition("`")[0]
            if not text.startswith("receipt "):
                yield text


@pytest.mark.parametrize("text", list(messages()))
def test_every_message_of_the_handbook_has_a_meaning(text):
    found = meaning_of(text)
    assert found.check is not OTHER
    assert found.check in {*OF_ANSWER, *OF_CONSOLE}
    assert found.todo


def test_the_handbook_has_them():
    assert len(list(messages())) > 35


@pytest.mark.parametrize(
    ("sentence", "check"),
    [
        ("endpoint a refused what looks like passthrus (secret wrong): is the URL", LET_IN),
        ("receipts wait for the disk; callers don't", DISK),
        ("journal: records can't be written and wait in memory (segment 1): full", DISK),
        ("journal: the journal nears its ceiling, with 9 bytes", JOURNAL),
        ("rules of endpoint a: /x.toml: not TOML: bad; those of 2026 (1) go on running", FILES),
        (
            'rules of endpoint a: /x.toml:3: rule "r": x is never 1; it runs all the same, and',
            FILES,
        ),
        ("rules of endpoint a: release 4 can't run here: /a.toml: not TOML: bad", RELEASES),
        ("rules of endpoint a can't be kept in the data folder: full", OWN_FILES),
        ("account Acme: 127.0.0.1: the connection was refused", EXOTEL),
        ("3 records could not be folded: see /api/v1/status", FOLD),
        ("the store /d/store.sqlite can't be used: disk full", STORE),
        ("ledger /d/ledger.sqlite: it is damaged (restore it)", LEDGER),
        ("keeping stands still and tries again: disk full", KEEPING),
        ("record 3 of the journal is damaged: journal/a.sqlite is damaged there", JOURNAL),
        ("something nobody has thought of", OTHER),
    ],
)
def test_a_sentence_belongs_to_its_check(sentence, check):
    assert meaning_of(sentence).check is check


def test_what_nobody_has_any_more_is_not_to_be_restored():
    said = "record 3 of the journal is damaged, and 1 more like it: records 1 to 2 are missing: no"
    assert meaning_of(said).todo.startswith("Nothing brings them back")

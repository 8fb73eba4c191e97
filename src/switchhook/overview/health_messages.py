"""What the sentences of `/healthz` mean, and what to do: docs/operations.md in short.

Whatever has no line here is shown all the same, under `OTHER`.
"""

from __future__ import annotations

import re

from switchhook.overview.health_checks import (
    CLOCK,
    DISK,
    EXOTEL,
    FILES,
    FOLD,
    JOURNAL,
    KEEPING,
    LEDGER,
    LET_IN,
    OTHER,
    OWN_FILES,
    RELEASES,
    STORE,
    Meaning,
)
from switchhook.overview.node_messages import NODE_MESSAGES

_RELOAD = "Reload it: systemctl reload switchhook"
_BACK = "get it back from a backup"
_MESSAGES: tuple[tuple[str, Meaning], ...] = (
    (
        r"endpoint .* refused what looks like passthrus \(not loopback\)",
        Meaning(
            LET_IN,
            "The endpoint is open, and a tunnel or proxy leads to it.",
            "Give it a secret: switchhook secret NAME.",
        ),
    ),
    (
        r"endpoint .* refused what looks like passthrus",
        Meaning(
            LET_IN,
            "An applet has an old, cut or mistyped URL, or a stranger tries.",
            "Look at the refused requests; if they are yours, mend the applet: its callers all"
            " take Option B meanwhile. The sentence goes an hour after the last.",
        ),
    ),
    (
        r"receipts wait for the disk",
        Meaning(
            DISK,
            "The disk is slow, full or failing. Answering goes on.",
            "Make room or mend the disk. Don't restart: it would lose what waits in memory.",
        ),
    ),
    *NODE_MESSAGES,
    (
        r"the data folder .* was moved or removed",
        Meaning(
            OWN_FILES,
            "Somebody moved it, or its disk was unmounted.",
            "Bring it back to its place. Receipts go to where it is now.",
        ),
    ),
    (
        r"journal: records can't be written",
        Meaning(
            DISK,
            "The disk is full, read-only or failing.",
            "Make room or mend the disk. Don't restart: it would lose what waits in memory.",
        ),
    ),
    (
        r"journal: records are lost|journal: .* still in memory at the end",
        Meaning(
            DISK,
            "The disk failed for too long. The answers left all the same.",
            "Mend the disk. How many receipts are gone is in the journal.",
        ),
    ),
    (
        r"journal: .* behind a damaged place",
        Meaning(
            JOURNAL,
            "A byte of a log changed while nothing ran.",
            "Restore that segment from a backup, then: switchhook rebuild.",
        ),
    ),
    (
        r"journal: the journal nears its ceiling",
        Meaning(JOURNAL, "It has 80 % of what it may take.", "Make room in the next days."),
    ),
    (
        r"journal: the journal has reached its ceiling",
        Meaning(JOURNAL, "It may take no more.", "Make room now. Don't restart."),
    ),
    (
        r"journal: a record was refused by the database",
        Meaning(
            JOURNAL,
            "A receipt that SQLite does not take: a bug. Others are not affected.",
            "Keep the file that it names, and report it.",
        ),
    ),
    (
        r"journal: a segment was abandoned",
        Meaning(
            JOURNAL,
            "The disk can't be trusted.",
            "Look into the system's log for disk errors and replace the disk; keep the segment.",
        ),
    ),
    (
        r"journal: a segment could not be looked after",
        Meaning(
            JOURNAL,
            "Sealing or tidying failed.",
            "Look at the disk; it is tried again with the next segment.",
        ),
    ),
    (r"journal: ", Meaning(JOURNAL, "", "Look at the log and at the disk.")),
    (
        r"record .* of the journal is damaged.*: records .* are missing",
        Meaning(
            JOURNAL,
            "The database was restored to a time before the oldest segment of that node.",
            "Nothing brings them back; a longer cluster.recovery_window_h would have.",
        ),
    ),
    (
        r"record .* of the journal is damaged",
        Meaning(
            JOURNAL,
            "A byte of a segment changed, or a part of it can't be read. All else is shown.",
            "Restore that file from a backup, then: switchhook rebuild.",
        ),
    ),
    (
        r"configuration: .* was cut short",
        Meaning(
            FILES,
            "The file lost its end, or the last lines were removed on purpose.",
            "Restore it; if it is meant so, add a comment line at the end.",
        ),
    ),
    (
        r"configuration: .* changed; that takes a restart",
        Meaning(
            FILES,
            "A key changed that is not taken over while running.",
            f"{_RELOAD} for limits and [journal]; restart for addresses, data and [cluster].",
        ),
    ),
    (
        r"rules of endpoint .* still holds what was undone",
        Meaning(FILES, "The rules were undone.", "Change the file: it is taken over at once."),
    ),
    (
        r"(rules of endpoint|pools).* holds other (rules|weights) than all nodes run",
        Meaning(
            RELEASES,
            "Another node's file, or an edit of it there, was put in place of what this one holds.",
            "Put the same file on every node: switchhook rules show says what runs.",
        ),
    ),
    (
        r"rules of endpoint .*release .* can't run here",
        Meaning(
            RELEASES,
            "A newer version released it, and this one can't run it. The rules before it run.",
            "Run the newer version.",
        ),
    ),
    (
        r"the candidate of .* decides for nobody",
        Meaning(
            RELEASES,
            "Its file is damaged, or this version can't load it. What runs decides for all.",
            "Look at the disk, and begin its canary again: switchhook release canary.",
        ),
    ),
    (
        r"the console watched the canary",
        Meaning(
            RELEASES,
            "No canary goes on unwatched for more than five minutes. What runs decides for all.",
            "Start the console, or see why its fold is behind.",
        ),
    ),
    (
        r"rules of endpoint .*; it runs all the same",
        Meaning(
            FILES,
            "A rule can't be what was meant: it is never true, or always. The file runs.",
            "switchhook check, with the file's name, says what to write instead.",
        ),
    ),
    (
        r"changed files are no longer taken over",
        Meaning(FILES, "A bug.", f"{_RELOAD}, and report it with the log's traceback."),
    ),
    (
        r"(configuration|rules of endpoint) .*can't be (kept|read) in the data folder",
        Meaning(
            OWN_FILES,
            "The disk is full, or the folder belongs to somebody else.",
            "Mend it; it is tried again every 2 s. Until then a restart can't fall back on it.",
        ),
    ),
    (
        r".*(kept of (it|a file)|history was damaged|identity\.json was damaged)",
        Meaning(
            OWN_FILES,
            "A disk error. It was kept anew, or is done without.",
            "Look at the disk; the message ends when the file that it names is removed.",
        ),
    ),
    (
        r"the list of erasures",
        Meaning(
            OWN_FILES,
            "A disk error, or it was edited. Until it is back nobody can be erased.",
            f"Take it from beside the newest backup, or {_BACK}.",
        ),
    ),
    (
        r"configuration: |rules of endpoint ",
        Meaning(
            FILES,
            "The file does not check out, so what ran before goes on running.",
            "Mend it: it is taken over at once, and switchhook check says whether it can be.",
        ),
    ),
    (
        r"the system's clock",
        Meaning(
            CLOCK,
            "Somebody or NTP set the clock. Ages, deadlines and order go by a steady one.",
            "Look at time synchronisation (timedatectl), above all before a restart.",
        ),
    ),
    (
        r"retention waits: the clock",
        Meaning(
            KEEPING,
            "The clock is wrong, or the machine was off for long.",
            "Set the clock right. If it is right: wait, it goes on by itself after a week.",
        ),
    ),
    (
        r"keeping stands still",
        Meaning(
            KEEPING,
            "Retention or an erasure meets a segment that it can't read or write.",
            "As the reason says; it is tried again by itself.",
        ),
    ),
    (
        r"the newest backup holds damage",
        Meaning(
            KEEPING,
            "A byte of a file changed; the backup found it.",
            "Restore that file from an older backup, rebuild, and make another backup.",
        ),
    ),
    (
        r".* could not be folded",
        Meaning(
            FOLD,
            "Receipts that the fold can't read: a bug.",
            "The quarantine in /api/v1/status has the reasons; report it.",
        ),
    ),
    (
        r"the fold does not run",
        Meaning(FOLD, "Its thread ended: a bug.", f"{_RELOAD}. Callers don't notice."),
    ),
    (
        r"the fold st",
        Meaning(
            FOLD,
            "The disk is full, or the store or a segment is damaged.",
            "As the reason says; it is tried again by itself. Callers don't notice.",
        ),
    ),
    (
        r"the store .* is made again",
        Meaning(
            STORE,
            "It was removed, or damaged.",
            "Nothing; streams older than the journal went with it.",
        ),
    ),
    (
        r".*\bledger\b",
        Meaning(
            LEDGER,
            "The disk is full or failing, or its file is gone, older or another's.",
            f"As the reason says, or {_BACK}: switchhook restore BACKUP --ledger-only.",
        ),
    ),
    (
        r".*\bstore\b|.* can't be used",
        Meaning(
            STORE,
            "The disk is full or failing, or a file is gone or not Switchhook's.",
            "As the reason says; it is tried again by itself.",
        ),
    ),
    (
        r"account |.*Exotel",
        Meaning(
            EXOTEL,
            "How many streams are left, or what became of calls, is not known meanwhile.",
            "Check the account's key and token, and whether its API is reached from here.",
        ),
    ),
)
_KNOWN = [(re.compile(pattern), meaning) for pattern, meaning in _MESSAGES]


def meaning_of(sentence: str) -> Meaning:
    """What a sentence means; the first line that fits."""
    return next((each for known, each in _KNOWN if known.match(sentence)), Meaning(OTHER))

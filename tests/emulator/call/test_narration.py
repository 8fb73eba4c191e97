"""The story of a call: every entry has words, and none of them commands a terminal."""

from __future__ import annotations

import ast
from pathlib import Path

from switchhook.emulator.call import narration

EMULATOR = Path(narration.__file__).parents[1]
SILENT = {"sent", "received", "media"}
"""Entries for machines."""


def noted():
    for module in EMULATOR.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute | ast.Name)
                and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id)
                == "note"
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                yield node.args[0].value


def test_every_entry_has_words_or_is_silent_on_purpose():
    kinds = set(noted())
    assert len(kinds) > 25
    assert kinds - SILENT == narration._WORDS.keys()


def test_what_others_sent_cannot_command_a_terminal():
    entry = {"t": 0.0, "what": "warning", "text": "a\x1b[2Jb\u202ec"}
    assert narration.tell(entry) == "warning: a\ufffd[2Jb\ufffdc"
    assert narration.tell({"t": 0.0, "what": "sent", "text": "x"}) is None

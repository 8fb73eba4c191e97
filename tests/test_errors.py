"""Every error says in one sentence what is wrong, where, and how to mend it."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import switchhook
from source_trees import tree_of
from switchhook import errors
from switchhook.config.values import ConfigProblems
from switchhook.errors import (
    BackupError,
    ConfigError,
    DataFolderError,
    FlagError,
    HandError,
    JournalError,
    LedgerError,
    PromiseError,
    ReleaseError,
    RuleError,
    SwitchhookError,
    TrialError,
)
from switchhook.exotel.phone_numbers import holds_number
from switchhook.rules.rules_file import RulesetError

SOURCE = Path(errors.__file__).parent


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigError("not a port: 99999"), "not a port: 99999"),
        (ConfigError("it can't be read", file="s.toml"), "s.toml: it can't be read"),
        (ConfigError("unknown key", key="answr"), "answr: unknown key"),
        (
            ConfigError("unknown key", file="s.toml", key="answr", hint="did you mean answer?"),
            "s.toml: answr: unknown key (did you mean answer?)",
        ),
        (RuleError("no default", file="r.toml"), "r.toml: no default"),
        (
            RuleError("unknown name", file="r.toml", rule="vip", hint="did you mean call?"),
            'r.toml: rule "vip": unknown name (did you mean call?)',
        ),
        (
            RuleError("unknown name", file="r.toml", rule="vip", column=7),
            'r.toml: rule "vip", column 7: unknown name',
        ),
        (
            RuleError("unknown name", file="r.toml", rule="vip", line=2, column=7),
            'r.toml: rule "vip", line 2, column 7: unknown name',
        ),
        (
            RuleError("unknown name", file="r.toml", rule="vip", line=2, column=7, at=12),
            'r.toml:12: rule "vip", column 7: unknown name',
        ),
        # Without a rule its column means nothing.
        (RuleError("not TOML", file="r.toml", column=7), "r.toml: not TOML"),
        (
            RulesetError((RuleError("a", file="r"), RuleError("b", file="r")), file="r"),
            "r: a\nr: b",
        ),
        (ConfigProblems((ConfigError("a"), RuleError("b", file="r"))), "a\nr: b"),
        (
            DataFolderError("/data", "it is held by serve", "stop that one"),
            "data folder /data: it is held by serve (stop that one)",
        ),
        (
            JournalError("000001.db", "is damaged", "restore it from a backup"),
            "journal segment 000001.db: is damaged (restore it from a backup)",
        ),
        (
            LedgerError("l.sqlite", "it is damaged", "restore it from a backup"),
            "ledger l.sqlite: it is damaged (restore it from a backup)",
        ),
        (
            BackupError("b.tar.gz", "is cut short", "take another one"),
            "backup b.tar.gz: is cut short (take another one)",
        ),
        (
            FlagError("no flag is sale", "did you mean sales?"),
            "no flag is sale (did you mean sales?)",
        ),
        (
            HandError("no pool is sal", "did you mean sales?"),
            "no pool is sal (did you mean sales?)",
        ),
        (
            PromiseError("that number is on the do-not-call list", "take it off first"),
            "that number is on the do-not-call list (take it off first)",
        ),
        (
            TrialError("the server did not start", "its log is in /tmp/x/server.log"),
            "the server did not start (its log is in /tmp/x/server.log)",
        ),
        (
            ReleaseError("release 3 is frozen", "release its text anew"),
            "release 3 is frozen (release its text anew)",
        ),
    ],
)
def test_what_an_error_says(error, said):
    assert str(error) == said
    assert isinstance(error, SwitchhookError)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (
            ConfigError("p", file="f", key="k", hint="h"),
            {"problem": "p", "file": "f", "key": "k", "hint": "h"},
        ),
        (
            RuleError("p", file="f", rule="r", line=2, column=3, hint="h"),
            {"problem": "p", "file": "f", "rule": "r", "line": 2, "column": 3, "hint": "h"},
        ),
        (DataFolderError("d", "p", "h"), {"folder": "d", "problem": "p", "hint": "h"}),
        (JournalError("s", "p", "h"), {"segment": "s", "problem": "p", "hint": "h"}),
        (LedgerError("f", "p", "h"), {"file": "f", "problem": "p", "hint": "h"}),
        (BackupError("f", "p", "h"), {"file": "f", "problem": "p", "hint": "h"}),
    ],
)
def test_an_error_stores_its_facts(error, facts):
    """For those who show them otherwise than as a sentence."""
    assert {name: getattr(error, name) for name in facts} == facts


def drawn() -> Iterator[tuple[str, str]]:
    """Class and base, as the module's docstring draws them."""
    above: list[str] = ["Exception"]
    for line in inspect.getdoc(errors).splitlines():
        found = re.match(r"([│├└─ ]*)([A-Z]\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            del above[depth + 1 :]
            yield found[2], above[-1]
            above.append(found[2])


def everyone(base: type) -> Iterator[type]:
    for below in base.__subclasses__():
        yield below
        yield from everyone(below)


def test_the_tree_is_as_drawn():
    classes = {
        name: kind.__base__.__name__
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    }
    assert dict(drawn()) == classes


def test_every_branch_hangs_on_the_tree():
    """Whoever catches what the tree draws, catches all; those that hold several are of one kind."""
    for module in pkgutil.walk_packages(switchhook.__path__, "switchhook."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    tree = {kind for kind in vars(errors).values() if inspect.isclass(kind)}
    for kind in everyone(SwitchhookError):
        assert {*kind.__mro__[:3]} & tree, kind


# The sentences, where they are written.

KINDS = (ConfigError, RuleError, DataFolderError, JournalError, LedgerError, BackupError)
NAMES = {kind.__name__ for kind in KINDS}
WRITTEN = {"problem", "hint"}


def text_of(node: ast.AST) -> str | None:
    """A literal text, with {} for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(text_of(value) or "{}" for value in values)
        case ast.IfExp(body=body):
            return text_of(body)
    return None


def sentences() -> Iterator[tuple[str, str]]:
    """Where and what: each problem and hint that is given to an error, or prepared for one."""
    for module in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(tree_of(module)):
            nodes: list[ast.AST] = []
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in NAMES:
                    nodes = [*node.args, *(word.value for word in node.keywords)]
                case ast.Assign(targets=[ast.Name(id=name)]) if name in WRITTEN:
                    nodes = [node.value]
            for each in nodes:
                text = text_of(each)
                if text:
                    yield f"{module.name}: {text}", text


def test_a_sentence_is_lower_case_without_a_full_stop():
    """They are joined: `where: problem (hint)`."""
    found = dict(sentences())
    assert len(found) > 80
    assert [
        where for where, said in found.items() if not is_lower_case_without_a_full_stop(said)
    ] == []


def is_lower_case_without_a_full_stop(said: str) -> bool:
    first = said.split(maxsplit=1)[0]
    capital = first[:1].isalpha() and first[:1].isupper() and not first.isupper()
    return not capital and not said.endswith((".", "!", "\n")) and said == said.strip()


@pytest.mark.parametrize(
    ("said", "so"),
    [
        ("can't be read", True),
        ("SQLITE is old", True),
        ("Nothing is there", False),
        ("it is gone.", False),
        ("it is gone!", False),
        ("it is gone ", False),
        ("it is gone\n", False),
    ],
)
def test_a_sentence_in_another_form_is_noticed(said, so):
    assert is_lower_case_without_a_full_stop(said) == so


UNUSABLE = {"DataFolderError", "JournalError", "LedgerError", "BackupError"}


def test_who_says_that_a_folder_or_segment_is_unusable_says_how_to_mend_it():
    for module in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(tree_of(module)):
            match node:
                case ast.Call(func=ast.Name(id=name), args=args) if name in UNUSABLE:
                    assert len(args) == 3, (module, node.lineno)
                    assert text_of(args[2]) != "", (module, node.lineno)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("it is full", "It is full."),
        ("is it full?", "Is it full?"),
        ("It is.", "It is."),
        ("", ""),
    ],
)
def test_a_sentence_has_one_end(text, said):
    assert errors.sentence(text) == said


def test_what_we_give_as_an_example_is_not_masked():
    """A hint that the log and the API hide from those who need it helps nobody."""
    examples = [
        (file.name, each.value)
        for file in sorted(SOURCE.rglob("*.py"))
        for each in ast.walk(tree_of(file))
        if isinstance(each, ast.Constant)
        and isinstance(each.value, str)
        and each.value.lstrip().startswith(("such as ", "one of ", "a day of "))
    ]
    assert len(examples) > 50
    assert [each for each in examples if holds_number(each[1])] == []

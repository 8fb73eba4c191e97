"""The JSON Schemas of our files: what the page says, and what the reader takes and refuses."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from switchhook.config import ConfigProblems, load_config
from switchhook.config.rules_terms import kinds_of
from switchhook.config.starter import StarterAnswers, starter_files

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads(
    files("switchhook").joinpath("config/switchhook.schema.json").read_text()
)
RULES = json.loads(files("switchhook").joinpath("rules/rules.schema.json").read_text())
GOOD = "a-good-secret-of-24-chars"
NAME = {"exophones": "+918047112233"}
"""What the operator's own name is below a table; else it is `name`."""


def fits(document: Any, schema: Any = SCHEMA) -> bool:
    return bool(jsonschema_rs.validator_for(schema).is_valid(document))


def keys(
    schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key with its own schema; a table in a list is `0`."""
    for name, below in schema["properties"].items():
        here = (*path, name)
        tables = [(here, below), ((*here, "0"), below.get("items", {}))]
        tables.append(((*here, NAME.get(name, "name")), below.get("additionalProperties")))
        found = [(at, each) for at, each in tables if each and "properties" in each]
        for at, each in found:
            yield from keys(each, at)
        if not found:
            yield here, below


KEYS = dict(keys(SCHEMA))


def nested(path: tuple[str, ...], value: Any) -> Any:
    for name in reversed(path):
        value = [value] if name == "0" else {name: value}
    return value


def toml(value: Any) -> str:
    """A value of the kinds that a configuration has, as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def refused(path: tuple[str, ...], value: Any) -> bool:
    """Whether the reader refuses a value under a key for what it is by itself."""
    text = "".join(f"{key} = {toml(each)}\n" for key, each in nested(path, value).items())
    try:
        load_config(text, file="f", environ={}, read_file=lambda path: GOOD.encode())
    except ConfigProblems as error:
        said = ".".join(path)
        names = {each.key.replace("'", "").replace(" 1", ".0") for each in error.problems}
        kinds = ("not a", "no such", "out of bounds", "neither true", "no table")
        return any(
            each.key and said.startswith(tuple(names)) and any(k in each.problem for k in kinds)
            for each in error.problems
        )
    return False


def test_the_file_is_what_the_page_says():
    spec = importlib.util.spec_from_file_location("schema", ROOT / "scripts/config_schema.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    made = script.text(page)
    assert made == script.FILE.read_text(encoding="utf-8"), "run scripts/config_schema.py"
    with pytest.raises(ValueError, match="no kind of value begins like this: 'Mood'"):
        script.text(page + "\n### `mood`\n\nMood, default `1`: bad.\n")


@pytest.mark.parametrize(
    "block",
    re.findall(r"```toml\n(.*?)```", (ROOT / "docs/configuration.md").read_text(), re.DOTALL),
)
def test_examples_of_the_page_fit(block):
    assert fits(tomllib.loads(block))


def test_what_init_writes_fits():
    answers = StarterAnswers(sid="a", key="k", token="t", leads_a="x", alerts_to="json://h/x")
    config, rules, *_ = starter_files(answers, GOOD)
    assert fits(tomllib.loads(config.text))
    assert fits(tomllib.loads(rules.text), RULES)


@pytest.mark.parametrize("path", KEYS, ids=".".join)
def test_a_value_of_the_wrong_kind_is_refused_by_both(path):
    known = KEYS[path]
    if path == (
        "flags",
        "name",
        "default",
    ):  # another key says its kind: tests/config/test_flags.py
        return
    wrong = 1 if known.get("type") in ("string", "array", "object", "boolean") else "wrong"
    if "enum" in known:
        wrong = "no such word"
    assert not fits(nested(path, wrong))
    assert refused(path, wrong)


@pytest.mark.parametrize(
    "path", [path for path, known in KEYS.items() if "minimum" in known], ids=".".join
)
def test_bounds_are_the_readers(path):
    known = KEYS[path]
    for value in (known["minimum"], known["maximum"]):
        assert fits(nested(path, value))
        assert not refused(path, value)
    for value in (known["minimum"] - 1, known["maximum"] + 1):
        assert not fits(nested(path, value))
        assert refused(path, value)


@pytest.mark.parametrize(
    "path", [path for path, known in KEYS.items() if "enum" in known], ids=".".join
)
def test_words_are_the_readers(path):
    for word in KEYS[path]["enum"]:
        assert fits(nested(path, word))
        assert not refused(path, word)


def test_an_unknown_key_is_refused():
    assert not fits({"mood": 1})
    assert not fits({"endpoints": {"sales": {"mood": 1}}})
    assert not fits({"alerts": {"rule": [{"mood": 1}]}})


@pytest.mark.parametrize(
    "text",
    [
        '[default]\noption = "A"\n',
        '[[rule]]\nname = "a"\nwhen = "true"\noption = "B"\n[default]\noption = "A"\n',
        '[[rule]]\nname = "a"\nwhen = "true"\noption = "B"\n',
        '[[rule]]\nname = "a"\nwhen = "true"\n[default]\noption = "A"\n',
        '[[rule]]\nname = "a"\nwhen = "true"\noption = "C"\n[default]\noption = "A"\n',
        '[[rule]]\nname = ""\nwhen = "true"\noption = "B"\n[default]\noption = "A"\n',
        '[[rule]]\nwhen = "true"\noption = "B"\n[default]\noption = "A"\n',
        f'[[rule]]\nname = "{"a" * 101}"\nwhen = "true"\noption = "B"\n[default]\noption = "A"\n',
        '[[rule]]\nname = "a"\nwhen = "true"\noption = "B"\nmood = 1\n[default]\noption = "A"\n',
        '[default]\noption = "A"\nmood = 1\n',
        '[default]\noption = "A"\nselect = "people"\n',
        '[default]\noption = "A"\nselect = "two words"\n',
        '[default]\noption = "B"\nselect = "people"\n',
        '[default]\noption = "A"\nselect = "people"\nclass = "vip"\n',
        '[default]\noption = "A"\npromise = true\n',
        '[default]\noption = "B"\npromise = true\nreason = "no room"\nclass = "vip"\n',
        '[default]\noption = "B"\npromise = false\n',
        '[default]\noption = "B"\npromise = false\nreason = "no room"\n',
        '[default]\noption = "B"\nreason = "no room"\n',
        '[default]\noption = "B"\npromise = true\nreason = " "\n',
        f'[default]\noption = "B"\npromise = true\nreason = "{"a" * 101}"\n',
        '[default]\noption = "B"\npromise = true\nreason = 1\n',
        '[default]\noption = "B"\npromise = "yes"\n',
        '[default]\noption = "B"\npromise = true\nclass = "V"\n',
        "[default]\npromise = true\n",
        '[[rule]]\nname="a"\nwhen="true"\noption="B"\npromise=true\n[default]\noption = "A"\n',
        '[[rule]]\nname="a"\nwhen="true"\noption="B"\nreason="x"\n[default]\noption = "A"\n',
        '[default]\npool = "sales"\n',
        '[default]\npool = ""\n',
        '[default]\npool = "sales"\noption = "A"\n',
        '[[rule]]\nname = "a"\nwhen = "true"\npool = "b"\n[default]\npool = "a"\n',
        '[[rule]]\nname = "a"\nwhen = "true"\npool = "b"\n[default]\noption = "A"\n',
        "[default]\n",
        '[default]\nclass = "vip"\n',
        '[default]\nclass = "V"\n',
        '[default]\noption = "B"\nclass = "vip"\n',
    ],
)
def test_rules_files_fit_as_the_reader_takes_them(text):
    """For an endpoint of one kind at least."""
    assert fits(tomllib.loads(text), RULES) is bool(kinds_of(text))

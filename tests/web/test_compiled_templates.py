"""A template is compiled once; nothing that was kept of it outlives what it was made of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader
from jinja2.defaults import DEFAULT_FILTERS

from switchhook.web.compiled_templates import CompiledTemplates, at_run_time
from switchhook.web.render import Renderer


@pytest.fixture(autouse=True)
def _kept(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


@pytest.fixture
def templates(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "a.html").write_text("{{ 'a' | loud }}")
    return folder


class Counting(Environment):
    """Says how often it compiled."""

    compiled = 0

    def _compile(self, source, filename):
        self.compiled += 1
        return super()._compile(source, filename)


def rendered(templates: Path, *, variant: str = "v", loud=str.upper) -> tuple[str, int]:
    """What `a.html` says, and how often something was compiled for it."""
    environment = Counting(
        loader=FileSystemLoader(templates), bytecode_cache=CompiledTemplates(variant)
    )
    environment.filters["loud"] = at_run_time(loud)
    return environment.get_template("a.html").render(), environment.compiled


def kept(templates: Path) -> list[Path]:
    return sorted((templates.parent / "__pycache__").iterdir())


def test_the_second_console_compiles_nothing(templates):
    assert rendered(templates) == ("A", 1)
    assert rendered(templates) == ("A", 0)
    assert len(kept(templates)) == 1


def test_another_source_is_compiled_anew(templates):
    rendered(templates)
    (templates / "a.html").write_text("{{ 'b' | loud }}")
    assert rendered(templates) == ("B", 1)
    assert rendered(templates) == ("B", 0)


def test_another_variant_has_its_own(templates):
    rendered(templates)
    assert rendered(templates, variant="w") == ("A", 1)
    assert len(kept(templates)) == 2


def test_another_jinja_takes_nothing_of_this_one(templates, monkeypatch):
    rendered(templates)
    monkeypatch.setattr("jinja2.__version__", "9.9")
    assert rendered(templates) == ("A", 1)


def test_what_a_filter_made_is_not_kept(templates):
    """Jinja calls plain filters on constants while it compiles; another release has others."""
    rendered(templates)
    assert rendered(templates, loud=lambda text: text * 3) == ("aaa", 0)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_what_is_damaged_is_made_again(templates, damage):
    rendered(templates)
    (file,) = kept(templates)
    whole = file.read_bytes()
    middle = len(whole) // 2
    file.write_bytes(
        {
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "empty": b"",
        }[damage]
    )
    assert rendered(templates) == ("A", 1)
    assert file.read_bytes()[:32] == whole[:32]


def test_where_nothing_can_be_written_everybody_compiles(templates):
    (templates.parent / "__pycache__").touch()
    assert rendered(templates) == ("A", 1)
    assert rendered(templates) == ("A", 1)


def test_where_python_writes_none_nor_do_we(templates, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(templates) == ("A", 1)
    assert not (templates.parent / "__pycache__").exists()


def test_nothing_of_ours_is_called_while_a_page_is_compiled():
    """What is kept of our own pages is made of their sources alone."""
    late = vars(at_run_time(len))["jinja_pass_arg"]
    for environment in Renderer()._environments.values():
        ours = [environment.filters[each] for each in environment.filters.keys() - DEFAULT_FILTERS]
        assert len(ours) == 6
        if environment.finalize is not None:
            ours.append(environment.finalize)
        assert {vars(each).get("jinja_pass_arg") for each in ours} == {late}

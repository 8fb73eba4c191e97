"""The documentation as a site: all of it, in its order, whole, and with nothing of another host."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
INDEX = (DOCS / "README.md").read_text()


def _load():
    spec = importlib.util.spec_from_file_location("site_of_docs", ROOT / "scripts/site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site = _load()


def pages_of(nav) -> list[str]:
    found: list[str] = []
    for each in nav:
        for to in each.values():
            found += pages_of(to) if isinstance(to, list) else [to]
    return found


def test_every_page_is_in_the_navigation_once():
    told = pages_of(site.nav_of(INDEX))
    there = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert sorted(told) == sorted(there)


def test_the_navigation_is_in_an_order_for_a_newcomer():
    """See it, install it, set it up, try it, deploy it, run it; how it is made comes last."""
    nav = site.nav_of(INDEX)
    told = pages_of(nav)
    way = ["README.md", "tour.md", "install.md", "exotel-flow.md", "rules.md", "emulator.md"]
    way += ["deploy/systemd.md", "console.md", "how-it-works.md", "architecture.md"]
    assert [told.index(page) for page in way] == sorted(told.index(page) for page in way)
    assert told[:3] == way[:3]
    assert list(nav[1]) == ["Begin"]
    assert list(nav[-1]) == ["Understand it"]


def test_links_that_leave_the_pages_lead_to_the_repository():
    page = Path("docs/deploy/x.md")
    text = "[a](../../deploy/nginx.conf#l1) [b](nginx.md#x) [c](https://example.com/../y) [d](#z)\n"
    said = site.outward(text, page, ROOT)
    assert "[a](https://github.com/switchhook/switchhook/blob/main/deploy/nginx.conf#l1)" in said
    assert said.endswith("[b](nginx.md#x) [c](https://example.com/../y) [d](#z)\n")
    fence = "```toml\n[x](../../README.md)\n```\n"
    assert site.outward(f"{fence}\n[x](../../README.md)\n", page, ROOT).startswith(fence)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return site.make(ROOT, tmp_path_factory.mktemp("site"))


@pytest.mark.slow
@pytest.mark.process
def test_the_site_is_whole(made):
    """`make` ends where a link leads nowhere; what it made has every page, and the search."""
    for page in pages_of(site.nav_of(INDEX)):
        name = page.replace("README.md", "index.md").replace(".md", ".html")
        text = (made / name).read_text()
        assert "<nav" in text
        assert "tour.html" in text  # of the navigation, which is on every page
    assert (made / "search.json").is_file()


@pytest.mark.slow
@pytest.mark.process
def test_nothing_is_loaded_from_another_host(made):
    """Neither by tags nor by styles; scripts are looked at for what they fetch by themselves."""
    assert site.look(made) == []
    for page in made.rglob("*.html"):
        assert not re.search(r"fonts\.(googleapis|gstatic)|unpkg|jsdelivr|cdn", page.read_text())


def copy(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "docs").mkdir(parents=True)
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "docs/README.md").write_text("# Docs\n\n## Begin\n\n- [One](one.md): it.\n")
    (root / "docs/one.md").write_text("# One\n\n## Part\n\n[there](README.md#begin)\n")
    return root


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x](two.md)", "page does not exist"),
        ("[x](README.md#end)", "anchor does not exist"),
        ("![x](images/none.png)", "images/none.png"),
        ('<img src="https://example.com/x.png" alt="x">', "another host"),
    ],
)
def test_a_broken_page_ends_it(tmp_path, capsys, text, said):
    root = copy(tmp_path)
    assert site.main(root) == 0
    (root / "docs/one.md").write_text(f"# One\n\n## Part\n\n{text}\n")
    assert site.main(root) == 1
    assert said in capsys.readouterr().err


def test_every_picture_is_taken_by_the_script_and_shown():
    taken = set(re.findall(r'shoot\(page, "([^"]+)"\)', (ROOT / "scripts/pictures.py").read_text()))
    there = {path.stem for path in (DOCS / "images").glob("*.png")}
    shown: set[str] = set()
    for page in DOCS.rglob("*.md"):
        shown |= set(re.findall(r"[(\"](?:\.\./)*images/([\w-]+)\.png[)\"]", page.read_text()))
    assert taken == there == shown

"""Make the documentation a site: `make docs` writes it to build/docs/site, to be opened or served.

The pages are those of docs/, as GitHub shows them, too; the navigation is the list of
docs/README.md, which names every page. What a page links outside of docs/ leads to the repository.
A link that leads nowhere, a picture that is missing and anything that would be fetched from another
host end it.

By Zensical, whose authors made Material for MkDocs: that is in maintenance since November 2025, and
MkDocs itself has had no release since August 2024.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "https://github.com/switchhook/switchhook/blob/main/"
OUT = Path("build/docs")

Nav = list[dict[str, "str | Nav"]]

_SECTION = re.compile(r"^## (.+)$")
_ENTRY = re.compile(r"^- \[([^\]]+)\]\(([^)#]+\.md)\)")
_FENCED = re.compile(r"(^ *(```|~~~).*?^ *\2 *$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()([^()\s]+)(\))")


class Broken(Exception):  # noqa: N818 - an answer, not a failure
    """What is wrong with the site, a line each."""


def main(root: Path = ROOT) -> int:
    """Make it; give the exit code."""
    try:
        made = make(root, root / OUT)
    except Broken as broken:
        sys.stderr.write(f"the documentation can't be made a site:\n{broken}\n")
        return 1
    folder = made.relative_to(root)
    sys.stdout.write(f"{folder}/index.html\n")
    sys.stdout.write(f"with its search: python3 -m http.server --bind 127.0.0.1 -d {folder} 8000\n")
    return 0


def make(root: Path, out: Path) -> Path:
    """Make the site of the project in `root` below `out`; give its folder. Raises Broken."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(root / "docs", out / "pages")
    for page in (out / "pages").rglob("*.md"):
        place = page.relative_to(out / "pages")
        page.write_text(outward(page.read_text(), Path("docs") / place, root))
    nav = json.dumps(nav_of((root / "docs/README.md").read_text()), ensure_ascii=False)
    config = (root / "scripts/site.toml").read_text()
    written = config.replace("[project]\n", f"[project]\nnav = {toml_of(json.loads(nav))}\n", 1)
    (out / "zensical.toml").write_text(written)
    words = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(  # noqa: S603 - our own words
        words, cwd=out, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Broken(re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr))
    if problems := look(out / "site"):
        raise Broken("\n".join(problems))
    return out / "site"


def nav_of(index: str) -> Nav:
    """The navigation, in the order of the index: its sections, and the pages of each."""
    nav: Nav = [{"Home": "README.md"}]
    for line in index.splitlines():
        if section := _SECTION.match(line):
            nav.append({section[1]: []})
        elif entry := _ENTRY.match(line):
            (pages,) = nav[-1].values()
            assert isinstance(pages, list), "the list begins with a heading"
            pages.append({entry[1]: entry[2]})
    return nav


def toml_of(nav: Nav) -> str:
    """A navigation as TOML has it, on one line."""
    entries = (
        f"{{{json.dumps(name, ensure_ascii=False)} = "
        + (toml_of(to) if isinstance(to, list) else json.dumps(to))
        + "}"
        for each in nav
        for name, to in each.items()
    )
    return f"[{', '.join(entries)}]"


def outward(text: str, page: Path, root: Path) -> str:
    """The text of a page, with its links to what is outside of docs/ leading to the repository."""

    def lead(link: re.Match[str]) -> str:
        path, mark, anchor = link[2].partition("#")
        if urlsplit(path).scheme or not path:
            return link[0]
        target = (root / page.parent / path).resolve()
        if target.is_relative_to(root / "docs"):
            return link[0]
        return f"{link[1]}{REPOSITORY}{target.relative_to(root).as_posix()}{mark}{anchor}{link[3]}"

    parts = _FENCED.split(text)
    # Of each fence there are two parts, the second being its marks.
    prose = (
        _LINK.sub(lead, part) if at % 3 == 0 else part
        for at, part in enumerate(parts)
        if at % 3 != 2
    )
    return "".join(prose)


class _Links(HTMLParser):
    """What a page of the site loads, and what it leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        leads = tag == "a" or (tag == "link" and said.get("rel") in ("canonical", "next", "prev"))
        for name in ("href", "src"):
            if name in said:
                (self.leads if leads else self.loads).append(said[name])


def look(site: Path) -> list[str]:
    """What is wrong with a site that was made: a sentence each."""
    problems: list[str] = []
    for page in sorted(site.rglob("*.html")):
        links = _Links()
        links.feed(page.read_text())
        name = page.relative_to(site)
        for link in links.loads:
            if urlsplit(link).netloc:
                problems.append(f"{name}: it loads {link} from another host")
            elif not _is_there(link, page, site):
                problems.append(f"{name}: it loads {link}, which is not there")
        problems += [
            f"{name}: it leads to {link}, which is not there"
            for link in links.leads
            if not urlsplit(link).scheme and not _is_there(link, page, site)
        ]
    for style in sorted(site.rglob("*.css")):
        if re.search(r"url\([\"']?(https?:)?//|@import\s+[\"'](https?:)?//", style.read_text()):
            problems.append(f"{style.relative_to(site)}: it loads from another host")
    return problems


def _is_there(link: str, page: Path, site: Path) -> bool:
    path = unquote(urlsplit(link).path)
    # The page of what is not there may be shown anywhere: its links begin at the site's root.
    place = site if path.startswith("/") else page.parent
    return not path or link.startswith("data:") or (place / path.lstrip("/")).is_file()


if __name__ == "__main__":
    sys.exit(main())

"""What is said of Exotel is said in one place: every citation names a section of its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/exotel-platform.md"
FOLDERS = ("src", "tests", "docs", "demo", "benchmarks", "attack", "scripts", "deploy")
SUFFIXES = {".py", ".md", ".toml", ".jsonl", ".html", ".yaml", ".yml", ".conf", ".sh", ""}
NOT_READ = {"node_modules", "vendor", "results", "__pycache__"}

_LABEL = r"(?:0\.[1-9]|[A-H]\.[0-9]{1,2}|[A-H])(?:-[0-9]{1,2})?(?![\w-])"
_CITED = re.compile(rf"exotel-platform[\s#]+({_LABEL}(?:(?:,[\s#]+|[\s#]+and[\s#]+){_LABEL})*)")
"""The page's name, and the labels of sections or of rows: `D, E.1 and G-3`."""
_NAMED = re.compile(r"exotel-platform(?!\.md)")
_OTHER_FORMS = re.compile(
    r"(?<!-)\bplatform\.md|\bsupport articles? [0-9]|\bseed: 000|\bseed, tests? [0-9]"
    r"|\bthe seed's|\bthe seed (?:prints|says|text|names|shows)|\brows? [0-9]+ of [A-H]\.[0-9]",
    re.IGNORECASE,
)
# A label without the page's name; RFCs have appendices with such names.
_BARE = re.compile(
    r"(?<!appendix )(?<![\w.:/-])(?:[A-H]\.[0-9]{1,2}|G-[0-9]{1,2})(?![\w.]\w|[\w-])"
)
_SECTION = re.compile(r"(#{2,3}) (0(?:\.[0-9])?|[A-H](?:\.[0-9]{1,2})?) \S.*")
_ROW = re.compile(r"\| ((?:0\.[1-9]|[A-H]\.[0-9]{1,2}|[A-H])-[0-9]{1,2}) \|.*")
BACKGROUND = "*Background.*"


def read_files() -> dict[str, str]:
    """The texts that may cite, by their path: all but the page and this test."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*"))]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in [*paths, *ROOT.glob("*.md"), ROOT / "pyproject.toml"]
        if path.is_file()
        and path.suffix in SUFFIXES
        and path not in {PAGE, Path(__file__)}
        and not NOT_READ & set(path.relative_to(ROOT).parts)
    }


FILES = read_files()


def line_of(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def labels_in(cited: str) -> list[str]:
    return re.findall(_LABEL, cited)


def citations() -> list[tuple[str, str]]:
    """Where something is cited, and the label."""
    return [
        (f"{path}:{line_of(text, found.start())}", label)
        for path, text in FILES.items()
        for found in _CITED.finditer(text)
        for label in labels_in(found[1])
    ]


def sections() -> dict[str, str]:
    """The page's sections by label, with their text up to the next one."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := _SECTION.fullmatch(line):
            assert heading[2] not in found, f"{heading[2]} stands twice"
            current = found[heading[2]] = []
        else:
            current.append(line)
    return {label: "\n".join(lines).strip() for label, lines in found.items()}


def rows() -> list[str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [row[1] for line in lines if (row := _ROW.fullmatch(line))]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("as Exotel does (exotel-platform E.3), so", ["E.3"]),
        ("exotel-platform D, E", ["D", "E"]),
        ("exotel-platform A.2, F.1-22 and\n    # G-3.", ["A.2", "F.1-22", "G-3"]),
        ("(exotel-platform 0.2-7)", ["0.2-7"]),
        ("exotel-platform A Passthru", ["A"]),
        ("exotel-platform Every", []),
        ("docs/exotel-platform.md", []),
    ],
)
def test_citations_are_found(text, labels):
    assert [label for cited in _CITED.finditer(text) for label in labels_in(cited[1])] == labels


@pytest.mark.parametrize(
    ("text", "is_bare"),
    [
        ("as it does (E.3).", True),
        ("the outcomes of G.1: a", True),
        ("see G-35, too", True),
        ("RFC 5280, appendix A.1: names", False),
        ("numbers in E.164", False),
        ("https://a.example/B.2", False),
    ],
)
def test_labels_without_the_page_are_found(text, is_bare):
    assert bool(_BARE.search(text)) == is_bare


def test_every_citation_names_a_section_that_exists():
    known = {*sections(), *rows()}
    assert [(where, label) for where, label in citations() if label not in known] == []


def test_the_source_cites_at_all():
    """The files are read, and what they cite is seen."""
    citing = {where.partition(":")[0] for where, _ in citations()}
    assert "src/switchhook/exotel/cause.py" in citing
    assert "tests/emulator/plan/test_lint.py" in citing


def test_nothing_is_cited_in_another_form():
    """Not by another document's name, an article's number or a label alone."""
    other = []
    for path, text in FILES.items():
        spans = [found.span() for found in _CITED.finditer(text)]
        cited = {start for start, _ in spans}
        other += [
            f"{path}:{line_of(text, found.start())}: names no section"
            for found in _NAMED.finditer(text)
            if found.start() not in cited
        ]
        forms = [_OTHER_FORMS, _BARE] if path.endswith(".py") else [_OTHER_FORMS]
        other += [
            f"{path}:{line_of(text, found.start())}: {found[0]}"
            for form in forms
            for found in form.finditer(text)
            if not any(start <= found.start() < end for start, end in spans)
        ]
    assert other == []


def test_every_section_is_cited_or_background():
    """A heading over others needs neither; a section is cited by its label or one of its rows."""
    cited = {label for _, label in citations()}
    cited |= {label.partition("-")[0] for label in cited}
    found = sections()
    over = {label.partition(".")[0] for label in found if "." in label}
    background = {label for label, text in found.items() if text.startswith(BACKGROUND)}
    assert sorted(found.keys() - cited - background - over) == []
    assert sorted(background & cited) == [], "cited, so no background"


def test_rows_are_numbered_without_gaps():
    """A row's label is its section's and the next number, and stands in that section."""
    for label, text in sections().items():
        numbers = [
            int(row[1].rpartition("-")[2])
            for line in text.splitlines()
            if (row := _ROW.fullmatch(line)) and row[1].rpartition("-")[0] == label
        ]
        assert numbers == list(range(1, len(numbers) + 1)), label
        others = [
            row[1]
            for line in text.splitlines()
            if (row := _ROW.fullmatch(line)) and row[1].rpartition("-")[0] != label
        ]
        assert others == []


def test_references_on_the_page_lead_somewhere():
    """Every label that the page itself names is one of its own."""
    known = {*sections(), *rows()}
    text = PAGE.read_text(encoding="utf-8")
    assert [found[0] for found in _BARE.finditer(text) if found[0] not in known] == []

"""What the pages say is true: examples run, files in them load, links lead somewhere."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import threading
import unicodedata
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from answer.desk import NODE, SECRET, TAKES_B, Desk
from python_twin import python_twin
from switchhook.answer import redact, secret_signs
from switchhook.answer.authentication import HTTP_STATUS
from switchhook.answer.http.listening import serve
from switchhook.answer.http.messages import ConnectionLimits
from switchhook.cli import run
from switchhook.cli.check_routing import kind_said
from switchhook.config import EndpointConfig, Secret, load_config
from switchhook.emulator.plan.file import read_plan
from switchhook.emulator.plan.lint import lint
from switchhook.exotel.wire import known_shapes, plain_query
from switchhook.journal import receipt
from switchhook.journal.writer import JournalWriter
from switchhook.rules.decide import Option
from switchhook.rules.rules_file import load_rules

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/switchhook"
COMMANDS_PAGE = ROOT / "docs/command-line.md"
NOT_OURS = {"build", "dist", "demo-data", "node_modules"}


def find_pages() -> list[Path]:
    """Every markdown file of the project."""
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(
            part.startswith(".") or part in NOT_OURS for part in path.relative_to(ROOT).parts
        )
    )


def name_of(value: object) -> str | None:
    if isinstance(value, Path):
        return value.relative_to(ROOT).as_posix()
    if isinstance(value, Fence):
        return f"{name_of(value.page)}:{value.line}"
    return None


class Fence(NamedTuple):
    """A block of code on a page; `line` is that of its first line."""

    page: Path
    line: int
    text: str


class Heading(NamedTuple):
    level: int
    text: str


_FENCE = re.compile(r"( *)(`{3,}|~{3,})([^`]*)")


def split(page: Path) -> tuple[dict[str, list[Fence]], list[str]]:
    """The fences of a page by their language, and its other lines; a fence's are blank there."""
    fences: dict[str, list[Fence]] = {}
    prose: list[str] = []
    open_: tuple[str, str, str, int] | None = None
    inside: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if open_ is None:
            found = _FENCE.fullmatch(line)
            if found is None:
                prose.append(line)
                continue
            open_ = (found[1], found[2], found[3].strip(), number + 1)
        elif line.strip() == open_[1]:
            indent, _, language, start = open_
            text = "".join(each.removeprefix(indent) + "\n" for each in inside)
            fences.setdefault(language, []).append(Fence(page, start, text))
            open_, inside = None, []
        else:
            inside.append(line)
        prose.append("")
    assert open_ is None, f"{name_of(page)}:{open_[3]}: a fence without an end"
    return fences, prose


PAGES = find_pages()
OUR_PAGES = [ROOT / "README.md", *(page for page in PAGES if page.is_relative_to(ROOT / "docs"))]


# Examples.


@pytest.mark.parametrize(
    "page", [page for page in OUR_PAGES if "python" in split(page)[0]], ids=name_of
)
def test_python_examples_run(page, tmp_path, monkeypatch):
    """The examples of a page run one after the other, as somebody would type them."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__example__"}
    for fence in split(page)[0]["python"]:
        lines = "\n" * (fence.line - 1) + fence.text  # so that an error names the page's line
        exec(compile(lines, str(page), "exec"), namespace)


class _AnyVariable(dict[str, str]):
    """An environment in which every variable is set."""

    def __missing__(self, name: str) -> str:
        if name.endswith("_URL"):
            return "https://hooks.example.com/a-secret"
        return "a-secret-from-the-environment"

    def get(self, name, default=None):
        return self[name]


_FILES = {
    "vendor": b"u:p\n",
    "do-not-call": b"+919811100001 # asked us to\n",
    "database-url": b"postgresql://switchhook:a-password@db1,db2,db3/switchhook\n",
}


@pytest.mark.parametrize(
    "fence", [each for page in OUR_PAGES for each in split(page)[0].get("toml", [])], ids=name_of
)
def test_toml_examples_check_out(fence):
    """A rules file and a configuration of a page are ones that the program takes."""
    if re.search(r"^\[\[rule\]\]|^\[default\]", fence.text, re.MULTILINE):
        kind = kind_said(fence.text.encode())
        load_rules(fence.text, file=str(fence.page), strict=True, kind=kind)
        return
    if re.search(r"^\[flow\.|^\[\[fault\]\]", fence.text, re.MULTILINE):
        plan = read_plan(fence.text, file=str(fence.page))
        assert not [found for flow in plan.flow.values() for found in lint(flow)]
        return
    config = load_config(
        fence.text,
        file="switchhook.toml",
        environ=_AnyVariable(),
        read_file=lambda path: next(
            (said for name, said in _FILES.items() if name in path), b"a-secret-from-a-file\n"
        ),
    )
    assert config.warnings == ()


def test_there_are_examples_to_check():
    """The pages are read as they are meant to be."""
    for name, language in (
        ("README.md", "python"),
        ("docs/library.md", "python"),
        ("docs/configuration.md", "toml"),
        ("docs/rules.md", "toml"),
        ("docs/emulator.md", "toml"),
    ):
        assert split(ROOT / name)[0].get(language), name


# Links.

_LINK = re.compile(
    r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(<?([^()\s<>]*(?:\([^()\s]*\)[^()\s]*)?)>?[^()]*\)"
)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)")
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HEADING = re.compile(r"(#{1,6}) +(.*?)(?: +#+)?")
_ANCHOR = re.compile(r"""<a\s[^>]*\b(?:id|name)=["']([^"']+)["']""")


def headings(page: Path) -> list[Heading]:
    found = (_HEADING.fullmatch(line.strip()) for line in split(page)[1])
    return [Heading(len(each[1]), each[2]) for each in found if each]


def anchors(page: Path) -> set[str]:
    """What a `#` can lead to on a page, by the rule of the sites that show it."""
    seen: Counter[str] = Counter()
    found = set(_ANCHOR.findall("\n".join(split(page)[1])))
    for heading in headings(page):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.text)
        slug = "".join(
            letter
            for letter in shown.lower().replace(" ", "-")
            if letter in "-_" or unicodedata.category(letter)[0] in "LMN"
        )
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def links(page: Path) -> list[str]:
    found: list[str] = []
    text = "\n".join(split(page)[1])
    # A link may run over a line's end; what stands between backticks is none.
    for paragraph in re.split(r"\n\s*\n", text):
        plain = _CODE.sub("``", paragraph.replace("\n", " "))
        found += [each[1] for each in _LINK.finditer(plain)]
    found += [each[1] for line in text.splitlines() if (each := _REFERENCE.match(line))]
    return [link for link in found if not _SCHEME.match(link)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    """Every relative link of a page names a file that is there, and a heading in it."""
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            broken.append(f"{link}: no such file")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            broken.append(f"{link}: no such heading")
    assert not broken


_MODULE = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.py|(?:src|tests)/[\w./-]+)`")
_HISTORY = {"CHANGELOG.md"}
"""What was true when it was written stays as it was."""


def modules_named(page: Path) -> set[str]:
    """Every file and folder of the code that a page names, in its words and in its fences."""
    return set(_MODULE.findall(page.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in _HISTORY and modules_named(page)],
    ids=name_of,
)
def test_modules_that_a_page_names_are_there(page):
    """By their path from the project's folder, or from that of the package."""
    places = ROOT, SOURCE
    assert not [
        name for name in modules_named(page) if not any((at / name).exists() for at in places)
    ]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_whoever_is_told_to_reload_is_told_how(page):
    """On the same line, or by a link: messages are looked up one by one."""
    how = ("systemctl reload", "daemon-reload", "SIGHUP", "](#upgrade)", "kill -HUP")
    _, prose = split(page)
    said = [line for line in prose if re.search(r"\breload\b", line)]
    assert not [line for line in said if not any(each in line for each in how)]


def test_the_keys_of_the_console_are_those_that_it_has():
    base = (SOURCE / "web/templates/base.html").read_text(encoding="utf-8")
    pages = re.findall(r'\("/[a-z/]*", "([A-Za-z ]+)", "([a-z])"\)', base)
    assert len(pages) > 10
    page = (ROOT / "docs/console.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| `g` and a letter \| (.*) \|$", page, re.MULTILINE)
    assert sorted(re.findall(r"`([a-z])` ([A-Za-z ]+)", row)) == sorted(
        (key, name) for name, key in pages
    )
    keys = page.partition("## Keyboard")[2]
    for key in re.findall(r"<dt><kbd>([^<{]+)</kbd>", base):
        assert f"`{key}`" in keys, key


def test_every_page_is_in_the_index():
    """docs/README.md leads to all the others."""
    folder = ROOT / "docs"
    linked = {(folder / link.partition("#")[0]).resolve() for link in links(folder / "README.md")}
    pages = {page.resolve() for page in folder.rglob("*.md")} - {folder / "README.md"}
    assert not sorted(page.name for page in pages - linked)


# The path of a request.


def modules_entered(data: Path) -> list[str]:
    """The modules that one request enters, in order, from its first byte until it is answered.

    The real ones on a real socket; what the journal's thread does counts too. A module is entered
    by what is done there: an object that is made is none.
    """
    entered: dict[str, None] = {}

    def enter(frame, event, called):
        if threading.current_thread().name == "journal-upkeep":
            return  # what it does since the start may fall anywhere
        file = frame.f_code.co_filename
        made = frame.f_code.co_name == "__init__"
        if event == "c_call" and called == receipt.encode:  # msgspec's own, in C
            entered.setdefault("journal/receipt.py")
        elif event == "call" and not made and file.startswith(str(SOURCE)):
            entered.setdefault(Path(file).relative_to(SOURCE).as_posix())

    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        journal = JournalWriter(
            data, node=NODE, notify=loop.call_soon_threadsafe, observe=lambda event: None
        )
        sock = socket.create_server(("127.0.0.1", 0))
        desk = Desk(EndpointConfig("sales", secrets=(Secret(SECRET),)), journal=journal)
        server = await serve(sock, desk.answerer, ConnectionLimits())
        entered.clear()
        try:
            reader, writer = await asyncio.open_connection(*sock.getsockname())
            # An empty parameter is in no known shape: both readers are entered.
            query = f"{TAKES_B}&"
            writer.write(f"GET /passthru/sales/{SECRET}?{query} HTTP/1.1\r\n\r\n".encode())
            return await reader.readline()
        finally:
            sys.setprofile(None)
            writer.close()
            await server.close(0)
            journal.close()
            sock.close()

    threading.setprofile(enter)
    sys.setprofile(enter)
    try:
        with pytest.MonkeyPatch.context() as patch:  # where one is compiled no profiler sees it
            patch.setattr(redact, "signs_of", python_twin(secret_signs).signs_of)
            patch.setattr(known_shapes, "take_apart", python_twin(plain_query).take_apart)
            answer = asyncio.run(ask())
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert answer.split()[1] == b"302"
    return list(entered)


def test_the_path_that_the_readme_shows_is_the_requests(tmp_path):
    """Its files are entered by a request in their order; the last one has the first word too."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\d\. \[`(.+?)`\]\(src/switchhook/\1\)", readme, re.MULTILINE)
    assert 7 <= len(shown) <= 9
    entered = modules_entered(tmp_path / "journal")
    assert [module for module in entered if module in shown[:-1]] == shown[:-1]
    assert shown[-1] in entered
    assert HTTP_STATUS == {Option.A: 200, Option.B: 302}
    assert "`{Option.A: 200, Option.B: 302}`" in readme


def test_the_page_of_the_architecture_shows_all_that_a_request_enters(tmp_path):
    modules_entered(tmp_path / "first")  # what is read once for all requests
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = page.partition("\n## The path of a request\n")[2].partition("\n\nFrom there")[0]
    assert re.findall(r"`([\w/]+\.py)`", table) == modules_entered(tmp_path / "second")


# The command line.

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_COMMAND = re.compile(r"^│ +([a-z][a-z-]*) ", re.MULTILINE)


@pytest.fixture
def explain(capsys, monkeypatch):
    """The help of a command, as a wide terminal shows it."""
    monkeypatch.setenv("COLUMNS", "200")

    def text(*command: str) -> str:
        assert run([*command, "--help"]) == 0
        said: str = capsys.readouterr().out
        return said

    return text


def sections() -> dict[str, str]:
    """The page's parts by the command in their heading; "" is what stands before the first."""
    parts: dict[str, list[str]] = {"": []}
    current = ""
    for line in COMMANDS_PAGE.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"#{2,3} `switchhook ([a-z -]+)`", line):
            current = found[1]
            parts[current] = []
        elif re.match(r"## ", line):
            current = ""
        parts[current].append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def commands_in(text: str) -> list[str]:
    _, _, listed = text.partition("Commands ─")
    return _COMMAND.findall(listed)


def test_the_page_of_the_command_line_agrees_with_help(explain):
    """Every command has its part, and the part names just the options that the command has."""
    described = sections()
    known = set(_OPTION.findall(explain()))
    commands: list[tuple[str, ...]] = [(name,) for name in commands_in(explain())]
    assert ("serve",) in commands
    commands += [("rules", name) for name in commands_in(explain("rules"))]
    assert ("rules", "undo") in commands
    commands += [("emulate", name) for name in commands_in(explain("emulate"))]
    assert ("emulate", "run") in commands
    commands += [("alerts", name) for name in commands_in(explain("alerts"))]
    assert ("alerts", "test") in commands
    for group, one in (
        ("users", "list"),
        ("tokens", "list"),
        ("endpoint", "url"),
        ("flag", "set"),
        ("route", "move"),
        ("release", "canary"),
        ("promises", "stop-dialling"),
        ("cluster", "drain"),
    ):
        commands += [(group, name) for name in commands_in(explain(group))]
        assert (group, one) in commands
    assert {" ".join(command) for command in commands} == described.keys() - {""}
    for command in commands:
        told = set(_OPTION.findall(explain(*command))) - {"--help", "--version"}
        said = set(_OPTION.findall(described[" ".join(command)])) - {"--help"}
        assert said == told, command
        known |= told
    assert set(_OPTION.findall(described[""])) <= known

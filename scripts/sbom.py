"""What a Switchhook consists of: `sbom.py` prints it as CycloneDX, `--licences` writes the page.

It reads what is installed beside the interpreter that runs it, and needs nothing else, so that an
image can describe itself.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
BEGIN, END = "<!-- make lock writes from here -->", "<!-- to here -->"
EXTRAS = ("emulator", "mcp", "otel", "postgres")
JAVASCRIPT = {"htmx.org": "0BSD", "htmx-ext-sse": "0BSD", "uplot": "MIT"}
"""What the wheel carries of others, with the licence that stands beside each file."""
READ = {"picows": "MIT", "aiofastnet": "MIT", "pyrage": "MIT"}
"""Licences that stand in a package's licence file only, not in its metadata."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def main() -> int:
    if sys.argv[1:] == ["--licences"]:
        page = PAGE.read_text()
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n\n{licences()}\n\n{END}{after}")
    else:
        sys.stdout.write(json.dumps(bill(), indent=1) + "\n")
    return 0


def bill() -> dict[str, Any]:
    """All that is installed for Switchhook, as CycloneDX 1.6; twice the same for the same."""
    ours = distribution("switchhook")
    found = installed(EXTRAS)
    parts = [_component(each) for _, each in sorted(found.items())]
    parts += javascript()
    text = json.dumps(parts)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, text)}",
        "version": 1,
        "metadata": {"component": {**_component(ours), "type": "application"}},
        "components": parts,
        "dependencies": [_depends(each, found) for each in (ours, *found.values())],
    }


def _depends(each: Distribution, found: dict[str, Distribution]) -> dict[str, Any]:
    needed = (found[name] for name in _needed(each, EXTRAS) if name in found)
    return {"ref": _ref(each), "dependsOn": sorted(map(_ref, needed))}


def javascript() -> list[dict[str, Any]]:
    """The JavaScript that the wheel carries, by package.json."""
    versions = json.loads((ROOT / "package.json").read_text())["dependencies"]
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/{name}@{versions[name]}",
            "name": name,
            "version": versions[name],
            "purl": f"pkg:npm/{name}@{versions[name]}",
            "licenses": [{"license": {"id": JAVASCRIPT[name]}}],
        }
        for name in sorted(versions)
    ]


def licences() -> str:
    """A table of everything with its licence, and of what needs it."""
    server, everything = installed(()), installed(EXTRAS)
    by_extra = {extra: installed((extra,)).keys() - server.keys() for extra in EXTRAS}
    rows = [
        (name, licence_of(each), "server" if name in server else _extra_of(name, by_extra))
        for name, each in sorted(everything.items())
    ]
    rows += [(f"{name} (JavaScript)", licence, "server") for name, licence in JAVASCRIPT.items()]
    lines = [f"| `{name}` | {licence} | {needed} |" for name, licence, needed in rows]
    return "\n".join(["| Package | Licence | Needed by |", "| --- | --- | --- |", *lines])


def _extra_of(name: str, by_extra: dict[str, set[str]]) -> str:
    return ", ".join(f"`switchhook[{extra}]`" for extra, names in by_extra.items() if name in names)


def installed(extras: Iterable[str]) -> dict[str, Distribution]:
    """What Switchhook needs and has, directly and through others, by normal names."""
    found: dict[str, Distribution] = {}
    left = [(distribution("switchhook"), tuple(extras))]
    while left:
        each, wanted = left.pop()
        for name, more in _needed(each, wanted).items():
            try:
                part = distribution(name)
            except PackageNotFoundError:
                continue  # for another platform, or of an extra that isn't installed
            if name not in found or more:
                found[name] = part
                left.append((part, more))
    return found


def _needed(each: Distribution, extras: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The names that a package asks for, each with the extras of it that are asked for."""
    needed: dict[str, tuple[str, ...]] = {}
    for text in each.requires or ():
        requirement, _, marker = text.partition(";")
        of_extras = _EXTRA.findall(marker)
        match = _REQUIREMENT.match(requirement)
        if match and (not of_extras or set(of_extras) & set(extras)):
            asked = tuple(part.strip() for part in (match[2] or "").split(",") if part.strip())
            needed[normal(match[1])] = asked
    return needed


def normal(name: str) -> str:
    """A name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(each: Distribution) -> str:
    """The licence as the package's metadata tells it."""
    said = each.metadata
    classifiers = said.get_all("Classifier") or []
    of_licence = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License")]
    first = (said.get("License") or "").strip().splitlines()[:1]
    found = said.get("License-Expression") or next(iter(of_licence), "") or "".join(first)
    return found or READ.get(normal(said["Name"]), "not said")


def _component(each: Distribution) -> dict[str, Any]:
    licence = licence_of(each)
    expression = each.metadata.get("License-Expression")
    said = {"expression": expression} if expression else {"license": {"name": licence}}
    return {
        "type": "library",
        "bom-ref": _ref(each),
        "name": each.metadata["Name"],
        "version": each.version,
        "purl": _ref(each),
        "licenses": [said],
    }


def _ref(each: Distribution) -> str:
    return f"pkg:pypi/{normal(each.metadata['Name'])}@{each.version}"


if __name__ == "__main__":
    sys.exit(main())

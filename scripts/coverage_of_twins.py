"""Say which modules their own tests leave uncovered, from what `make coverage` measured.

Each test file is a context of the measurement. A line counts as covered by its twin where
`tests/a/test_b.py` entered it for `a/b.py`, or the file that `COVERED_BY` names; or where it ran
while modules were loaded, which is nobody's doing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from coverage import Coverage

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/switchhook"
LEAST = 0.8
"""A module of which its twin enters fewer of the lines that any test enters is named."""

sys.path.insert(0, str(ROOT / "tests"))

from test_architecture import MODULES, covered_by, has_twin  # noqa: E402


def main() -> None:
    """Print one line a module: what its twin enters of what all tests do, lowest first."""
    measured = Coverage()
    measured.load()
    data = measured.get_data()
    known = {Path(each): each for each in data.measured_files()}
    elsewhere = covered_by()
    found = []
    for file in MODULES:
        module = file.relative_to(SOURCE).with_suffix("").as_posix()
        if file.stem.startswith("__") or file not in known:
            continue
        folder, _, name = module.rpartition("/")
        test = f"{folder}/test_{name}".lstrip("/") if has_twin(module) else elsewhere.get(module)
        lines = data.contexts_by_lineno(known[file])
        entered = [contexts for contexts in lines.values() if "" not in contexts]
        if test is None or not entered:
            continue
        own = sum(f"tests/{test}.py" in contexts for contexts in entered)
        found.append((own / len(entered), len(entered), module, test))
    for share, lines, module, test in sorted(found):
        if share < LEAST:
            sys.stdout.write(f"{share:4.0%} of {lines:3} lines  {module}  by tests/{test}.py\n")


if __name__ == "__main__":
    main()

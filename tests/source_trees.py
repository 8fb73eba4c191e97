"""Python files as trees, each parsed once for all that look at it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def statements_in(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements in it, however deep; of expressions there are ten times as many."""
    for part in ("body", "handlers", "orelse", "finalbody", "cases"):
        for child in getattr(node, part, ()):
            if isinstance(child, ast.stmt):
                yield child
            yield from statements_in(child)

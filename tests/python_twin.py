"""The module in Python whose place a compiled one takes where there was a compiler."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def python_twin(module: ModuleType) -> ModuleType:
    """The same in Python, whichever of both was imported."""
    assert module.__file__ is not None
    path = Path(module.__file__)
    path = path.with_name(f"{path.name.partition('.')[0]}.py")
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_in_python", path)
    assert spec is not None
    assert spec.loader is not None
    twin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(twin)
    return twin

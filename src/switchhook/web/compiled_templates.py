"""Templates as compiled once for all, kept as Python keeps modules: in a `__pycache__`.

A console compiles no template again that one before it has compiled. A file that was written for
another source, another Jinja or another Python, or was damaged since, is made again; where none can
be written, or Python is told to write none, everybody compiles for themselves.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from functools import wraps
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2 import BytecodeCache, pass_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2.bccache import Bucket


def at_run_time(work: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that Jinja never calls while it compiles: what is kept has nothing of ours in it."""

    @pass_context
    @wraps(work)
    def run(_context: object, *arguments: Any, **named: Any) -> Any:
        return work(*arguments, **named)

    return run


class CompiledTemplates(BytecodeCache):
    """Those of one environment. Another one whose code differs has another `variant`."""

    def __init__(self, variant: str) -> None:
        self._variant = variant

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Where it is kept; nowhere, where its source is no file."""
        if filename is None:
            return ""
        # Not in their own folder, where it would be a template.
        kept = Path(cache_from_source(f"{Path(filename).parent}.py"))
        return str(kept.with_name(f"{kept.stem}.{Path(name).name}.{self._variant}"))

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is kept, if it is whole and of this source."""
        try:
            content = Path(bucket.key).read_bytes()
        except OSError:
            return
        mark = _mark(bucket, content[_MARK:])
        if content[:_MARK] == mark:
            bucket.bytecode_from_string(content[_MARK:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, whole or not at all."""
        if not bucket.key or sys.dont_write_bytecode:
            return
        code = bucket.bytecode_to_string()
        file = Path(bucket.key)
        aside = file.with_name(f"{file.name}.{os.getpid()}")
        with suppress(OSError):
            file.parent.mkdir(exist_ok=True)
            try:
                aside.write_bytes(_mark(bucket, code) + code)
                aside.replace(file)
            finally:
                aside.unlink(missing_ok=True)


_MARK = 32


def _mark(bucket: Bucket, code: bytes) -> bytes:
    made_of = f"{jinja2.__version__} {bucket.checksum} "
    return hashlib.sha256(made_of.encode() + code).digest()

"""Numbers in paths, as `{id:number}`: of as many digits as a database's numbers have.

Starlette's own `int` takes any number of digits, and no database does; a longer one is nobody's.
"""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class NumberConvertor(Convertor[int]):
    """A whole number below 10**18."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", NumberConvertor())

"""What is wrong with a rules file, collected with its place, and told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.errors import ConfigError, RuleError

if TYPE_CHECKING:
    from switchhook.rules.expression_text import ExpressionProblem


class RulesetError(ConfigError):
    """A rules file that doesn't check out: all that is wrong with it, one line each.

    `problems` stand in the order of the file.
    """

    def __init__(self, problems: tuple[RuleError, ...], *, file: str) -> None:
        super().__init__(f"{len(problems)} problems", file=file)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class RulesProblems:
    """What is wrong, with its place: -1 before the rules, then a rule's, then the end's."""

    def __init__(self, file: str, lines: list[tuple[int, int]]) -> None:
        self.file, self._lines = file, lines
        self.found: list[tuple[int, RuleError]] = []

    def add(
        self,
        place: int,
        problem: str,
        *,
        rule: str = "",
        line: int = 1,
        column: int | None = None,
        hint: str = "",
    ) -> None:
        """Note a problem; `line` and `column` are those within the rule's expression."""
        at = None
        if 0 <= place < len(self._lines):
            header, expression = self._lines[place]
            at = header if column is None else expression + line - 1
        error = RuleError(
            problem, file=self.file, rule=rule, line=line, column=column, at=at, hint=hint
        )
        self.found.append((place, error))

    def add_found(self, place: int, rule: str, found: ExpressionProblem) -> None:
        """What is wrong with a rule's expression."""
        line, column, problem, hint = found
        self.add(place, problem, rule=rule, line=line, column=column, hint=hint)

    def in_order(self) -> tuple[RuleError, ...]:
        """All of it, in the order of the file."""
        by_place = sorted(self.found, key=lambda f: (f[0], f[1].line, f[1].column or 0))
        return tuple(error for _, error in by_place)

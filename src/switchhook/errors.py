"""Everything raised on purpose, in one tree.

SwitchhookError
├── ConfigError            a file the operator wrote: what, where, how to mend it
│   └── RuleError          the same for a rules file: file, rule, column
├── DataFolderError        the data folder can't be used: held, shared, newer, damaged, missing
├── JournalError           the journal can't be read or written any more
├── LedgerError            the console's own truth can't be read or written
├── ClusterError           the database that several nodes share can't be used
│   ├── DivergedError      a node's journal is another one than was handed over
│   └── NotLeaderError     a write for all nodes by one that does not lead them any more
├── BackupError            a backup can't be made, or is not as it was saved
├── FlagError              what somebody wants of a flag and can't have, and what to do instead
├── HandError              what somebody wants to set by hand and can't, and what to do instead
├── NodeError              what somebody wants of a node and can't have, and what to do instead
├── PromiseError           what somebody wants of a promise and can't have, and what to do instead
├── ReleaseError           what somebody wants of a release and can't have, and what to do instead
├── SearchError            a search that was given up, as it took too long
└── TrialError             the server of a trial did not start, or not answer

Each stores the facts; `str()` composes one lower-case sentence without a full stop, which
`sentence` makes one of a page.
The wire parsers raise none of them: what they don't understand is a `Defect`.
"""

from __future__ import annotations


def sentence(text: str) -> str:
    """A problem or a hint as a sentence of its own: with a capital and a full stop."""
    end = "" if text.endswith((".", "?", "!")) else "."
    return f"{text[:1].upper()}{text[1:]}{end}" if text else ""


class SwitchhookError(Exception):
    """Base of all."""


def in_words(error: Exception) -> str:
    """What is told of an error: its text, or its kind where that was written for nobody."""
    return type(error).__name__ if unforeseen(error) else str(error)


def unforeseen(error: Exception) -> Exception | None:
    """An error whose trace belongs into the log, as it is neither ours nor the system's."""
    return None if isinstance(error, (SwitchhookError, OSError)) else error


class ConfigError(SwitchhookError):
    """A setting that can't be used."""

    def __init__(self, problem: str, *, file: str = "", key: str = "", hint: str = "") -> None:
        self.problem, self.file, self.key, self.hint = problem, file, key, hint
        super().__init__(problem)

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.key) if part)
        text = f"{where}: {self.problem}" if where else self.problem
        return f"{text} ({self.hint})" if self.hint else text


class RuleError(ConfigError):
    """A rules file that doesn't check out.

    `column` is 1-based within the expression; `line` within the expression too, for rules that
    span several. `at` is the line of the file, which is told in its place where it is known.
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str = "",
        rule: str = "",
        line: int = 1,
        column: int | None = None,
        at: int | None = None,
        hint: str = "",
    ) -> None:
        key = f'rule "{rule}"' if rule else ""
        if key and column is not None:
            told = line == 1 or at is not None
            key += f", column {column}" if told else f", line {line}, column {column}"
        place = file if at is None else f"{file}:{at}"
        super().__init__(problem, file=place, key=key, hint=hint)
        self.rule, self.line, self.column = rule, line, column


class DataFolderError(SwitchhookError):
    """A data folder that can't be used as it is; nothing in it was changed."""

    def __init__(self, folder: str, problem: str, hint: str) -> None:
        self.folder, self.problem, self.hint = folder, problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"data folder {self.folder}: {self.problem} ({self.hint})"


class JournalError(SwitchhookError):
    """A journal segment that can't be read or written."""

    def __init__(self, segment: str, problem: str, hint: str) -> None:
        self.segment, self.problem, self.hint = segment, problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"journal segment {self.segment}: {self.problem} ({self.hint})"


class LedgerError(SwitchhookError):
    """A ledger that can't be read or written."""

    def __init__(self, file: str, problem: str, hint: str) -> None:
        self.file, self.problem, self.hint = file, problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"ledger {self.file}: {self.problem} ({self.hint})"


class ClusterError(SwitchhookError):
    """The database that the nodes share can't be reached, read or written."""

    def __init__(self, database: str, problem: str, hint: str) -> None:
        self.database, self.problem, self.hint = database, problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"cluster's database {self.database}: {self.problem} ({self.hint})"


class DivergedError(ClusterError):
    """The database has other records of a node than its journal: nothing more is handed over.

    One of two data folders was copied from the other. `seq` is the record here, `handed` the last
    one there.
    """

    def __init__(self, node: int, seq: int, handed: int) -> None:
        problem = f"its data folder is a copy of node {node:,}'s, which another machine runs on:"
        problem += f" record {seq:,} here is another one than the database has"
        hint = "stop this machine, and start it with an empty data folder; keep this one aside, as"
        hint += " what came here alone is in its journal"
        if seq < handed:
            ends = f"ends at record {seq:,}" if seq else "is empty"
            problem = f"its data folder is an older copy of node {node:,}'s: the database has its"
            problem += f" records up to record {handed:,}, and the journal here {ends}"
            hint = f"bring the newer data folder back; or {hint}"
        super().__init__("of the hand-over", problem, hint)
        self.node, self.seq, self.handed = node, seq, handed

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class NotLeaderError(ClusterError):
    """A write for all nodes that was refused: `epoch` does not lead any more."""

    def __init__(self, epoch: int) -> None:
        problem = f"this node leads no more (epoch {epoch:,}), and nothing was written"
        super().__init__("of the lease", problem, "the node that leads now does it")
        self.epoch = epoch

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class BackupError(SwitchhookError):
    """A backup that can't be made, or that can't be trusted."""

    def __init__(self, file: str, problem: str, hint: str) -> None:
        self.file, self.problem, self.hint = file, problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"backup {self.file}: {self.problem} ({self.hint})"


class SearchError(SwitchhookError):
    """A search that was given up."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class FlagError(SwitchhookError):
    """A flag that is not there, or can't be set so; nothing was changed."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class HandError(SwitchhookError):
    """Something that can't be set by hand; nothing was changed."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class NodeError(SwitchhookError):
    """What somebody wants of a node of the cluster and can't have; nothing was changed."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class PromiseError(SwitchhookError):
    """A promise that can't be made, or can't be acted on so; nothing was changed."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class ReleaseError(SwitchhookError):
    """A release that can't be made, or can't be acted on so; nothing was changed."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"


class TrialError(SwitchhookError):
    """The server that a trial started for itself did not do what only it can do."""

    def __init__(self, problem: str, hint: str) -> None:
        self.problem, self.hint = problem, hint
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})"

"""The candidate of a subject as this process sees it: read, checked, or complained of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from switchhook.config.files import Signature, signature, words
from switchhook.errors import ConfigError, DataFolderError

if TYPE_CHECKING:
    from switchhook.config.kept_text import Candidate
    from switchhook.config.last_good import KeptFolder

Loaded = TypeVar("Loaded")
Loaded_co = TypeVar("Loaded_co", covariant=True)


class Load(Protocol[Loaded_co]):
    """Reads a candidate's text. Raises ConfigError."""

    def __call__(self, text: str, *, file: str) -> Loaded_co: ...


class FollowedCandidate(Generic[Loaded]):
    """What decides for a share of the callers beside what runs; nothing where that is not sure.

    A candidate that can't be read, that this version can't load, or that was proposed beside
    something else than what runs decides for nobody, and the running release for all.
    """

    def __init__(self, subject: str, kept: KeptFolder) -> None:
        self._subject, self._kept = subject, kept
        self._file = kept.candidate_file(subject)
        self._seen: tuple[Signature, str, object] | None = None
        self.candidate: Candidate | None = None
        self.loaded: Loaded | None = None
        self.complaint: str | None = None

    def look(self, runs: str, terms: object, load: Load[Loaded]) -> None:
        """Look whether it changed; never raises.

        `runs` is the hash of what runs, empty for the built-in; `terms` what `load` goes by.
        """
        seen = (signature(self._file), runs, terms)
        if seen == self._seen:
            return
        self._seen = seen
        self.candidate = self.loaded = self.complaint = None
        try:
            found = self._kept.candidate(self._subject)
            if found is None or found.beside != runs:
                return
            self.loaded = load(found.text, file=f"release {found.number}")
            self.candidate = found
        except DataFolderError as error:
            self._complain(error.problem)
        except OSError as error:
            self._seen = None  # the next look tries again
            self._complain(f"{self._file.name} can't be read: {words(error)}")
        except ConfigError as error:
            self._complain("; ".join(str(error).splitlines()))

    def _complain(self, problem: str) -> None:
        said = f"the candidate of {self._subject} decides for nobody: {problem}"
        self.complaint = f"{said}; what runs decides for all callers"

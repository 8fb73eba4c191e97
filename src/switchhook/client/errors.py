"""What goes wrong between a program and the console, by what the program can do about it."""

from __future__ import annotations

from switchhook.errors import SwitchhookError


class ApiError(SwitchhookError):
    """Base of all. `status` is HTTP's, None where no answer came; `parameter` what it is about."""

    def __init__(
        self, problem: str, hint: str = "", *, status: int | None = None, parameter: str = ""
    ) -> None:
        self.problem, self.hint = problem, hint
        self.status, self.parameter = status, parameter
        super().__init__(problem)

    def __str__(self) -> str:
        text = f"{self.parameter}: {self.problem}" if self.parameter else self.problem
        return f"{text} ({self.hint})" if self.hint else text


class RefusedError(ApiError):
    """What was asked can't be understood (400), or not be done so (405, 409, 413, 422)."""


class UnauthorizedError(ApiError):
    """There is no token, or none that is valid (401)."""


class ForbiddenError(ApiError):
    """The token may not do this (403)."""


class NotFoundError(ApiError):
    """There is none (404)."""


class UnavailableError(ApiError):
    """No answer came, or the console can't answer now (429, 5xx), after all retries.

    `retry_after_s` is how long it asks to be left alone; None where it doesn't say.
    """

    def __init__(
        self,
        problem: str,
        hint: str = "",
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(problem, hint, status=status)
        self.retry_after_s = retry_after_s


class UnreadableError(ApiError):
    """The answer is not the console's, or of a release that says something else."""

"""What a client asks of promises; part of `Client`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from switchhook.client.promise_answers import Promise, Promises, PromisesSummary, PromiseStory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")


class PromiseQuestions(ABC):
    """See above; `_get` asks a path of the API and reads its answer."""

    @abstractmethod
    def _get(self, path: str, kind: type[T], asked: Mapping[str, Any] | None = None) -> T: ...

    def promises(
        self,
        *,
        state: str | None = None,
        account: str | None = None,
        class_: str | None = None,
        reason: str | None = None,
        number: str | None = None,
        since: str | None = None,
        until: str | None = None,
        due_before: str | None = None,
        limit: int | None = None,
        cursor: int | None = None,
    ) -> Promises:
        """A page of promises, newest first; several states with commas between them."""
        asked = {
            "state": state,
            "account": account,
            "class": class_,
            "reason": reason,
            "number": number,
            "since": since,
            "until": until,
            "due_before": due_before,
            "limit": limit,
            "cursor": cursor,
        }
        return self._get("/api/v1/promises", Promises, asked)

    def all_promises(self, **filters: Any) -> Iterator[Promise]:
        """All promises of a filter, page by page; what comes meanwhile is not among them."""
        cursor: int | None = None
        while True:
            page = self.promises(**{**filters, "cursor": cursor})
            yield from page.promises
            cursor = page.next
            if cursor is None:
                return

    def promise(self, id: int) -> PromiseStory:
        """One promise, with what happened to it and its calls."""
        return self._get(f"/api/v1/promises/{int(id)}", PromiseStory)

    def promises_summary(self) -> PromisesSummary:
        """How calling back stands, by account."""
        return self._get("/api/v1/promises/summary", PromisesSummary)

"""Two small calls: to the operator's own monitor, and to the answer side on this machine."""

from __future__ import annotations

import json
import logging
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 10.0
LARGEST = 64 * 1024
_HEADERS = {"User-Agent": "switchhook", "Accept-Encoding": "identity"}
_WAITING = "wait for the disk"


class HttpMonitor:
    """`alerts.book.Monitor` over HTTP: a GET, which any 2xx takes; redirects are not followed."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address

    def beat(self) -> str | None:
        """Call it once; None where it took it, else why not, with nothing secret in it."""
        status, _, problem = _get(self._address())
        if problem:
            return problem
        return None if 200 <= status < 300 else f"it answered {status}"


class Probed(NamedTuple):
    """Whether it answers, whether receipts wait for the disk, why not, and all that it said."""

    answers: bool
    waiting: bool | None
    problem: str
    status: str = ""
    problems: tuple[str, ...] = ()


class AnswerProbe:
    """Asks the answer side whether it answers, by its `/healthz`; `url` is where it listens."""

    def __init__(self, url: str, timeout_s: float = 2.0) -> None:
        self._place, self._timeout_s = urlsplit(url), timeout_s

    def ask(self) -> Probed:
        status, body, problem = self._get()
        if problem or status != 200:
            return Probed(False, None, problem or f"it answered {status}")
        try:
            said = json.loads(body)
            problems = tuple(str(each) for each in said["problems"])
            waiting = any(_WAITING in each for each in problems)
            return Probed(True, waiting, "", str(said.get("status", "")), problems)
        except (ValueError, KeyError, TypeError, AttributeError):
            return Probed(False, None, "something else answers there")

    def _get(self) -> tuple[int, bytes, str]:
        """The same as `_get` below.

        By the standard library: this is asked every other second, of ourselves, and a client of
        httpx2 takes its time to load, and to make.
        """
        host = self._place.hostname or ""
        asked = HTTPConnection(host, self._place.port, timeout=self._timeout_s)
        try:
            asked.request("GET", "/healthz", headers=_HEADERS)
            answer = asked.getresponse()
            return answer.status, answer.read(LARGEST + 1), ""
        except TimeoutError:
            return 0, b"", _no_answer_within(self._timeout_s)
        except ConnectionRefusedError:
            return 0, b"", "no connection"
        except (HTTPException, OSError) as error:
            return 0, b"", f"it failed with {type(error).__name__}"
        finally:
            asked.close()


def _no_answer_within(seconds: float) -> str:
    return f"no answer within {seconds:.0f} s"


def _get(url: str) -> tuple[int, bytes, str]:
    """The status and the body of an answer, or why there is none; the URL is in neither."""
    import httpx2

    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)  # at lower levels they log the URL
    try:
        with (
            httpx2.Client(timeout=TIMEOUT_S, headers=_HEADERS, trust_env=False) as client,
            client.stream("GET", url) as response,
        ):
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST:
                    break
            return response.status_code, body, ""
    except httpx2.TimeoutException:
        return 0, b"", _no_answer_within(TIMEOUT_S)
    except httpx2.ConnectError:
        return 0, b"", "no connection"
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        return 0, b"", f"it failed with {type(error).__name__}"

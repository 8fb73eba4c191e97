"""What became of requests that were marked as tests: from what came back and what was kept.

200 is Option A, and anything else is B (exotel-platform A.2).
"""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import TYPE_CHECKING

from switchhook.doctor.finding import fail, ok, unchecked, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.doctor.finding import Finding
    from switchhook.doctor.passthru_client import Kept, Reply

    Tried = tuple[Reply, Kept | None]
BUDGET_MS, PATIENCE_MS = 1000, 2000
"""What to plan with, and the longest that Exotel should be trusted to wait (exotel-flow)."""
FORGED = "203.0.113.77"
"""An address that nobody has, sent as a sender would who lies about theirs."""
_CACHED = ("age", "x-cache", "cf-cache-status")
_STATUS = {
    401: "something before it asks for a password: let /passthru/ and /voicebot/ through without",
    403: "the secret is none of the endpoint's, or something before it refuses: has the server"
    " taken the newest configuration over (`switchhook check`)? does a firewall stand before it?",
    404: "no such endpoint: is it this server that the URL leads to, and does the proxy pass the"
    " path on as it is?",
    405: "something before it refuses GET",
    414: "a proxy finds the query too long: raise its limit of a request line to 16 KB or more",
    429: "something before it limits how often it may be asked: exempt /passthru/ and /voicebot/",
    502: "the proxy does not reach the answer side: does that run, and is the upstream right?",
    503: "the proxy has nobody to ask: does the answer side run?",
    504: "the proxy waited in vain for the answer side: does it run?",
}


def judge_answer(check: str, reply: Reply, kept: Kept | None, *, ours: bool = False) -> Finding:
    """Whether an endpoint answers as it decided, and who answered.

    `ours` is whether this folder's own program was asked, by the address that it noted.
    """
    if reply.status is None:
        todo = "does the server run, and do name, port and firewall lead to it?"
        return fail(check, f"no answer: {reply.problem}", todo)
    if kept is None and ours and reply.status in (HTTPStatus.OK, HTTPStatus.FOUND):
        problem = f"{reply.status}, but its receipt is not in the journal after some seconds"
        return fail(check, problem, "the disk is full or too slow: see what is said of it here")
    if kept is None:
        return _not_ours(check, reply)
    decision = kept.receipt.decision
    said = f"{reply.status}, {_taken(kept)} by rule {decision.rule!r}"
    if kept.receipt.mode == "async":
        said += " (an async applet goes on whatever it hears)"
    if reply.status != kept.receipt.http_status:
        problem = f"the server answered {kept.receipt.http_status}, and {reply.status} arrived"
        return fail(check, problem, "let the proxy pass statuses on as they are")
    if kept.receipt.auth.by is None and kept.receipt.auth.state != "open":
        problem = f"{said}, though the secret is {kept.receipt.auth.state}"
        return warn(check, problem, "report-only lets it in: mend the URL, then enforce")
    if kept.receipt.route is not None and not kept.receipt.address:
        todo = "callers hear no bot: look at the pool's members, or give the endpoint a fallback"
        return warn(check, f"{said}: {decision.reason}", todo)
    return ok(check, f"{said}, in {reply.ms:.0f} ms")


def _taken(kept: Kept) -> str:
    receipt = kept.receipt
    if receipt.address:
        return f"{'the fallback ' if receipt.fallback else ''}{receipt.address}"
    if receipt.route is not None:
        return "no address"
    return f"Option {receipt.decision.option.value}"


def _not_ours(check: str, reply: Reply) -> Finding:
    status = reply.status or 0
    if "location" in reply.headers:
        # Its path may have the secret in it.
        scheme, _, rest = reply.headers["location"].partition("://")
        where = f", to {scheme}://{rest.partition('/')[0]}" if rest else ""
        todo = "Exotel follows no redirect: it is B. Give the applet the URL that answers itself"
        return fail(check, f"a redirect, {status}{where}, in place of an answer", todo)
    if status in _STATUS:
        text = reply.body[:200].decode(errors="replace").strip()
        ours = f" ({text})" if "mark of this test" in text else ""
        return fail(check, f"{status}{ours}", _STATUS[status] if not ours else _clock_todo())
    problem = f"{status}, but no receipt of it is in this data folder"
    todo = (
        "does the URL lead to another server, does something before it answer by itself, or is the"
        " disk full?"
    )
    return fail(check, problem, todo)


def _clock_todo() -> str:
    return "set the clock of this machine right, and try again"


def judge_refusal(check: str, asked: Mapping[str, Tried]) -> Finding:
    """Whether a wrong secret is refused, by endpoint; no alarm comes of such a test."""
    let_in = [name for name, (_, kept) in asked.items() if kept is not None]
    if let_in:
        problem = f"a wrong secret is let in at {', '.join(let_in)}"
        return warn(check, problem, 'once every applet has the right URL, set auth = "enforce"')
    odd = [reply.status for reply, _ in asked.values() if reply.status != HTTPStatus.FORBIDDEN]
    if odd:
        got = "no answer" if odd[0] is None else f"{odd[0]}, not 403"
        return unchecked(check, f"a request with a wrong secret got {got}")
    return ok(check, "refused with 403 at every endpoint")


def judge_option_b(check: str, asked: Sequence[Tried]) -> Finding:
    """Whether a 302 comes through, which is Option B."""
    sent = [(r, k) for r, k in asked if k is not None and k.receipt.http_status == HTTPStatus.FOUND]
    if not sent:
        todo = "try a request that takes B: switchhook endpoint test NAME --query … --option B"
        return unchecked(check, "none of the samples takes Option B by these rules", todo)
    for reply, _ in sent:
        if reply.status != HTTPStatus.FOUND:
            problem = f"the 302 of Option B arrived as {reply.status or 'nothing'}"
            return fail(check, problem, "let the proxy pass 302 on, and replace no status")
        if "location" in reply.headers:
            problem = "something adds a Location to the 302 of Option B"
            return warn(check, problem, "let the proxy add none: a sender might follow it")
    return ok(check, "302 comes through as it was sent")


def judge_query(check: str, asked: Sequence[Tried], redact: Callable[[bytes], bytes]) -> Finding:
    """Whether queries arrive byte for byte; `redact` is done to them before they are kept."""
    whole = [(r, k) for r, k in asked if k is not None]
    if not whole:
        return unchecked(check, "no test came through that shows it")
    for reply, kept in whole:
        sent, came = redact(reply.query.encode()), kept.receipt.raw
        if sent != came:
            at = next((i for i, (a, b) in enumerate(zip(sent, came, strict=False)) if a != b), 0)
            if sent[: len(came)] == came or came[: len(sent)] == sent:
                at = min(len(sent), len(came))
            there = _around(sent, at), _around(came, at)
            problem = f"the query is changed on the way: {there[0]} arrived as {there[1]}"
            todo = (
                "let the proxy pass the request line on as it came: no rewrite, no decoding, no"
                " merging of slashes (nginx: proxy_pass without a path)"
            )
            return fail(check, problem, todo)
    method = next((k.receipt.method for _, k in whole if k.receipt.method != "GET"), None)
    if method is not None:
        return fail(check, f"GET arrived as {method}", "let the proxy keep the method")
    missing = [reply for reply, kept in asked if kept is None]
    if missing:
        size = max(len(reply.query) for reply in missing)
        problem = f"a query of {size:,} bytes got {missing[0].status or missing[0].problem}"
        return fail(check, problem, _STATUS[414])
    longest = max(len(reply.query) for reply, _ in whole)
    return ok(check, f"byte for byte as it was sent, up to {longest:,} bytes, by GET")


def _around(text: bytes, at: int) -> str:
    part = text[max(at - 8, 0) : at + 12].decode("ascii", "backslashreplace")
    return f"…{part}…" if part else "nothing"


def judge_caching(check: str, first: Tried, again: Tried) -> Finding:
    """Whether the same question, asked twice, reaches the server twice."""
    if first[1] is None:
        return unchecked(check, "the first of two tests did not come through")
    todo = "let the proxy and the CDN cache nothing below /passthru/"
    if again[1] is None:
        if again[0].status is None:
            return unchecked(check, f"the second of two tests: {again[0].problem}")
        return fail(check, "the same question, asked twice, reached the server once", todo)
    headers = again[0].headers
    if headers.get("cache-control", "") != "no-store":
        return warn(check, "Cache-Control: no-store does not come through", todo)
    hit = next((n for n in _CACHED if "hit" in headers.get(n, "").lower()), None)
    if hit is not None:
        return warn(check, f"the answer says that it comes from a cache ({hit})", todo)
    return ok(check, "each question reaches the server")


def judge_client(check: str, forged: Tried, trusted: Callable[[str], bool]) -> Finding:
    """Whether the sender's address is seen, and not a proxy's, nor one that the sender made up.

    `trusted` is whether an address is one of `answer.trusted_proxies`.
    """
    reply, kept = forged
    if kept is None:
        return unchecked(check, "no test came through that shows it")
    seen = kept.receipt.peer or ""
    if trusted(reply.from_address):
        problem = f"asked from {reply.from_address}, a trusted proxy's address: that shows nothing"
        return unchecked(
            check, problem, "give --url a name that leads to this machine from outside"
        )
    if seen == FORGED:
        problem = "a sender may choose the address that is seen: X-Forwarded-For is passed on"
        todo = (
            "let the proxy set or extend X-Forwarded-For (nginx: $proxy_add_x_forwarded_for), and"
            " trust no more than your own proxies in answer.trusted_proxies"
        )
        return warn(check, problem, todo)
    if seen == reply.from_address:
        return ok(check, f"the sender's own address is seen, {seen}")
    if trusted(seen):
        todo = "let the proxy send X-Forwarded-For (nginx: $proxy_add_x_forwarded_for)"
        return warn(check, f"the proxy's address, {seen}, is seen as the caller's", todo)
    if not _is_global(seen):
        problem = f"{seen} is seen as the sender of what was sent from {reply.from_address}"
        todo = f"if that is the proxy, name it: answer.trusted_proxies = [{seen!r}]"
        return warn(check, problem, todo)
    return ok(check, f"this machine is seen as {seen}: its address to the outside, presumably")


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def judge_time(check: str, replies: Sequence[Reply]) -> Finding:
    """How long answers took, with everything on the way, against how long Exotel may wait."""
    times = [reply.ms for reply in replies if reply.status is not None]
    if not times:
        return unchecked(check, "no answer came")
    slowest = max(times)
    said = f"the slowest of {len(times)} answers took {slowest:.0f} ms, connecting included"
    todo = "callers hear silence meanwhile: look for the slow part with `curl -w`, or at the disk"
    if slowest > PATIENCE_MS:
        return fail(check, f"{said}: Exotel may have given up before", todo)
    if slowest > BUDGET_MS:
        return warn(check, said, todo)
    return ok(check, said)

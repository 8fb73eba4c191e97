"""`switchhook emulate heartbeat`: one heartbeat to a monitor, without an emulator."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, get_args

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.emulate.loop import run_loop
from switchhook.cli.emulate.options import ALLOW, check_url
from switchhook.emulator.plan.plan import HeartbeatStatus

if TYPE_CHECKING:
    from switchhook.emulator.net.webhook import Posted


def heartbeat(
    url: str,
    *,
    status: Annotated[
        HeartbeatStatus, Parameter(name="--status", help="What the heartbeat says.")
    ] = "OK",
    incoming: Annotated[
        list[str] | None,
        Parameter(name="--incoming", negative="", help="A number that can't be called; repeat it."),
    ] = None,
    outgoing: Annotated[
        list[str] | None,
        Parameter(name="--outgoing", negative="", help="A number that can't call; repeat it."),
    ] = None,
    allow: ALLOW = None,
) -> int:
    """Tell a monitor how an account's numbers are, as Exotel does: again twice if it isn't taken.

    Ends with 0 when an answer of 2xx came, with 1 when none did.

    Parameters
    ----------
    url
        Where heartbeats are taken.
    """
    check_url(
        url,
        option="URL",
        hint='write where heartbeats are taken, such as "http://127.0.0.1:8080/heartbeat";'
        f" what it says is an option: --status {', '.join(get_args(HeartbeatStatus))}",
    )

    async def main() -> int:
        from switchhook.emulator.exchange.heartbeats import built
        from switchhook.emulator.net.addresses import AddressAllowList
        from switchhook.emulator.net.http_client import Web
        from switchhook.emulator.net.webhook import Post, post
        from switchhook.emulator.plan.behaviour import Behaviour
        from switchhook.emulator.plan.plan import HeartbeatPlan
        from switchhook.exotel.times import IST

        beat = HeartbeatPlan(
            status_type=status,
            incoming_affected=tuple(incoming or ()),
            outgoing_affected=tuple(outgoing or ()),
        )
        behaviour, web = Behaviour(), Web(AddressAllowList(allow or ()))
        body = built(beat, (), datetime.now(IST))
        letter = Post(url, "application/json", body, behaviour.callback_limit_s)
        try:
            for again_s in (*behaviour.heartbeat_retry_after_s, None):
                result = await post(web, letter)
                output.out.print(output.plain(told(status, result, again_s)))
                if result.taken or result.refused or again_s is None:
                    break
                await asyncio.sleep(again_s)
        finally:
            await web.close()
        return 0 if result.taken else 1

    return run_loop(main(), virtual=False)


def told(status: HeartbeatStatus, result: Posted, again_s: float | None) -> str:
    """What became of one that was sent; `again_s` is how soon it is sent again, if ever."""
    if result.taken:
        return f"{status} was taken ({result.status})"
    why = result.problem or f"the answer was {result.status}, not 2xx"
    again = "" if result.refused or again_s is None else f"; again in {again_s:g} s"
    return f"{status} was not taken: {why}{again}"

"""A way from one port to another on which everything takes longer, or nothing does.

`python -m lab.way PORT HOST TO_PORT SECONDS` listens on loopback until it is ended; netem is not in
every kernel.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_s: float) -> None:
    """What is read now is written later, in its order; nothing waits for what is on its way."""
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await reader.read(65536):
            loop.call_later(late_s, writer.write, data)
    loop.call_later(late_s, writer.close)


async def _main(port: int, host: str, to_port: int, late_s: float) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(host, to_port)
            await asyncio.gather(_pass(reader, back, late_s / 2), _pass(there, writer, late_s / 2))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))

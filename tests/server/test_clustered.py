"""What a node's console does when the database goes away in the moment in which it begins to lead.

All else of it is in the journey of two nodes.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing

import pytest

from patience import PATIENCE_S
from switchhook.config.live import SettingsKeeper
from switchhook.errors import LedgerError
from switchhook.postgresql_server import connect
from switchhook.server.clustered import ClusteredConsole
from switchhook.server.console_parts import ConsoleSide
from switchhook.server.joined import join_cluster
from switchhook.server.node_side import NodeSide
from switchhook.server.served_app import ServedApp
from switchhook.system.data_folder import DataFolder

pytestmark = pytest.mark.process


def test_one_that_began_to_lead_by_half_ends_and_gives_up_the_lease(
    tmp_path, postgresql_schema, monkeypatch, caplog
):
    """It ends by itself, for the supervisor to start it anew, and does not wait for its server."""
    config = tmp_path / "switchhook.toml"
    config.write_text(f'[cluster]\ndatabase = "{postgresql_schema}"\n')
    keeper = SettingsKeeper(tmp_path / "data", str(config), environ={})
    settings = keeper.start()
    join_cluster(settings.config, keeper.data_folder)

    async def vanished(_side):
        raise LedgerError("of all", "its server vanished", "wait")

    monkeypatch.setattr(ConsoleSide, "start", vanished)

    end = NodeSide.stop

    def stop(side):
        side.lease.turn()  # one that comes just before the end takes the lease no more
        end(side)

    monkeypatch.setattr(NodeSide, "stop", stop)

    async def main(held):
        with socket.create_server(("127.0.0.1", 0)) as sock:
            app = ServedApp(sock)
            console = ClusteredConsole(held, keeper, settings, app, address="", answer_url=None)
            async with asyncio.timeout(PATIENCE_S):
                await console.run()

    with DataFolder.open(keeper.data_folder, "console") as held:
        asyncio.run(main(held))
    assert "its console begins anew" in caplog.text
    with closing(connect(postgresql_schema)) as connection:
        asked = "SELECT epoch, expires_at <= clock_timestamp() FROM cluster_lease"
        assert connection.execute(asked).fetchone() == (1, True)

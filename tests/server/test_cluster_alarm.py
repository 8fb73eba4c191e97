"""A node's alarm over a real data folder, database and webhook."""

from __future__ import annotations

from contextlib import closing

import msgspec

import node_folders as folders
from kept_receipts import Kept, receipt
from node_rows import A, cluster
from switchhook.alerts.notify.text import harmless
from switchhook.cluster.database_alarm import LONG_MS
from switchhook.cluster.hand_over_state import HandOverState, write_state
from switchhook.cluster.watch import ClusterWatch
from switchhook.config import Config
from switchhook.config.alerts import Destination
from switchhook.config.basics import Secret
from switchhook.journal import JournalReader
from switchhook.server.cluster_alarm import database_alarm
from switchhook.system.data_folder import DataFolder, read_identity
from webhook import receiving


def test_whoever_is_configured_hears_of_it(tmp_path, postgresql_schema):
    folder, now = folders.fresh(tmp_path / "a"), [1_795_000_000_000]
    with closing(Kept(folder / "journal", read_identity(folder).node)) as kept:
        kept.keep(receipt(), receipt(), receipt())
    write_state(folder, HandOverState(handed=1))
    with (
        receiving() as webhook,
        cluster(postgresql_schema, (A, "a")) as connection,
        DataFolder.open(folder, "console") as held,
        closing(JournalReader(folder / "journal")) as journal,
    ):
        url = Secret(webhook.url.replace("http://", "json://"))
        base = Config()
        alerts = msgspec.structs.replace(base.alerts, destinations=(Destination("ops", url),))
        cluster_settings = folders.settings(postgresql_schema, "node-a")
        config = msgspec.structs.replace(base, alerts=alerts, cluster=cluster_settings)
        watch = ClusterWatch(postgresql_schema, lambda: now[0])
        alarm = database_alarm(held, journal, watch, lambda: config, lambda: now[0])
        watch.look()
        alarm.look()
        connection.execute("DROP TABLE cluster_lease CASCADE")
        watch.look()
        alarm.look()
        now[0] += LONG_MS
        alarm.look()
        watch.stop()
        body = webhook.wait(1)[0].body
    assert harmless("Node node-a can't reach the cluster's database") in str(body["title"])
    assert "2 records wait on this node's disk" in str(body["message"])

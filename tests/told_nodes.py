"""Nodes of a cluster as far as they are told something: a data folder each, and one database."""

from __future__ import annotations

from contextlib import closing, contextmanager

from switchhook.capacity.facts_file import FactsReader
from switchhook.cluster import tables
from switchhook.cluster.told_facts import ToldFacts
from switchhook.postgresql_server import Fence, connect
from switchhook.server.told_part import told_relay
from switchhook.system.data_folder import boot_id


class Cluster:
    """A database with the cluster's tables, led by node 1 with epoch 1."""

    def __init__(self, url, folder):
        self.url, self._folder = url, folder
        with self.connection() as connection:
            tables.bring_up(connection)
            connection.execute(
                "INSERT INTO cluster_lease VALUES"
                " (1, 1, clock_timestamp(), clock_timestamp() + interval '1 hour')"
            )

    def connection(self):
        return closing(connect(self.url))

    def folder(self, node):
        folder = self._folder / f"node-{node}"
        folder.mkdir(exist_ok=True)
        return folder

    def joins(self, node):
        with self.connection() as connection:
            connection.execute(
                "INSERT INTO cluster_node (node, name, release) VALUES (%s, %s, '1')",
                (node, f"node-{node}"),
            )

    @contextmanager
    def relay(self, node):
        """A node that is told what all are told, from start to stop."""
        self.joins(node)
        relay = told_relay(self.folder(node), node, self.url, f"node-{node}")
        relay.start()
        try:
            yield relay
        finally:
            relay.stop()

    @contextmanager
    def facts(self, epoch=1, node=None):
        facts = ToldFacts(self.url, Fence(epoch, node))
        try:
            yield facts
        finally:
            facts.close()

    def reader(self, node):
        return FactsReader(self.folder(node), boot_id(), node)

"""`switchhook cluster doctor`: the database that the nodes share, looked at from this one."""

from __future__ import annotations

from switchhook.cli.cluster_parts import database_of, note_of
from switchhook.cli.doctor import print_finding, sum_up
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.doctor.cluster_queries import check_cluster
from switchhook.doctor.finding import exit_code


def doctor(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Look at the database that the nodes share, from this node, and say what to mend.

    Its version and rights, whether a standby has to have what is committed, what waits for one, a
    pooler in between, connections, partitions, and the nodes with their clocks. Nothing is changed.

    Exit code 0 where all is well, 1 where something is to be mended, 2 where all that could be
    looked at is well, and some could not.

    For example:

        switchhook cluster doctor
    """
    found = check_cluster(database_of(config, data), note_of(config, data))
    for each in found:
        print_finding(each, json=json)
    if not json:
        sum_up(found)
    return exit_code(found)

"""What alerts go by, as Prometheus has it: of machines, pools, accounts, releases and nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from switchhook.metrics import Figure

_FIGURES = {
    "answer.unreachable": ("answer_up", "Whether the answer side answers.", True),
    "receipts.waiting": ("receipts_waiting", "Whether receipts wait for the disk.", False),
    "rules.refused": ("files_refused", "Complaints about the operator's files.", False),
    "files.damaged": ("files_damaged", "Small files of our own that are damaged.", False),
}


def families_of_machines(figures: Iterable[Figure]) -> Iterator[Metric]:
    """What others look at already, of several nodes by node; unknown is not zero."""
    families: dict[str, GaugeMetricFamily] = {}
    for figure in figures:
        if figure.name in _FIGURES and figure.value is not None:
            name, meaning, inverted = _FIGURES[figure.name]
            family = families.setdefault(name, _family(name, meaning, figure))
            value = 1 - figure.value if inverted else figure.value
            family.add_metric([text for _, text in figure.labels], value)
    yield from families.values()


def _family(name: str, meaning: str, figure: Figure) -> GaugeMetricFamily:
    names = tuple(label for label, _ in figure.labels)
    return GaugeMetricFamily(f"switchhook_{name}", meaning, labels=names)


def disks_of_nodes(figures: Iterable[Figure]) -> dict[tuple[str, ...], tuple[float, float]]:
    """The size of each node's disk, and what is free of it, in bytes; none of one machine."""
    known = {
        (each.label("node"), each.name): each.value
        for each in figures
        if each.name.startswith("disk.") and each.label("node") and each.value
    }
    return {
        (node,): (free / share, free)
        for (node, name), free in known.items()
        if name == "disk.free_bytes" and (share := known.get((node, "disk.free_share")))
    }


_LABELLED = {
    "pool.degraded": ("pool_degraded", "Whether all that should take a pool's calls fail."),
    "member.out": (
        "member_out",
        "Whether a member's breaker has it out, or would, or it is not given.",
    ),
    "member.certificate_days": ("member_certificate_days", "Days until its certificate ends."),
    "member.silent_calls": ("member_silent_calls", "Calls in 15 minutes with a silent bot."),
    "admission.room": ("admission_room", "Streams that may be let in now."),
    "admission.pending": ("admission_leases_pending", "Leases whose stream has not started."),
    "admission.live": ("admission_leases_live", "Leases of streams that run."),
    "admission.foreign": ("admission_foreign_streams", "Streams that are not ours, estimated."),
    "admission.reserve": ("admission_reserve", "Streams kept free for those."),
    "admission.admitted": ("admission_admitted_recent", "Callers let in, in 15 minutes."),
    "admission.refused": ("admission_refused_recent", "Refused for want of room in 15 minutes."),
    "admission.unknown": ("admission_unknown_recent", "Safe options in 15 minutes."),
    "release.harmed": ("release_harmed", "A release that harmed callers and was taken back."),
    "release.damaged": ("release_damaged", "A canary that was stopped: its copy was damaged."),
    "release.unwatched": ("release_unwatched", "Whether nobody watches a canary."),
    "release.share": ("release_canary_share", "Share of the callers for whom a canary decides."),
    "release.evidence": ("release_evidence", "Evidence that a canary harms callers, as E."),
    "promises.waiting": ("promises_waiting", "Promises not proven yet, open or paused."),
    "promises.due": ("promises_due", "Promises that may be dialled now, and wait."),
    "promises.on_the_way": ("promises_on_the_way", "Callbacks not known to be over."),
    "promises.unknown": ("promises_unknown", "Callbacks of which nobody knows if Exotel calls."),
    "promises.late": ("promises_late", "Promises that will miss their time."),
    "promises.in_time_share": ("promises_in_time_share", "Kept within their time, in a day."),
    "dialling.off": ("dialling_off", "Whether promises wait and nobody may be dialled."),
    "dialling.refused": ("dialling_refused", "Whether Exotel refuses the account's callbacks."),
    "cluster.nodes": ("cluster_nodes", "Nodes that are there."),
    "cluster.led_s": ("cluster_led_seconds", "For how long the node leads that leads now."),
    "cluster.leader_changes": ("cluster_leader_changes_recent", "New leaders in an hour."),
    "cluster.rules_differ": ("cluster_rules_differ", "Whether nodes run different rules."),
    "cluster.days_ahead": ("cluster_days_ahead", "Days to come that have a partition."),
    "cluster.undated": ("cluster_undated_receipts", "Receipts of a clock that was far off."),
    "cluster.commits_waiting": ("cluster_commits_waiting", "Sessions that wait for a standby."),
    "cluster.commits_waiting_s": ("cluster_commits_waiting_seconds", "For how long the longest."),
    "cluster.erased_again": ("cluster_erased_again_recent", "Erasures in a day done again."),
    "node.away": ("node_away", "Whether a node is missed."),
    "node.left": ("node_left", "Whether a node runs that left the cluster."),
    "node.leads": ("node_leads", "Whether a node leads."),
    "node.seen_s": ("node_seen_seconds", "How long ago a node was heard of."),
    "node.cloned": ("node_cloned", "Whether two machines call themselves by one node's number."),
    "node.behind": ("node_behind_records", "Records of a node that are not in the database."),
    "node.behind_s": ("node_behind_seconds", "For how long the oldest of them waits, at most."),
    "node.segments_waiting": ("node_segments_waiting", "Its closed segments not handed over."),
    "node.bytes_waiting": ("node_waiting_bytes", "How large they are."),
    "node.one_copy": ("node_one_copy_answers", "Its answers that left with one copy."),
    "node.clock_off_s": ("node_clock_off_seconds", "How far its clock is off."),
}


def labelled_families(figures: Iterable[Figure]) -> Iterator[Metric]:
    """What is known of pools and members, of admission and of releases."""
    families: dict[str, GaugeMetricFamily] = {}
    for figure in figures:
        if figure.name in _LABELLED and figure.value is not None:
            name, meaning = _LABELLED[figure.name]
            family = families.setdefault(name, _family(name, meaning, figure))
            family.add_metric([text for _, text in figure.labels], figure.value)
    yield from families.values()

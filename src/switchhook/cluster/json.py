"""The cluster as the API and `switchhook cluster … --json` give it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.web.json import Json, time_of

if TYPE_CHECKING:
    from switchhook.cluster.view import ClusterView, Conflict, Lead, NodeView

ALONE = "one machine: the configuration has no cluster.database"


def alone_json() -> Json:
    """Of a machine that is in no cluster."""
    return {"clustered": False, "said": ALONE, "cluster": None, "nodes": []}


def cluster_json(view: ClusterView, now_ms: int) -> Json:
    """All of it; ages in seconds, `as_of` is when it was read and `age_s` how long ago that is."""
    leader = view.leader
    return {
        "clustered": True,
        "said": view.problem or None,
        "cluster": {
            "id": view.id,
            "as_of": time_of(view.read_ms * 1000) if view.read_ms else None,
            "age_s": round(max(now_ms - view.read_ms, 0) / 1000, 3) if view.read_ms else None,
            "leader": None
            if leader is None
            else {
                "node": leader.node,
                "name": view.label(leader.node),
                "epoch": leader.epoch,
                "since": time_of(leader.since_ms * 1000),
                "leads": leader.left_s > 0,
                "lease_ends_in_s": round(leader.left_s, 3),
                "wanted": leader.wanted,
            },
            "led": [_lead_json(view, each) for each in view.led],
            "days_ahead": max(view.days_ahead, 0),
            "undated": view.undated,
            "commits_waiting": view.commits_waiting,
            "longest_wait_s": round(view.longest_wait_s, 3),
            "erased_again": {
                "count": view.erased_again.count,
                "done": view.erased_again.done,
            },
            "conflicts": [_conflict_json(view, each) for each in view.conflicts],
        },
        "nodes": [node_json(view, each) for each in view.nodes],
    }


def node_json(view: ClusterView, node: NodeView) -> Json:
    """One node."""
    leads = view.leads
    return {
        "node": node.node,
        "name": node.name,
        "address": node.address or None,
        "release": node.release,
        "state": node.state.value,
        "leads": leads is not None and leads.node == node.node,
        "away": node.away,
        "seen_ago_s": round(node.seen_ago_s, 3),
        "joined_at": time_of(node.joined_ms * 1000),
        "left_at": None if node.left_ms is None else time_of(node.left_ms * 1000),
        "receipts_kept": node.kept,
        "last_seq": node.last_seq,
        "handed_seq": node.handed_seq,
        "behind": node.behind,
        "behind_s": round(node.behind_s, 3),
        "segments_waiting": node.segments,
        "bytes_waiting": node.waiting_bytes,
        "one_copy": node.one_copy,
        "clock_ahead_ms": node.clock_ms,
        "told_behind": max(view.told_version - node.told_version, 0),
        "problems": list(node.problems),
    }


def _lead_json(view: ClusterView, lead: Lead) -> Json:
    return {
        "epoch": lead.epoch,
        "node": lead.node,
        "name": view.label(lead.node),
        "since": time_of(lead.since_ms * 1000),
    }


def _conflict_json(view: ClusterView, each: Conflict) -> Json:
    return {
        "node": each.node,
        "name": view.label(each.node),
        "count": each.count,
        "last_ago_s": round(each.ago_s, 3),
    }

"""Telling people and their monitors: alert messages by apprise, and the outgoing heartbeat."""

from switchhook.alerts.notify.calls import AnswerProbe, HttpMonitor
from switchhook.alerts.notify.destinations import AppriseNotifier

__all__ = ["AnswerProbe", "AppriseNotifier", "HttpMonitor"]

"""Telling people and their monitors: alert messages by apprise, and the outgoing heartbeat."""

from switchhook.notify.calls import AnswerProbe, HttpMonitor
from switchhook.notify.destinations import AppriseNotifier

__all__ = ["AnswerProbe", "AppriseNotifier", "HttpMonitor"]

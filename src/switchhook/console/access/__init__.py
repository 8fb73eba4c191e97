"""Who may look: one object that wraps the console and brings its pages."""

from switchhook.console.access.house import ConsoleAccess

__all__ = ["ConsoleAccess"]

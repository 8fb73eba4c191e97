"""Who may look: one object that wraps the console and brings its pages."""

from switchhook.web.sign_in.sign_in import ConsoleAccess

__all__ = ["ConsoleAccess"]

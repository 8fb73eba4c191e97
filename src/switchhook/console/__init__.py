"""The console's private port: what was received, decided and why, as JSON.

`create_app(ConsoleParts(...))` is the ASGI app, `Folder` the thread that keeps the store current.
"""

from switchhook.console.app import ConsoleParts, Pages, create_app
from switchhook.console.fold import Folder

__all__ = ["ConsoleParts", "Folder", "Pages", "create_app"]

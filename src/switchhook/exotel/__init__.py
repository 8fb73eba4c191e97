"""The client of Exotel's HTTP API: it asks the configured address, and nothing else, ever."""

import logging

from switchhook.exotel.client import Detailed, ExotelClient
from switchhook.exotel.clock import SystemClock

__all__ = ["Detailed", "ExotelClient", "SystemClock"]

# It would tell of every poll, every few seconds, with the account's SID.
logging.getLogger("httpx2").setLevel(logging.WARNING)
logging.getLogger("httpcore2").setLevel(logging.WARNING)

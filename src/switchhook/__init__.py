"""Switchhook: the passthru backend for Exotel voice streams."""

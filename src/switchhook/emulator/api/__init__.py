"""Exotel's API and the control API."""

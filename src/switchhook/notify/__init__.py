"""Alerts to where people read them."""

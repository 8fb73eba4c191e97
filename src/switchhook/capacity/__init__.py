"""Streams in use and allowed: polling, forecast, facts for rules, page and API."""

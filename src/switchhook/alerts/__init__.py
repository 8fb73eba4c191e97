"""When to tell whom: rules on metrics, messages, destinations, page and API."""

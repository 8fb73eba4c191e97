"""The HTTP client of Exotel's API."""

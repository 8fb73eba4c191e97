"""Requests in what people have of them: access logs, JSON logs, commands, prints and tables."""

"""Incidents, played by the emulator on its virtual clock, watched by page and pager.

`python -m incidents` plays them all at every traffic and prints the table of docs/alerts.md.
What answers, folds, judges, alerts and sends is the product as it runs, but for its processes,
sockets and clock: everything waits on one virtual loop, so that hours pass in seconds.
"""

"""The store in PostgreSQL: one for all nodes, folded into by the one that leads."""

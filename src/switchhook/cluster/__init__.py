"""Many nodes on one PostgreSQL: hand-over, lease, what all are told, and who they are."""

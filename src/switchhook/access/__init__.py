"""Who may do what: roles, users, the audit log, and their tables."""

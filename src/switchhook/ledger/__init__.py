"""The ledger: the console's own truth. Synced, backed up, never rebuilt.

`database.Ledger` is the database; a module for each matter has its tables and what is done with
them. Nothing is imported here: programs that only ask which ledger belongs to a folder
(`belonging`) load no SQLAlchemy.
"""

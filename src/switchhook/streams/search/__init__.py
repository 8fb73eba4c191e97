"""A search: its text, what it asks for, and saved ones."""

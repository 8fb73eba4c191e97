"""(to be written)"""

TABLES = ""

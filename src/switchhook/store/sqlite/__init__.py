"""The store on SQLite: a folder with one file that counts."""

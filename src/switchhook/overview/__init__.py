"""How things are now: the verdict line, the first page, the live feed."""

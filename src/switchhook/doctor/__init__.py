"""Whether all stands as it should, seen from inside and outside: what is found, and what to do."""

"""Arrays in, numbers out: no table, no plot."""

"""Numbers and names in print."""

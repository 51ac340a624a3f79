"""Numbers from records: configurations, pairs, effects, changes."""

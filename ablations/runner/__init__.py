"""Trials run: planned, performed, tried again, collected."""

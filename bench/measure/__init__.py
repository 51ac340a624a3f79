"""Measurements that answer one question each: `python -m bench.measure.NAME`."""

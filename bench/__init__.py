"""How fast: benchmarks of the harness itself, run by `nox -s bench`."""

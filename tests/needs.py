"""What a test needs and may not find: it is skipped then; on continuous integration, which has all, it fails."""

import importlib
import os
from typing import Any, NoReturn

import pytest

__all__ = ["ON_CI", "missing", "package"]

ON_CI = os.environ.get("CI", "").lower() in {"1", "true"}


def missing(reason: str) -> NoReturn:
    """Skip the test; on continuous integration fail it."""
    if ON_CI:
        pytest.fail(f"{reason}; CI installs it, so this is no reason to skip", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def package(name: str) -> Any:
    """Return a package that an extra brings, imported; see `missing`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        missing(f"needs the package '{name}' ({error})")

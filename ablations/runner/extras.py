"""Optional packages: what needs one says so before any work begins, and names the extra that brings it."""

import importlib.util

from vae.errors import SpecError

__all__ = ["require"]


def require(package: str, extra: str, purpose: str) -> None:
    """Refuse what needs an optional package where that is missing.

    Args:
        package: its import name.
        extra: of pyproject.toml.
        purpose: what needs it, as users call it.

    Raises:
        SpecError: it is missing.
    """
    if importlib.util.find_spec(package) is None:
        raise SpecError(
            f"{purpose} needs the package '{package}', which is not installed. "
            f"Install it with: python -m pip install 'vaebench[{extra}]'",
        )

"""The one place that goes to the network, and only when nothing was found on disk."""

import contextlib
import importlib
import os
import socket
import sys

from vae.errors import DataError

__all__ = ["download"]

_PATIENCE = 30.0  # seconds without a byte, so that a network that swallows packets ends in an error


def download(module: str) -> None:
    """Let `keras.datasets.<module>` fetch the official files into Keras' cache.

    Raises:
        DataError: `VAEBENCH_OFFLINE` forbids it, or it failed.
    """
    if os.environ.get("VAEBENCH_OFFLINE", "0") not in {"", "0"}:
        raise DataError("not tried, since VAEBENCH_OFFLINE is set")
    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(_PATIENCE)
        # Keras reports its progress on standard output, which belongs to the command's own result.
        with contextlib.redirect_stdout(sys.stderr):
            importlib.import_module(f"keras.datasets.{module}").load_data()
    except Exception as error:  # Keras raises bare Exception for every trouble with the network
        raise DataError(f"failed: {error}") from error
    finally:
        socket.setdefaulttimeout(patience)

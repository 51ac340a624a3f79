"""Keeping the terminal to ourselves while libraries decode: what they have to say is in the errors that are raised."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

__all__ = ["muted", "quiet"]

_ERRORS = 2  # the descriptor
_lock = threading.Lock()
_inside = 0
_kept: int | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's log and warnings off the terminal; an image that is far too large is an error."""
    handler, logger = logging.NullHandler(), logging.getLogger("PIL")
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            # Only a warning up to twice Pillow's limit, but nothing that large is read here.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # odd metadata; what damages pixels is an error
            yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def muted() -> Iterator[None]:
    """Drop what is written to the standard error meanwhile, by other threads too: libtiff knows no other way to ask."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _kept  # noqa: PLW0603 - there is one standard error, whoever asks
    with _lock:
        _inside += 1
        if _inside > 1:
            return
        try:
            _kept = os.dup(_ERRORS)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _ERRORS)
            os.close(nowhere)
        except OSError:  # closed, as some services leave it: nobody hears anything anyway
            _kept = None


def _leave() -> None:
    global _inside, _kept  # noqa: PLW0603
    with _lock:
        _inside -= 1
        if _inside == 0 and _kept is not None:
            os.dup2(_kept, _ERRORS)
            os.close(_kept)
            _kept = None

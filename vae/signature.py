"""A function's keyword arguments as settings: what a decorated function needs to be a part."""

import inspect
import json
from collections.abc import Callable, Collection
from typing import Any, get_type_hints

from vae.errors import SpecError
from vae.parts import Part

__all__ = ["fields_of", "takes"]


def fields_of(function: Callable[..., Any], given: Collection[str]) -> dict[str, tuple[Any, Any]]:
    """Return setting -> (type, default) of a function's arguments, but for those that it is given.

    >>> def grow(shape, width: int = 3, deep=True): ...
    >>> fields_of(grow, ["shape"])
    {'width': (<class 'int'>, 3), 'deep': (<class 'bool'>, True)}

    Args:
        function: each of its own arguments has a default, and a type, which is the default's where it names none.
        given: names of arguments that are no settings.

    Raises:
        SpecError: an argument has no default, or stands for any number of them.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise SpecError(f"{function.__name__}(): a type in the signature is not known: {error}") from None
    fields: dict[str, tuple[Any, Any]] = {}
    taken = set(dir(Part))
    for name, argument in inspect.signature(function).parameters.items():
        if name in given:
            continue
        if name in taken or name.startswith("_"):
            raise SpecError(f"{function.__name__}(): '{name}' can't name a setting, for every part has that. Rename it")
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD, argument.POSITIONAL_ONLY):
            raise SpecError(f"{function.__name__}(): got '{argument}', expected arguments with names and defaults")
        if argument.default is argument.empty:
            raise SpecError(
                f"{function.__name__}(): the argument '{name}' has no default, which a setting needs: {name}=..., or "
                f"is it one of {', '.join(given)}?"
            )
        if argument.default is None and name not in hints:
            raise SpecError(f"{function.__name__}(): the type of '{name}' can't be told from None: {name}: int | None")
        try:
            json.dumps(argument.default)
        except (TypeError, ValueError):
            kind = type(argument.default).__name__
            raise SpecError(
                f"{function.__name__}(): the default of '{name}' is of type {kind}, expected what a study file can "
                "hold: a number, a text, true or false, or a list of them. Name it by a text, and look it up inside"
            ) from None
        fields[name] = hints.get(name, type(argument.default)), argument.default
    return fields


def takes(function: Callable[..., Any], name: str) -> bool:
    """Tell whether a function has an argument of that name."""
    return name in inspect.signature(function).parameters

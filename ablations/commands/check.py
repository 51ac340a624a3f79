"""`vaebench check`: the contract tests of the parts that a file brings."""

import faulthandler
import sys
from argparse import Namespace
from typing import Any

from rich.console import Console
from rich.markup import escape

from ablations.commands._shared import DONE, FAILED
from ablations.text.numbers import count
from vae.code import KINDS
from vae.environment import KERAS, keras_defaults
from vae.errors import SpecError, VaebenchError
from vae.plugins import load_plugin, place_in, registered
from vae.testing import checks

__all__ = ["run"]


def run(options: Namespace, console: Console) -> int:
    """Check every part of the files, and say in words what breaks."""
    _ = _keras()  # whose import takes its own time
    # Of what never ends, the line at which it hangs is shown, and the process ends with it.
    faulthandler.dump_traceback_later(options.timeout, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        return _checked(options, console)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _checked(options: Namespace, console: Console) -> int:
    broken = number = 0
    for path in options.files:
        before = _keras()
        source = load_plugin(path)
        if changed := [name for name, value in _keras().items() if before and before[name] != value]:
            broken += 1
            console.print(
                f"[red]broken[/] {escape(source.path)}: it changes Keras' {', '.join(changed)} for everybody: give a "
                "layer its dtype instead",
                soft_wrap=True,
            )
        parts = list(registered([source]))
        if not parts:
            raise SpecError(f"{source.path}: it registers no part. Expected a decorator such as @network('my_net')")
        for registry, name in parts:
            kind = next((kind for kind, known in KINDS.items() if known is registry), None)
            console.print(f"[bold]{registry.kind} {escape(name)}[/]")
            for check in checks(kind, name) if kind is not None else ():
                number += 1
                try:
                    with keras_defaults():
                        check.run()
                except (Exception, SystemExit) as error:  # noqa: BLE001 - of somebody's own code, which may raise anything
                    broken += 1
                    said = str(error) if isinstance(error, VaebenchError) else f"{type(error).__name__}: {error}"
                    console.print(f"  [red]broken[/] {check.title}: {escape(place_in(error) + said)}", soft_wrap=True)
                else:
                    console.print(f"  [green]kept[/]   {check.title}")
    console.print(f"{count(number, 'check')}, {broken} broken")
    return FAILED if broken else DONE


def _keras() -> dict[str, Any]:
    """Return Keras' settings of its own."""
    from keras import config

    return {name: getattr(config, name)() for name in KERAS}

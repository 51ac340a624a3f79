"""What the processors of this machine drew, by their own counters (RAPL); absent where these can't be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

__all__ = ["POWERCAP", "Meter", "metered"]

POWERCAP = Path("/sys/class/powercap")
_SECONDS = 60.0  # between two looks: a counter starts again at 0 after about 20 minutes at full power, at the soonest


class Meter:
    """The joules since it was made, over all processor packages; whatever else the machine does is in them.

    Linux gives a counter in microjoules for each package, `intel-rapl:N` (of AMD's processors too), which starts again
    at 0 beyond `max_energy_range_uj`. Most systems let nobody but root read it.

    Args:
        root: the folder of the counters.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        """Look at the counters for the first time."""
        self._zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if _is_package(zone)]
        self._last: dict[Path, int] | None = None
        self._microjoules = 0
        try:
            self._ranges = {zone: _read(zone / "max_energy_range_uj") for zone in self._zones}
            self._last = {zone: _read(zone / "energy_uj") for zone in self._zones}
        except (OSError, ValueError):
            self._last = None

    @property
    def readable(self) -> bool:
        """Whether every look so far saw every counter, and there is one."""
        return bool(self._zones) and self._last is not None

    @property
    def joules(self) -> float | None:
        """The energy up to the last look; None where a counter could not be read."""
        return self._microjoules / 1e6 if self.readable else None

    def look(self) -> None:
        """Add what the counters moved on by since the last look."""
        if self._last is None:
            return
        try:
            now = {zone: _read(zone / "energy_uj") for zone in self._zones}
        except (OSError, ValueError):
            self._last = None
            return
        for zone, value in now.items():
            moved = value - self._last[zone]
            self._microjoules += moved if moved >= 0 else moved + self._ranges[zone]
        self._last = now


@contextmanager
def metered(root: Path = POWERCAP, seconds: float = _SECONDS) -> Iterator[Meter]:
    """Give a meter that a thread looks at from time to time; when the block ends it has looked for the last time."""
    meter = Meter(root)
    over = Event()

    def watch() -> None:
        while not over.wait(seconds):
            meter.look()

    thread = Thread(target=watch, name="energy", daemon=True)
    if meter.readable:
        thread.start()
    try:
        yield meter
    finally:
        over.set()
        if thread.is_alive():
            thread.join()
        meter.look()


def _is_package(zone: Path) -> bool:
    """Tell a whole package from its parts, and from the platform, which holds the packages once more."""
    try:
        return zone.name.count(":") == 1 and (zone / "name").read_text(encoding="ascii").startswith("package")
    except (OSError, ValueError):
        return False


def _read(file: Path) -> int:
    return int(file.read_text(encoding="ascii"))

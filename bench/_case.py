"""What a case is: a piece of work that is prepared once and then called again and again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vae.registry import Registry

__all__ = ["CASES", "Case", "Work", "case"]


@dataclass(frozen=True)
class Work:
    """A prepared piece of work.

    Attributes:
        call: does it once; the first call may be slower (tracing), later ones are alike.
        facts: what makes a time comparable: `images` or `trials` a call, `flops`.
    """

    call: Callable[[], object]
    facts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One benchmark.

    Attributes:
        name: as `--only` and the reports name it.
        group: the part of the harness.
        build: prepares the work; the argument asks for the small size, whose call takes milliseconds, for the gate.
        gate: whether the gate runs it unless told otherwise.
    """

    name: str
    group: str
    build: Callable[[bool], Work]
    gate: bool = True

    def prepare(self, *, small: bool) -> Work:
        """Prepare the work at the gate's size, or at full size."""
        return self.build(small)


CASES: Registry[Case] = Registry("benchmark", "bench.cases")


def case(name: str, group: str, *, gate: bool = True) -> Callable[[Callable[[bool], Work]], Case]:
    """Register the decorated function, which prepares the work, as the case `name`."""

    def wrap(build: Callable[[bool], Work]) -> Case:
        return CASES.register(name)(Case(name, group, build, gate))

    return wrap

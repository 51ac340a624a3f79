"""What a study must not say: settings that none of its parts has, and rules about what it doesn't have."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ablations.study.file import StudyFile, listed
from ablations.study.ranges import Range
from ablations.study.settings import Settings, flatten
from vae.errors import SpecError, unknown_name

__all__ = ["check_design", "check_options", "check_rules"]

Axes = Mapping[str, Sequence[Any]]


def check_design(file: StudyFile, ranges: Mapping[str, Range], where: str) -> None:
    """Refuse ranges in a design that makes rows of lists.

    Raises:
        SpecError: an axis is a range, which the design can't take.
    """
    if ranges and not file.design.takes_ranges:
        raise SpecError(
            f"{where}: axes.{next(iter(ranges))}: got a range, of which a search proposes values, expected a list: "
            f"design.kind is '{file.design.kind}'. Give it a list, or take the design out"
        )


def check_rules(file: StudyFile, axes: Axes, settings: Settings, where: str) -> None:
    """Refuse a rule that speaks of something the study doesn't have.

    Raises:
        SpecError: naming the rule and what it speaks of.
    """
    rules = [(f"exclude {index}", rule) for index, rule in enumerate(file.exclude, 1)]
    rules += [(f"override {index}: when", rule.when) for index, rule in enumerate(file.override, 1)]
    for name, rule in rules:
        for key, value in rule.items():
            if key not in axes:
                raise SpecError(f"{where}: {name}: {unknown_name('axis', key, axes)}")
            missing = [item for item in listed(value) if item not in axes[key]]
            if missing and not file.smoke:  # which takes values out of the axes itself
                raise SpecError(
                    f"{where}: {name}: {key} = {missing[0]!r} is not a value of that axis: {list(axes[key])}",
                )
    places = {settings.resolve(axis, where) for axis in axes}
    for index, override in enumerate(file.override, 1):
        for place, key in settings.once(flatten(override.set), f"{where}: override {index}: set"):
            if place in places:
                raise SpecError(f"{where}: override {index}: {key} is an axis: exclude values of it instead")
    rows = [(f"include {index}", row) for index, row in enumerate(file.include, 1)]
    for name, row in [*rows, ("report.baseline", file.report.baseline)]:
        _ = list(settings.once(row, f"{where}: {name}"))


def check_options(file: StudyFile, axes: Axes, fixed: Mapping[str, Any], settings: Settings, where: str) -> None:
    """Refuse a setting that no part has of those that the study, or the rule that sets it, chooses from.

    Raises:
        SpecError: naming the key, the parts, and those that have the setting.
    """
    for key, place, choices in _asked(file, axes, fixed, settings):
        section, _, option = place.partition(".")
        if section not in settings.choices:
            continue
        parts, default = settings.choices[section]
        names = [name for values in choices for name in values.get(f"{section}.name", [default])]
        chosen = [str(name) for name in names if name is not None]
        if not chosen:
            raise SpecError(
                f"{where}: {key}: is a setting of {', '.join(settings.owners(place))}, and the study chooses no "
                f"{parts.kind}: add {section} to fixed or to the axes, or take the setting out"
            )
        if not any(option in parts[name].model_fields for name in chosen):
            raise SpecError(
                f"{where}: {key}: none of the study's {parts.kind}s ({', '.join(dict.fromkeys(chosen))}) has this "
                f"setting; {', '.join(settings.owners(place))} has. Add it to the {parts.kind}s, or take the "
                "setting out",
            )


def _asked(
    file: StudyFile, axes: Axes, fixed: Mapping[str, Any], settings: Settings
) -> Iterator[tuple[str, str, Sequence[Axes]]]:
    """Yield each setting that the study names: the key, its place, and place -> values that it goes together with."""

    def placed(table: Mapping[str, Any]) -> dict[str, Any]:
        return {settings.resolve(key, ""): listed(value) for key, value in table.items()}

    usual = {place: [value] for place, value in fixed.items()} | placed(axes)
    rows = [usual | placed(row) for row in file.include]
    yield from ((f"axes.{axis}", settings.resolve(axis, ""), [usual, *rows]) for axis in axes)
    yield from ((f"fixed.{place}", place, [usual, *rows]) for place in fixed)
    for index, (row, values) in enumerate(zip(file.include, rows, strict=True), 1):
        yield from ((f"include {index}: {key}", settings.resolve(key, ""), [values]) for key in row)
    for index, override in enumerate(file.override, 1):
        met = [values | placed(override.when) for values in (usual, *rows)]
        yield from ((f"override {index}: set.{key}", settings.resolve(key, ""), met) for key in flatten(override.set))

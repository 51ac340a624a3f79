"""A study file: finding it, reading it, and the shape of its tables."""

import codecs
import json
import os.path
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import Field, SerializeAsAny, field_validator, model_validator

from ablations.study.designs import DESIGNS, Design
from ablations.study.settings import Settings, flatten
from ablations.study.stop import StopSpec
from ablations.study.text import DEEPEST, check_keys, check_size
from ablations.study.tune import TuneSpec
from ablations.text.columns import MAIN, known_quantities, quantity
from vae.errors import SpecError, unknown_name
from vae.latent import Embedding, Walk
from vae.metrics import METRICS, groups, usual_metrics
from vae.parts import Frozen
from vae.sources import Source

__all__ = [
    "MOST_ROWS",
    "SMOKE",
    "EvaluateSpec",
    "Override",
    "ReportSpec",
    "Said",
    "StudyFile",
    "asked",
    "builtin_studies",
    "check_evaluation",
    "check_metrics",
    "check_values",
    "find",
    "listed",
    "parse_axes",
    "read",
    "smoke_values",
]

SMOKE = {"data.limit": 256, "data.test_limit": 128, "train.epochs": 1, "train.batch_size": 32}
MOST_ROWS = 100_000  # of a study; their trials are checked, and listed, one by one
INTEGERS = range(-(2**63), 2**63)  # what TOML has
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
SMOKE_KEEPS = ("dataset", "model")  # axes that a smoke run keeps whole


class ReportSpec(Frozen):
    """What the report shows.

    Attributes:
        baseline: setting -> value of the configurations that others are compared with.
        metrics: by which the question is answered, in words, tables and curves; the first is the one that "best" means.
        embedding: how the latent space is mapped.
        interpolation: the way between two images in latent space.
    """

    baseline: dict[str, Any] = Field(default_factory=dict)
    metrics: tuple[str, ...] = MAIN
    embedding: Embedding = "tsne"
    interpolation: Walk = "linear"


class EvaluateSpec(Frozen):
    """What is measured of a trained model.

    Attributes:
        metrics: their names; `default` stands for every one of low expense, and `generation`, `likelihood` and
            `representation` for those that answer the question.
        options: metric -> its settings, in a study file `[evaluate.NAME]`.
    """

    metrics: tuple[str, ...] = ("default",)
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, table: Any) -> Any:
        """Take each table beside `metrics` as the settings of the metric that it is named after."""
        if not isinstance(table, Mapping):
            return table
        named = {key: value for key, value in table.items() if isinstance(value, Mapping) and key != "options"}
        rest = {key: value for key, value in table.items() if key not in named}
        return {**rest, "options": {**table.get("options", {}), **named}}


class Override(Frozen):
    """Settings for some of the trials alone, such as more epochs on one data set.

    Attributes:
        when: axis -> value, or list of values, that a trial must have.
        set: setting -> value, in place of the fixed one.
    """

    when: dict[str, Any] = Field(min_length=1)
    set: dict[str, Any] = Field(min_length=1)


def _grid() -> Design:
    return DESIGNS["grid"](kind="grid")


class StudyFile(Frozen):
    """The top level of a study file.

    Attributes:
        name: names the folder of results.
        title: and `question`: as the report prints them.
        fixed: setting -> value, for all trials.
        axes: axis -> list of values, or range.
        design: which combinations of the axes' values are trials.
        exclude: rules; a trial that matches every entry of one is skipped.
        include: rows added to the design's, over all seeds.
        override: settings for some of the trials alone.
        plugins: files of code that bring parts, relative to the study.
        evaluate: what is measured.
        report: what the report shows.
        tune: how it is searched, if it says so.
        stop: when trials are stopped early; None trains all to their end.
        smoke: whether it was shrunk.
        folder: that relative paths hang on; that of the file without it.
    """

    name: str = Field(min_length=1)
    title: str = ""
    question: str = ""
    fixed: dict[str, Any] = Field(default_factory=dict)
    axes: dict[str, Any] = Field(default_factory=dict)
    design: SerializeAsAny[Design] = Field(default_factory=_grid)
    exclude: tuple[dict[str, Any], ...] = ()
    include: tuple[dict[str, Any], ...] = ()
    override: tuple[Override, ...] = ()
    plugins: tuple[str, ...] = ()
    evaluate: EvaluateSpec = EvaluateSpec()
    report: ReportSpec = ReportSpec()
    tune: TuneSpec | None = None
    stop: StopSpec | None = None
    smoke: bool = False
    folder: str = ""

    @field_validator("design", mode="before")
    @classmethod
    def _choose(cls, settings: Any) -> Any:
        if not isinstance(settings, Mapping):
            return settings
        kind = str(settings.get("kind", "grid"))
        try:
            return DESIGNS[kind].parse({**settings, "kind": kind}, "")
        except SpecError as error:
            raise ValueError(str(error)) from None

    def shrunk(self) -> Self:
        """Return what a smoke run asks for; its axes and fixed settings are shrunk by who reads them."""
        changes = {"name": f"{self.name}-smoke", "tune": self.tune and self.tune.shrunk(), "smoke": True}
        # What a smoke run shrinks must stay small.
        return self.model_copy(update=changes | {"override": ()})


class Said:
    """What a study says of itself, as its file has it."""

    file: StudyFile

    @property
    def name(self) -> str:
        """Names the folder of results."""
        return self.file.name

    @property
    def title(self) -> str:
        """As reports print it."""
        return self.file.title

    @property
    def question(self) -> str:
        """As reports print it."""
        return self.file.question

    @property
    def report(self) -> ReportSpec:
        """What the report shows."""
        return self.file.report

    @property
    def tune(self) -> TuneSpec | None:
        """How it is searched, if it says so."""
        return self.file.tune

    @property
    def stop(self) -> StopSpec | None:
        """When trials are stopped early; None trains all to their end."""
        return self.file.stop

    @property
    def smoke(self) -> bool:
        """Whether it was shrunk."""
        return self.file.smoke


def builtin_studies() -> dict[str, Path]:
    """Return the studies that come with vaebench, by name."""
    folder = Path(str(resources.files("ablations") / "studies"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find(study: str | Path) -> Path:
    """Return the path of a built-in study, or of a TOML file.

    Raises:
        SpecError: there is neither; the message names the built-in ones.
    """
    path = Path(study)
    if isinstance(study, str) and study in builtin_studies():
        return builtin_studies()[study]
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises where the name is too long for a file
        return path
    near = get_close_matches(str(study), builtin_studies(), n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise SpecError(
        f"no study '{study}': there is no such file, and the built-in ones are {', '.join(builtin_studies())}.{hint}",
    )


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """Return a study file's text and its tables; one without a name gets the file's.

    Raises:
        SpecError: it can't be read, is no TOML, or says nothing.
    """
    try:
        check_size(path)
        text = _decoded(path)
        check_keys(text, str(path))
        table = tomllib.loads(text)
    except RecursionError:
        raise SpecError(
            f"{path}: lists or tables are nested too deeply; a study needs {DEEPEST} levels at most"
        ) from None
    except ValueError as error:  # no UTF-8, no TOML, or a number of thousands of digits
        raise SpecError(f"{path}: this is not TOML: {error}") from None
    except OSError as error:
        raise SpecError(f"{path}: can't be read: {error.strerror}") from None
    if not table:
        raise SpecError(
            f"{path}: says nothing. Expected a study: at least [axes] with a setting and its values, such as "
            "latent_dim = [2, 8]"
        )
    if "name" not in table:
        name = {"name": path.stem.encode("utf-8", "backslashreplace").decode()}
        table = name | table
        text = f"{tomli_w.dumps(name)}{text}"
    return text, table


def _decoded(path: Path) -> str:
    """Return a file's text.

    Raises:
        SpecError: it is no UTF-8; names the encoding that it seems to have.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a byte-order mark
    except UnicodeDecodeError as error:
        got = _encoding(content) or f"byte {content[error.start]:#04x} at place {error.start + 1}"
        raise SpecError(f"{path}: this is not UTF-8: got {got}. Save the file as UTF-8") from None
    if encoding := _encoding(content):
        raise SpecError(f"{path}: this is not UTF-8: got {encoding}. Save the file as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(content: bytes) -> str:
    """Return UTF-16 or UTF-32 where a file says so or its zero bytes betray it, as text has many; else ""."""
    for mark, name in _MARKS.items():  # that of UTF-32 begins with that of UTF-16
        if content.startswith(mark):
            return name
    begin = content[:200]
    sides = begin[::2], begin[1::2]
    letters = min(map(len, sides)) > 1 and sorted(map(any, sides)) == [False, True]
    return "UTF-16" if letters else ""


def check_values(table: Mapping[str, Any], where: str) -> None:
    """Refuse what no study needs and much would stumble over.

    Raises:
        SpecError: values are nested too deeply, an integer has more than 64 bits, or text is no valid Unicode.
    """
    level: list[tuple[str, Any]] = [("", table)]
    for _ in range(DEEPEST):
        inner: list[tuple[str, Any]] = []
        for key, value in level:
            if isinstance(value, Mapping):
                inner += [(f"{key}.{name}" if key else str(name), one) for name, one in value.items()]
                inner += [(key, str(name)) for name in value]
            elif isinstance(value, list | tuple):
                inner += [(key, one) for one in value]
            elif isinstance(value, int) and value not in INTEGERS:
                raise SpecError(
                    f"{where}: {key}: got an integer of {value.bit_length()} bits, expected what 64 bits hold"
                )
            elif isinstance(value, str) and not _is_unicode(value):
                raise SpecError(f"{where}: {key}: got {value!r}, which holds half of a surrogate pair: no text")
        level = inner
    if level:
        raise SpecError(f"{where}: {level[0][0][:60]}: nested more than {DEEPEST} levels deep; no setting is")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def parse_axes(table: Mapping[str, Any], settings: Settings, where: str) -> dict[str, tuple[Any, ...]]:
    """Return axis -> values as a study uses them, `seed` last.

    Raises:
        SpecError: an axis is unknown, empty, no list, or stands there twice.
    """
    axes: dict[str, tuple[Any, ...]] = {}
    places: dict[str, str] = {}
    for axis, values in flatten(table).items():
        key = f"{where}: axes.{axis}"
        place = settings.resolve(axis, f"{where}: axes")
        if place in places:
            raise SpecError(f"{key}: is the same setting as axes.{places[place]} ({place}): keep one of the two")
        places[place] = axis
        if not isinstance(values, list):
            raise SpecError(f"{key}: got {values!r}, expected a list of values: {axis} = [{values!r}]")
        if not values:
            raise SpecError(
                f"{key}: got an empty list, expected at least one value. Take the axis out to use the default"
            )
        seen: set[str] = set()
        for value in values:
            text = json.dumps(value, default=str)
            if text in seen:
                raise SpecError(f"{key}: {value!r} stands there twice: each value once")
            seen.add(text)
        axes[axis] = tuple(values)
    seeds = axes.pop("seed", None) or axes.pop("train.seed", None) or (0,)
    return {**axes, "seed": seeds}


def check_metrics(metrics: Sequence[str], where: str) -> None:
    """Refuse metrics that a report can't answer by.

    Raises:
        SpecError: there is none, one is unknown, has no better side, or stands there twice.
    """
    place = f"{where}: report.metrics"
    if not metrics:
        raise SpecError(
            f"{place}: got an empty list, expected at least one metric, the one that the best configuration is best by "
            f"first. Take it out to use the default: {list(MAIN)}"
        )
    known = [name for name in known_quantities() if quantity(name).better != "neither"]
    for at, name in enumerate(metrics):
        if name in metrics[:at]:
            raise SpecError(f"{place}: '{name}' stands there twice: each metric once")
        if name not in known_quantities():
            raise SpecError(f"{place}: {unknown_name('metric', name, known)}{METRICS.failures()}")
        if name not in known:
            raise SpecError(
                f"{place}: {name} is neither better low nor high, so that nothing can be best by it. Take it out: it "
                f"stands in the tables all the same. Expected some of {', '.join(sorted(known))}"
            )


def asked(evaluate: EvaluateSpec, sources: Iterable[Source]) -> dict[str, dict[str, Any]]:
    """Return metric -> settings of what is to be measured; plugins' metrics are among the usual ones."""
    together = {"default": list(usual_metrics(sources)), **groups()}
    names = [one for name in evaluate.metrics for one in together.get(name, [name])]
    return {name: evaluate.options.get(name, {}) for name in dict.fromkeys(names)}


def check_evaluation(evaluate: EvaluateSpec, where: str) -> None:
    """Refuse metrics and settings of theirs that can't be measured.

    Raises:
        SpecError: a metric is unknown or stands there twice, or a setting is unknown or out of range.
    """
    known = ["default", *groups(), *METRICS]
    for at, name in enumerate(evaluate.metrics):
        if name not in known:
            raise SpecError(f"{where}: evaluate.metrics: {unknown_name('metric', name, known)}{METRICS.failures()}")
        if name in evaluate.metrics[:at]:
            raise SpecError(f"{where}: evaluate.metrics: '{name}' stands there twice: each metric once")
    for name, settings in evaluate.options.items():
        if name not in METRICS:
            raise SpecError(f"{where}: evaluate.{name}: {unknown_name('metric', name, METRICS)}{METRICS.failures()}")
        METRICS[name].options.parse(settings, f"{where}: evaluate.{name}")


def smoke_values(axis: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values of an axis that a smoke run keeps: all data sets and models, one seed, the ends of others."""
    if axis in SMOKE_KEEPS:
        return tuple(values)
    return tuple(values[:1]) if axis == "seed" or len(values) == 1 else (values[0], values[-1])


def listed(value: Any) -> list[Any]:
    """Return a value as a list of values."""
    return list(value) if isinstance(value, list | tuple) else [value]

"""What one run is: data, model, loss and training, validated once and never changed after.

The configured object is the configuration: `RunSpec.model` is a `Network`, and each entry of `RunSpec.loss` a `Term`,
found in the registries by name, so that their settings are checked when the spec is built.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from vae.datasets import DATASETS, RANGES, DataSpec
from vae.errors import SpecError
from vae.networks import NETWORKS, Network
from vae.parts import Added, Frozen, Part, canonical_json, canonical_object
from vae.plugins import Luggage
from vae.posteriors import POSTERIORS, Posterior, usual_posterior, usual_prior
from vae.priors import PRIORS, Prior
from vae.registry import Registry
from vae.terms import TERMS, Term

__all__ = ["DataSpec", "RunSpec", "TrainSpec"]

_REGISTRIES: tuple[Registry[Any], ...] = (DATASETS, NETWORKS, POSTERIORS, PRIORS, TERMS)
_FIRST_PRIOR = "standard"  # that of all runs before there was a choice
_REACHES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "linear": (-float("inf"), float("inf"))}


class TrainSpec(Part):
    """How the model is trained.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: of Adam (Kingma and Ba, 2015).
        clip_norm: gradients are scaled down to this global norm; None leaves them.
        validation_limit: the curves after each epoch are of the first so many test images; no choice is made by them,
            save where a study's `[stop]` ends trials early.
        samples: draws of z for each image of a step, over which each term is averaged.
        seed: of weights, shuffling and sampling noise.
    """

    epochs: int = Field(20, ge=1)
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    clip_norm: float | None = Field(None, gt=0)
    validation_limit: int = Field(2000, ge=1)
    samples: Annotated[int, Field(ge=1), Added(before=1)] = 1
    seed: int = Field(0, ge=0, lt=2**32)


def _default_network() -> Network:
    return NETWORKS["conv"].shared({"name": "conv"}, "model")


def _chosen(registry: Registry[Any], settings: Any, section: str) -> Any:
    """Return the part that settings choose by its name."""
    if not isinstance(settings, Mapping):
        return settings
    name = settings.get("name")
    if not isinstance(name, str):
        raise SpecError(f"{section}.name: got {name!r}, expected one of {', '.join(registry)}{registry.failures()}")
    return registry[name].shared(settings, section)


def _is_point(info: ValidationInfo) -> bool:
    """Tell whether a run whose fields are being validated has a point for a posterior."""
    posterior, network = info.data.get("posterior"), info.data.get("model")
    return bool(posterior.deterministic if posterior else network and network.deterministic)


class RunSpec(Frozen):
    """One run, whole.

    >>> RunSpec.parse({"model": {"name": "dense", "latent_dim": 2}}, "run").model.latent_dim
    2
    """

    data: DataSpec = Field(default_factory=partial(DataSpec.shared, {}, "data"))
    model: SerializeAsAny[Network] = Field(default_factory=_default_network)
    posterior: SerializeAsAny[Posterior] | None = Field(None, validate_default=False)  # see `_fill`
    prior: SerializeAsAny[Prior] | None = Field(None, validate_default=False)
    loss: dict[str, SerializeAsAny[Term]] = Field(default_factory=dict)
    train: TrainSpec = Field(default_factory=partial(TrainSpec.shared, {}, "train"))

    @field_validator("data", "train", mode="before")
    @classmethod
    def _share(cls, settings: Any, info: ValidationInfo) -> Any:
        part: type[Part] = DataSpec if info.field_name == "data" else TrainSpec
        if not isinstance(settings, Mapping):
            return settings
        try:
            return part.shared(settings, "")
        except SpecError:
            return settings  # refused below, in one message with what else is wrong

    @field_validator("model", mode="before")
    @classmethod
    def _build_network(cls, settings: Any) -> Any:
        return _chosen(NETWORKS, settings, "model")

    @field_validator("posterior", mode="before")
    @classmethod
    def _build_posterior(cls, settings: Any, info: ValidationInfo) -> Any:
        network = info.data.get("model")
        if settings is None or network is None or network.deterministic:  # refused already; see `_fill`
            return None
        return _chosen(POSTERIORS, settings, "posterior")

    @field_validator("prior", mode="before")
    @classmethod
    def _build_prior(cls, settings: Any, info: ValidationInfo) -> Any:
        return None if settings is None or _is_point(info) else _chosen(PRIORS, settings, "prior")

    @field_validator("loss", mode="before")
    @classmethod
    def _build_terms(cls, settings: Any, info: ValidationInfo) -> Any:
        if not isinstance(settings, Mapping):
            raise SpecError(f"loss: got {settings!r}, expected a table of terms: {', '.join(TERMS)}{TERMS.failures()}")
        terms = {
            name: TERMS[name].shared(term, f"loss.{name}") if isinstance(term, Mapping) else term
            for name, term in ({name: {} for name in TERMS.unasked()} | dict(settings)).items()
        }
        if _is_point(info):  # so that equal runs have equal specs
            return {name: term for name, term in terms.items() if not getattr(term, "needs_posterior", False)}
        return terms

    @model_validator(mode="after")
    def _fill(self) -> "RunSpec":
        """Put what is usual where nothing is chosen, so that equal runs have equal specs, which then never change."""
        if self.posterior is None:
            self.__dict__["posterior"] = usual_posterior(self.model.deterministic)
        if self.prior is None and self.posterior is not None:
            self.__dict__["prior"] = usual_prior(self.posterior)
        return self

    @model_validator(mode="after")
    def _agree(self) -> "RunSpec":
        low, high = RANGES[self.data.range]
        reach = _REACHES[self.model.output]
        if not (reach[0] <= low and high <= reach[1]) or (
            reach[1] - reach[0] > high - low and self.model.output == "tanh"
        ):
            fit = [name for name, bounds in _REACHES.items() if bounds == (low, high)]
            raise SpecError(
                f"data.range = '{self.data.range}' gives pixels in [{low:g}, {high:g}], but model.output = "
                f"'{self.model.output}' reaches [{reach[0]:g}, {reach[1]:g}]: the two must agree. "
                f"Set model.output = '{fit[0]}' or change data.range",
            )
        for term in self.loss.values():
            term.check(self.data.range, self.model.output)
        return self

    @property
    def wants_labels(self) -> bool:
        """Whether a part of the run looks at the images' classes."""
        return self.model.conditional or any(term.needs_label for term in self.terms.values())

    @property
    def terms(self) -> dict[str, Term]:
        """The terms of the loss that have a weight: the others play no part in a training."""
        return {name: term for name, term in self.loss.items() if term.weight > 0}

    def digest(self, data_checksum: str = "") -> str:
        """Return the SHA-256 (hex) of the identity and the data's checksum: what tells a run from any other."""
        text = canonical_object({"spec": self.identity, "data": canonical_json(data_checksum)})
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def identity(self) -> str:
        """The canonical JSON of all that made the weights, and nothing else, made of that of the parts.

        Left out are terms without a weight, the place of the data, and each setting that a later version added, where
        it has the value that means what was done before (`Added`). A digest that a trial was recorded with is so the
        digest that it has today.
        """
        members = {
            "data": self.data.identity,
            "model": self.model.identity,
            "loss": canonical_object({name: term.identity for name, term in self.terms.items()}),
            "train": self.train.identity,
        }
        # What was there before there was a choice is no part of it.
        usual = usual_posterior(self.model.deterministic)
        if self.posterior is not None and self.posterior.identity != usual.identity:
            members["posterior"] = self.posterior.identity
        if self.prior is not None and self.prior.name != _FIRST_PRIOR:
            members["prior"] = self.prior.identity
        if origins := {f"{kind} {name}": origin for kind, name, origin in self._foreign()}:
            members["plugins"] = canonical_json(origins)
        return canonical_object(members)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Travel as plain settings, with the code of the parts that are not ours: their classes may not be there."""
        foreign = [(registry, name) for _, name, registry in self.parts() if registry.origin(name)]
        if not foreign:
            return super().__reduce_ex__(protocol)
        return _arrived, (Luggage.of(foreign), self.settings())

    def parts(self) -> Iterator[tuple[str, str, Registry[Any]]]:
        """Yield the kind, the name and the registry of each part that the run is made of."""
        yield "dataset", self.data.name, DATASETS
        yield "network", self.model.name, NETWORKS
        if self.posterior is not None:
            yield "posterior", self.posterior.name, POSTERIORS
        if self.prior is not None:
            yield "prior", self.prior.name, PRIORS
        yield from (("term", name, TERMS) for name in self.terms)

    def _foreign(self) -> Iterator[tuple[str, str, str]]:
        """Yield the kind and the name of each part that is not ours, and what identifies its code."""
        if not any(registry.has_guests for registry in _REGISTRIES):
            return
        for kind, name, registry in self.parts():
            if origin := registry.origin(name):
                yield kind, name, origin


def _arrived(luggage: Luggage, settings: Mapping[str, Any]) -> RunSpec:
    """Return the run that was sent here as settings."""
    luggage.unpack()
    return RunSpec.parse(settings, "run")

"""What one run is: data, model, loss and training, validated once and never changed after.

The configured object is the configuration: `RunSpec.model` is a `Network`, and each entry of `RunSpec.loss` a `Term`,
found in the registries by name, so that their settings are checked when the spec is built.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from vae.datasets import RANGES, DataSpec
from vae.errors import SpecError
from vae.networks import NETWORKS, Network
from vae.parts import Frozen, Part, canonical_json, canonical_object
from vae.terms import TERMS, Term

__all__ = ["DataSpec", "RunSpec", "TrainSpec"]

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
        seed: of weights, shuffling and sampling noise.
    """

    epochs: int = Field(20, ge=1)
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    clip_norm: float | None = Field(None, gt=0)
    validation_limit: int = Field(2000, ge=1)
    seed: int = Field(0, ge=0, lt=2**32)


def _default_network() -> Network:
    return NETWORKS["conv"].shared({"name": "conv"}, "model")


class RunSpec(Frozen):
    """One run, whole.

    >>> RunSpec.parse({"model": {"name": "dense", "latent_dim": 2}}, "run").model.latent_dim
    2
    """

    data: DataSpec = Field(default_factory=partial(DataSpec.shared, {}, "data"))
    model: SerializeAsAny[Network] = Field(default_factory=_default_network)
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
        if not isinstance(settings, Mapping):
            return settings
        if not isinstance(settings.get("name"), str):
            raise SpecError(
                f"model.name: got {settings.get('name')!r}, expected one of {', '.join(NETWORKS)}{NETWORKS.failures()}"
            )
        return NETWORKS[settings["name"]].shared(settings, "model")

    @field_validator("loss", mode="before")
    @classmethod
    def _build_terms(cls, settings: Any, info: ValidationInfo) -> Any:
        if not isinstance(settings, Mapping):
            raise SpecError(f"loss: got {settings!r}, expected a table of terms: {', '.join(TERMS)}{TERMS.failures()}")
        terms = {
            name: TERMS[name].shared(term, f"loss.{name}") if isinstance(term, Mapping) else term
            for name, term in ({name: {} for name in TERMS} | dict(settings)).items()
        }
        network = info.data.get("model")
        if network is not None and network.deterministic:  # so that equal runs have equal specs
            return {name: term for name, term in terms.items() if not getattr(term, "needs_posterior", False)}
        return terms

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
    def terms(self) -> dict[str, Term]:
        """The terms of the loss that have a weight: the others play no part in a training."""
        return {name: term for name, term in self.loss.items() if term.weight > 0}

    def digest(self, data_checksum: str = "") -> str:
        """Return the SHA-256 (hex) of the identity and the data's checksum: what tells a run from any other."""
        text = canonical_object({"spec": self.identity(), "data": canonical_json(data_checksum)})
        return hashlib.sha256(text.encode()).hexdigest()

    def identity(self) -> str:
        """Return the canonical JSON of all that made the weights, and nothing else, made of that of the parts.

        Left out are terms without a weight, the place of the data, and each setting that a later version added, where
        it has the value that means what was done before (`Added`). A digest that a trial was recorded with is so the
        digest that it has today.
        """
        terms = canonical_object({name: term.identity for name, term in self.terms.items()})
        return canonical_object(
            {"data": self.data.identity, "model": self.model.identity, "loss": terms, "train": self.train.identity}
        )

"""What a traced training step holds as constants: runs that agree in it can share one traced model."""

from vae.parts import canonical_json
from vae.spec import RunSpec

__all__ = ["graph_key"]


def graph_key(spec: RunSpec) -> str:
    """Return all of a run's settings that its graph depends on: no seed, no learning rate, no weight of a term.

    It needs no backend, so that whoever deals out trials can put those of one graph together.
    """
    # A weight is a variable, but a term of weight zero is not in the graph.
    terms = {name: term.settings() | {"weight": term.weight > 0} for name, term in spec.loss.items()}
    # The data's limit and the batch size decide whether there is a smaller batch, and so which shapes are traced.
    train = [spec.train.batch_size, spec.train.clip_norm, spec.train.samples]
    latent = [None if one is None else one.settings() for one in (spec.posterior, spec.prior)]
    return canonical_json([spec.model.settings(), latent, terms, spec.data.settings(), train])

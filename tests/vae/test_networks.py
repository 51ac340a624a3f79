from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vae.cost import cost
from vae.networks import NETWORKS, Network
from vae.posteriors import usual_posterior

sides = st.integers(8, 70)
shapes = st.tuples(sides, sides, st.sampled_from([1, 3, 4]))


def network(name: str, **options: Any) -> Network:
    return NETWORKS[name].parse({"name": name, **options}, "model")


def assembled(one: Network, shape: Any) -> Any:
    from vae.assembly import assemble

    return assemble(one, usual_posterior(one.deterministic), shape, 0)


def shape_of(layers: Any, shape: Any) -> Any:
    for layer in layers:
        shape = layer.shape(shape)
    return shape


@given(shape=shapes, decoder=st.sampled_from(["mirrored", "paper"]), blocks=st.one_of(st.none(), st.integers(1, 6)))
def test_the_output_has_exactly_the_inputs_shape(shape: Any, decoder: str, blocks: int | None) -> None:
    conv = network("conv", decoder=decoder, blocks=blocks, latent_dim=3)
    assert shape_of(conv.decoder_layers(shape), (3,)) == shape
    assert len(shape_of(conv.encoder_layers(shape), shape)) == 1


@settings(max_examples=8, deadline=None)
@given(
    shape=st.tuples(st.integers(8, 20), st.integers(8, 20), st.sampled_from([1, 3])),
    name=st.sampled_from(list(NETWORKS)),
)
def test_keras_builds_what_is_described(shape: Any, name: str) -> None:
    one = network(name, latent_dim=3)
    encoder, decoder = assembled(one, shape)
    assert decoder.output_shape == (None, *shape)
    trainable = [*encoder.trainable_variables, *decoder.trainable_variables]
    assert cost(one, shape).parameters == sum(int(np.prod(variable.shape)) for variable in trainable)
    assert {head.shape for head in encoder.outputs} == {(None, 3)}


@pytest.mark.parametrize("normalization", ["none", "batch", "group"])
@pytest.mark.parametrize("decoder", ["mirrored", "paper"])
def test_parameters_are_counted_with_every_normalisation(decoder: str, normalization: str) -> None:
    one = network("conv", decoder=decoder, normalization=normalization, filters=[6, 12])
    encoder, decoder_model = assembled(one, (13, 9, 3))
    variables = [*encoder.trainable_variables, *decoder_model.trainable_variables]
    assert cost(one, (13, 9, 3)).parameters == sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize(("side", "blocks"), [(8, 1), (16, 2), (28, 2), (32, 3), (64, 4), (128, 4)])
def test_the_papers_rule_for_the_number_of_blocks(side: int, blocks: int) -> None:
    from vae.networks.conv import ConvVAE

    assert ConvVAE().depth((side, side, 3)) == blocks


def filters(layers: Any, kind: str) -> list[int]:
    return [layer.filters for layer in layers if type(layer).__name__ == kind]


def test_the_decoders_filters() -> None:
    fashion, cifar = (28, 28, 1), (32, 32, 3)
    mirrored, paper = network("conv"), network("conv", decoder="paper")
    assert filters(mirrored.encoder_layers(fashion), "Conv") == [32, 64]
    assert filters(mirrored.decoder_layers(fashion), "ConvTranspose") == [64, 32, 1]
    assert filters(mirrored.decoder_layers(cifar), "ConvTranspose") == [128, 64, 32, 3]
    assert filters(paper.decoder_layers(fashion), "ConvTranspose") == [128, 256, 1]
    assert filters(paper.decoder_layers(cifar), "ConvTranspose") == [64, 128, 256, 3]


def test_the_papers_decoder_costs_several_times_more() -> None:
    mirrored, paper = (cost(network("conv", decoder=kind), (28, 28, 1)) for kind in ("mirrored", "paper"))
    assert paper.flops_per_image / mirrored.flops_per_image == pytest.approx(6.9, abs=0.1)


def test_operations_of_a_small_network_by_hand() -> None:
    # 64 values -> 5 -> 2 (mean) | 2 -> 2 -> 5 -> 64: two operations a weight.
    dense = network("dense", latent_dim=2, hidden_units=[5])
    assert cost(dense, (8, 8, 1)).flops_per_image == 2 * (64 * 5 + 5 * 2 + 2 * 2 + 2 * 5 + 5 * 64)


def test_listing_1_to_the_letter() -> None:
    encoder, decoder = assembled(network("dense", latent_dim=16), (28, 28, 1))

    def dense(model: Any) -> list[tuple[int, str]]:
        return [(layer.units, layer.activation.__name__) for layer in model.layers if hasattr(layer, "units")]

    assert dense(encoder) == [(64, "relu"), (32, "relu"), (16, "relu")]
    assert dense(decoder) == [(16, "relu"), (32, "relu"), (64, "relu"), (784, "sigmoid")]

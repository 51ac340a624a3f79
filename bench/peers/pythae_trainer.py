"""The peer `pythae`: pythae's own trainer (Chadebec, Vincent and Allassonniere, 2022) on PyTorch, with our modules.

The modules are made from the same description of layers as our own Keras models, so that widths and parameters are
equal. pythae's BetaVAE minimises 1/2 sum (x - y)^2 + beta KL; ours is twice that with kl_weight = 2 beta, and Adam does
not see the factor. Everything else is pythae's default: its data set, its loader, its evaluation after each epoch.
They are imported inside functions, since our own environments have neither pythae nor PyTorch.
"""

import logging
import time
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers._contract import Notebook, Task, TrialNotes
from vae.layers import Conv, ConvTranspose, Crop, Dense, Flatten, Layer, LeakyReLU, Reshape, Shape
from vae.networks import LayeredNetwork
from vae.networks.conv import ConvVAE

__all__ = ["build_model", "main", "wrapped"]

BATCH = 500


def _modules(layer: Layer, given: Shape) -> list[Any]:
    """Return PyTorch's modules for one of our layers, whose input has shape `given` (height, width, channels)."""
    from torch import nn

    modules: list[Any]
    match layer:
        case Dense():
            modules = [nn.Linear(given[0], layer.units)]
        case Conv():
            pad = layer.kernel // 2
            modules = [nn.Conv2d(given[2], layer.filters, layer.kernel, stride=layer.stride, padding=pad)]
        case ConvTranspose():
            sizes = {"stride": layer.stride, "padding": layer.kernel // 2, "output_padding": layer.stride - 1}
            modules = [nn.ConvTranspose2d(given[2], layer.filters, layer.kernel, **sizes)]
        case LeakyReLU():
            modules = [nn.LeakyReLU(layer.slope)]
        case Flatten():
            modules = [nn.Flatten()]
        case Reshape():
            height, width, channels = layer.target
            modules = [nn.Unflatten(1, (channels, height, width))]
        case Crop():
            top, left = layer.height // 2, layer.width // 2
            modules = [nn.ZeroPad2d((-left, left - layer.width, -top, top - layer.height))]
        case _:
            raise TypeError(f"no PyTorch module for the layer {layer!r}: add one to bench/peers/pythae_trainer.py")
    activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
    activation = getattr(layer, "activation", "linear")
    return modules if activation == "linear" else [*modules, activations[activation]()]


def _sequence(layers: tuple[Layer, ...], given: Shape) -> tuple[Any, Shape]:
    from torch import nn

    modules: list[Any] = []
    for layer in layers:
        modules += _modules(layer, given)
        given = layer.shape(given)
    return nn.Sequential(*modules), given


def build_model(shape: Shape, latent_dim: int, kl_weight: float) -> Any:
    """Return pythae's model around our convolutional network, mirrored and without normalisation."""
    return wrapped(ConvVAE(latent_dim=latent_dim), shape, beta=kl_weight / 2)


def wrapped(network: LayeredNetwork, shape: Shape, **settings: Any) -> Any:
    """Return pythae's BetaVAE, of these settings, around a network of ours."""
    from pythae.models import BetaVAE, BetaVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from torch import nn

    latent_dim = network.latent_dim

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            BaseEncoder.__init__(self)
            self.layers, features = _sequence(network.encoder_layers(shape), shape)
            self.mean = nn.Linear(prod(features), latent_dim)
            self.log_var = nn.Linear(prod(features), latent_dim)

        def forward(self, x: Any) -> Any:
            features = self.layers(x)
            return ModelOutput(embedding=self.mean(features), log_covariance=self.log_var(features))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            BaseDecoder.__init__(self)
            self.layers, _ = _sequence(network.decoder_layers(shape), (latent_dim,))

        def forward(self, z: Any) -> Any:
            return ModelOutput(reconstruction=self.layers(z))

    height, width, channels = shape
    config = BetaVAEConfig(input_dim=(channels, height, width), latent_dim=latent_dim, **settings)
    return BetaVAE(config, encoder=Encoder(), decoder=Decoder())


def _clock(notes: TrialNotes, model: Any, test: Any) -> Any:
    """Return the callback that times the steps of each epoch, without pythae's evaluation after it."""
    from pythae.trainers.training_callbacks import TrainingCallback

    class Clock(TrainingCallback):
        began = ended = 0.0

        def on_train_step_begin(self, training_config: Any, **_: Any) -> None:  # noqa: ARG002 - pythae's signature
            self.began = time.perf_counter()  # called once, before the first batch of an epoch

        def on_train_step_end(self, training_config: Any, **_: Any) -> None:  # noqa: ARG002
            self.ended = time.perf_counter()

        def on_epoch_end(self, training_config: Any, **_: Any) -> None:  # noqa: ARG002
            with notes.notebook.uncounted():
                notes.epoch(self.ended - self.began, _reconstruct(model, test))

    return Clock()


def _reconstruct(model: Any, test: Any) -> NDArray[np.float32]:
    """Return the decoded means of the test images (n, height, width, channels)."""
    import torch

    model.eval()
    with torch.no_grad():
        decoded = [model.decoder(model.encoder(batch).embedding).reconstruction for batch in test.split(BATCH)]
    return np.ascontiguousarray(torch.cat(decoded).numpy().transpose(0, 2, 3, 1))


def main() -> None:
    """Run the study of the command line."""
    import torch
    from pythae.data.datasets import BaseDataset
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    task = Task.parse()
    logging.getLogger("pythae").setLevel(logging.WARNING)
    notebook = Notebook(task)
    images = [torch.from_numpy(part.transpose(0, 3, 1, 2).astype(np.float32) / 255) for part in task.images()]
    train, test = (BaseDataset(part.contiguous(), torch.zeros(len(part))) for part in images)
    channels, height, width = train.data.shape[1:]
    for latent_dim, seed in task.trials():
        notes = notebook.begin(latent_dim, seed)
        torch.manual_seed(seed)
        model = build_model((height, width, channels), latent_dim, task.kl_weight)
        config = BaseTrainerConfig(
            output_dir=str(task.out / "pythae"),
            num_epochs=task.epochs,
            per_device_train_batch_size=task.batch_size,
            per_device_eval_batch_size=task.batch_size,
            learning_rate=task.learning_rate,
            seed=seed,
            no_cuda=True,
        )
        BaseTrainer(model, train, test, config, callbacks=[_clock(notes, model, test.data)]).train()
        notes.finish(sum(weight.numel() for weight in model.parameters()), _reconstruct(model, test.data))
    notebook.close("pythae", "torch", "numpy")


if __name__ == "__main__":
    main()

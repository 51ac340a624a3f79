"""pythae's side of `bench.peers.likelihood`, run in pythae's environment: GIVEN.npz OUT.npy DRAWS."""

import sys
from pathlib import Path

import numpy as np

from bench.peers.likelihood import NETWORK
from bench.peers.pythae_trainer import wrapped

__all__ = ["main"]


def main(given: Path, out: Path, draws: int) -> None:
    """Write the bound of each image."""
    import torch

    arrays = dict(np.load(given))
    images = torch.from_numpy(np.ascontiguousarray(arrays.pop("images").transpose(0, 3, 1, 2)))
    channels, height, width = images.shape[1:]
    model = wrapped(NETWORK, (height, width, channels), reconstruction_loss="bce")
    for name, part in (("encoder", model.encoder), ("decoder", model.decoder)):
        layers = [layer for layer in part.modules() if isinstance(layer, torch.nn.Linear)]
        for place, layer in enumerate(layers):
            # PyTorch multiplies by the transposed kernel.
            layer.weight.data = torch.from_numpy(arrays.pop(f"{name}_{place}").T.copy())
            layer.bias.data = torch.from_numpy(arrays.pop(f"{name}_{place}_bias"))
    if arrays:
        raise ValueError(f"weights without a layer: {sorted(arrays)}")
    torch.manual_seed(0)
    model.eval()
    with torch.no_grad():
        found = [-float(model.get_nll(images[at : at + 1], draws, draws)) for at in range(len(images))]
    np.save(out, np.array(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

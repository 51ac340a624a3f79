"""The peer `keras`: our own model trained by Keras' `fit` alone, no harness around it.

No checkpoint, no store, no schedule and no evaluation between epochs; trials one after the other with all cores.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from bench.peers._contract import Notebook, Task
from bench.peers._keras_clock import Clock
from vae.cost import cost
from vae.model import VAE
from vae.networks import NETWORKS
from vae.terms import TERMS

__all__ = ["main"]


def main() -> None:
    """Run the study of the command line."""
    task = Task.parse()
    notebook = Notebook(task)
    train, test = (np.divide(images, np.float32(255), dtype=np.float32) for images in task.images())
    for latent_dim, seed in task.trials():
        notes = notebook.begin(latent_dim, seed)
        keras.utils.set_random_seed(seed)
        network = NETWORKS["conv"].parse({"name": "conv", "latent_dim": latent_dim}, "model")
        loss = {"reconstruction": TERMS["reconstruction"](), "kl": TERMS["kl"](weight=task.kl_weight)}
        model = VAE(network, loss, train.shape[1:], seed=seed)
        model.compile(optimizer=keras.optimizers.Adam(task.learning_rate))

        def reconstruct(model: VAE = model) -> NDArray[np.float32]:
            return model.decode(model.encode(test)[0])

        clock = Clock(notes, reconstruct)
        model.fit(train, batch_size=task.batch_size, epochs=task.epochs, callbacks=[clock], verbose=0)
        notes.finish(cost(network, model.shape).parameters, reconstruct())
    notebook.close("keras", "tensorflow", "numpy")


if __name__ == "__main__":
    main()

"""MNIST: handwritten digits (LeCun, Bottou, Bengio, Haffner, 1998)."""

from collections.abc import Sequence
from typing import ClassVar

from vae.datasets._base import DATASETS
from vae.datasets._idx import NAMES, IdxDataset
from vae.datasets._official import OfficialFile

__all__ = ["Mnist"]


@DATASETS.register("mnist")
class Mnist(IdxDataset):
    """Handwritten digits, 10 classes, 28 x 28 grey, 60,000 training and 10,000 test images."""

    title = "MNIST"
    licence = "CC BY-SA 3.0"
    source = "LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, Proc. IEEE 1998"
    keras = "mnist"
    folders = ("mnist", "MNIST/raw", "MNIST")
    archives = ("mnist.npz",)
    class_names = tuple("0123456789")
    # Of the content of the .gz files, whose published MD5s begin with f68b3c2d, d53e105e, 9fb629c4 and ec29112d.
    files: ClassVar[Sequence[OfficialFile]] = (
        OfficialFile(NAMES[0], 47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        OfficialFile(NAMES[1], 60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        OfficialFile(NAMES[2], 7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        OfficialFile(NAMES[3], 10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    )

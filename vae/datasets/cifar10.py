"""CIFAR-10: small photographs of objects (Krizhevsky, 2009)."""

from collections.abc import Sequence
from typing import ClassVar

from vae.datasets._base import DATASETS
from vae.datasets._cifar import LICENCE, SOURCE, CifarDataset
from vae.datasets._official import OfficialFile

__all__ = ["Cifar10"]


@DATASETS.register("cifar10")
class Cifar10(CifarDataset):
    """Photographs of objects, 10 classes, 32 x 32 colour, 50,000 training and 10,000 test images."""

    title = "CIFAR-10"
    licence = LICENCE
    source = SOURCE
    keras = "cifar10"
    label_key = "labels"
    folders = (
        "cifar10",
        "cifar10/cifar-10-batches-py",
        "cifar-10-batches-py",
        "cifar-10-batches-py-target/cifar-10-batches-py",
    )
    archives = ("cifar-10-python.tar.gz", "cifar-10-batches-py.tar.gz", "cifar-10-batches-py-target_archive")
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    # Of files that have the published MD5s, given beside each.
    files: ClassVar[Sequence[OfficialFile]] = (
        # c99cafc152244af753f735de768cd75f
        OfficialFile("data_batch_1", 31_035_704, "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd"),
        # d4bba439e000b95fd0a9bffe97cbabec
        OfficialFile("data_batch_2", 31_035_320, "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8"),
        # 54ebc095f3ab1f0389bbae665268c751
        OfficialFile("data_batch_3", 31_035_999, "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9"),
        # 634d18415352ddfa80567beed471001a
        OfficialFile("data_batch_4", 31_035_696, "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b"),
        # 482c414d41f54cd18b22e5b47cb7c3cb
        OfficialFile("data_batch_5", 31_035_623, "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154"),
        # 40351d587109b95175f43aff81a1287e
        OfficialFile("test_batch", 31_035_526, "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831"),
    )

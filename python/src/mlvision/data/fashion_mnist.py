"""Fashion-MNIST (MIT licence): 70 000 grey images of 28 x 28 pixels in 10 classes, as gzipped IDX files.

The format (LeCun's): two zero bytes, type 8 (unsigned byte), the number of dimensions, each dimension
as a big-endian 32-bit number, then the bytes.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from mlvision.data.published import Source, check_md5, fetch
from mlvision.errors import DataCorrupt

URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def read_fashion_mnist(
    source: Source,
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor], Path]:
    """Give (images, labels) for training and test, and the folder.

    Images are uint8 [N, 1, 28, 28], labels int64 [N].
    """
    folder = source.root / "fashion_mnist"
    for name, md5 in _MD5.items():
        path = folder / name
        if not path.exists():
            fetch(URL + name, path, md5, source, "fashion_mnist")
        elif source.verify:
            check_md5(path, md5)
    return _read_part(folder, "train"), _read_part(folder, "t10k"), folder


def _read_part(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    path = folder / f"{part}-images-idx3-ubyte.gz"
    images = read_idx(path, 3)
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz", 1).long()
    if len(images) != len(labels):
        raise DataCorrupt(f"{path} has {len(images)} images, but there are {len(labels)} labels.")
    if len(labels) == 0 or int(labels.max()) >= len(CLASS_NAMES):
        raise DataCorrupt(f"the labels beside {path} are not 0 to {len(CLASS_NAMES) - 1}.")
    return images[:, None], labels


def read_idx(path: Path, dimensions: int) -> Tensor:
    """Read a gzipped IDX file of unsigned bytes with that many dimensions.

    :raises DataCorrupt: when it is damaged, cut off, or something else.
    """
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataCorrupt(f"{path} is damaged or no gzip file ({error}).") from None
    head = 4 + 4 * dimensions
    if len(data) < head or data[:4] != bytes([0, 0, 8, dimensions]):
        raise DataCorrupt(f"{path} is no IDX file of bytes with {dimensions} dimensions.")
    shape = struct.unpack(f">{dimensions}I", data[4:head])
    if math.prod(shape) != len(data) - head:
        raise DataCorrupt(f"{path} says it holds {shape} values, but {len(data) - head} are there.")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8, offset=head).view(shape)

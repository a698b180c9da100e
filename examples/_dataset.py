"""Labelled images: where they come from, what they must satisfy, and how they are split."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

LARGEST = 2**32  # bytes of a data set, unpacked


class Examples(NamedTuple):
    """Images of shape (number, height, width, channels) and their classes, 0, 1, ..."""

    images: np.ndarray
    labels: np.ndarray


class Dataset(NamedTuple):
    """Images to learn from, and a held-out fifth with every class in proportion."""

    name: str
    training: Examples
    held_out: Examples
    num_classes: int


def digits() -> Dataset:
    """Returns the 1,797 handwritten digits, 8 x 8 pixels each, that come with scikit-learn."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return split("handwritten digits", pixels.reshape(-1, 8, 8), labels)


def from_file(path: str) -> Dataset:
    """Returns the data set in an .npz file of two arrays.

    Its `x` has shape (number, height, width) or (number, height, width, channels) and holds real
    numbers; its `y` has shape (number,) and holds integers, one per class.

    Raises:
        ValueError: if there is no such file, or if it holds something else.
    """
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path!r}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path!r} is no .npz file: write one with numpy.savez(path, x=x, y=y)")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"it holds {size:,} bytes, but at most {LARGEST:,} will do")
        with np.load(path, allow_pickle=False) as arrays:
            x, y = arrays["x"], arrays["y"]
        if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray)):  # but a text, say
            raise ValueError("they are no arrays")
    except Exception as error:  # numpy has many, for all that can be wrong with a foreign file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"cannot read x and y from {path!r}: {reason}") from None
    _check(x, y)
    return split(Path(path).name, x, y)


def split(name: str, x: np.ndarray, y: np.ndarray) -> Dataset:
    """Returns the data set, standardised, with every fifth image of each class held out.

    The mean and the standard deviation are those of all training pixels.
    """
    classes, labels = np.unique(y, return_inverse=True)
    shuffled = np.random.default_rng(0).permutation(len(y))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    held_out = np.zeros(len(y), bool)
    held_out[by_class[::5]] = True

    images = x.reshape(*x.shape[:3], -1).astype(np.float64)
    seen = images[~held_out]
    images = ((images - seen.mean()) / (seen.std() or 1)).astype(np.float32)
    return Dataset(
        name=name,
        training=Examples(images[~held_out], labels[~held_out].astype(np.int32)),
        held_out=Examples(images[held_out], labels[held_out].astype(np.int32)),
        num_classes=len(classes),
    )


def _check(x: np.ndarray, y: np.ndarray) -> None:
    """Refuses arrays that are not labelled images.

    Raises:
        ValueError: saying what is wrong and what is needed.
    """
    if x.dtype.kind not in "biuf":
        raise ValueError(f"x must hold real numbers, got dtype {x.dtype}")
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise ValueError(
            f"x must have shape (number, height, width) or (number, height, width, channels), "
            f"got {x.shape}"
        )
    if y.dtype.kind not in "biu":
        raise ValueError(f"y must hold integers, got dtype {y.dtype}")
    if y.shape != x.shape[:1]:
        raise ValueError(f"y must have one label per image, shape {x.shape[:1]}, got {y.shape}")
    with np.errstate(over="ignore"):
        finite = np.isfinite(x.astype(np.float32))
    if not finite.all():
        raise ValueError(f"x holds {np.sum(~finite)} values that are not finite in float32")
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, got only {classes[0]}")
    if counts.min() < 2:
        raise ValueError(
            f"every class needs two images, one to learn from and one to hold out, "
            f"but label {classes[counts.argmin()]} occurs once"
        )

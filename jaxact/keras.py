"""Keras 3, on its JAX backend: models with our activations are saved, and load with the same.

Importing this module registers every activation of the catalogue, and what `jaxact.get` makes, with
`keras.saving`. It needs Keras, and nothing else here imports it. A model that names them is loaded
where this module has been imported, too.

Example:
    >>> import jaxact.keras  # doctest: +SKIP
    >>> keras.layers.Dense(8, activation=jaxact.get("torch:gelu"))  # doctest: +SKIP
"""

from keras.saving import register_keras_serializable  # pyright: ignore[reportMissingImports]

from ._catalog import CATALOG
from .names import Named

__all__: list[str] = []  # what it registers is found by Keras

PACKAGE = "jaxact"  # what saved models call an activation begins with this

for _entry in CATALOG.values():
    register_keras_serializable(PACKAGE)(_entry.function)
register_keras_serializable(PACKAGE)(Named)

"""Every test runs on eight virtual devices, and under JAX's strictest rules of promotion."""

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def standard_promotion():
    """The usual rules of promotion: some layers of Flax and optimizers of optax need them."""
    with jax.numpy_dtype_promotion("standard"):
        yield

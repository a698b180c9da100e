"""Gates: one array times a function of another.

With h = exp(-abs(gate) / 2) the exponential h * h and its products with a large first array keep
their tails without scaling.
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import axis_index, real
from .._catalog import activation
from .._derivatives import Kernel


@activation(
    formula=lambda m, x, gate: x / (1 + m.exp(-gate)),
    source="Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083",
    kind="gate",
    ulps=(4.0, 5.0, 7.0),
    elsewhere={"torch:glu": {}, "keras:glu": {}},
)
def glu(x: ArrayLike, axis: int = -1, *, gate: ArrayLike | None = None) -> Array:
    """Gated linear unit: one half of the features, times the sigmoid of the other half.

        glu(x) = a * sigmoid(b), where a is the first half of x along the axis and b the second
        glu(x, gate=b) = x * sigmoid(b)

    The two arrays need no communication where features are sharded: halves of one array lie on
    different devices, so prefer two projections, or one whose output is split before sharding.

    Args:
        x: pre-activations of any real dtype, with an even number of features along `axis`; with
            `gate`, of any shape. Integers become the default float.
        axis: the axis to be split; of no effect with `gate`.
        gate: what opens the gate, an array that broadcasts against x; by default the second half.

    Returns:
        Array of the float dtype of `x` with half the features along `axis`; with `gate`, of the
        shape of `x` (and `gate`, broadcast).

    Accuracy:
        float32: value 4, slopes 5, second derivatives 7 ULP, tails included. 16 bits: half an ULP,
        and 2^-10. Reverse mode keeps the two arrays.

    Edges:
        A gate of -inf closes: 0 for every finite x. NaN in either array gives NaN, with slope NaN.

    Raises:
        TypeError: if `x` or `gate` is complex.
        ValueError: if the features cannot be halved, or without such an axis; if `gate` does not
            broadcast against `x`.

    Source:
        Dauphin, Fan, Auli & Grangier, ICML 2017, arXiv:1612.08083

    Example:
        >>> jaxact.glu(jnp.array([1.0, 2.0, 0.0, 5.0]))
        Array([0.5      , 1.9866143], dtype=float32)
    """
    if gate is None:
        x, gate = _halves("glu", x, axis)
    return GLU(x, real(gate, "glu"))


def _halves(name: str, x: ArrayLike, axis: int) -> tuple[Array, Array]:
    """The first and the second half along an axis.

    Raises:
        ValueError: if there is no such axis, or if it has an odd size.
    """
    x = real(x, name)
    axis = axis_index(name, axis, x.ndim)
    if x.shape[axis] % 2:
        raise ValueError(
            f"jaxact.{name}: axis {axis} has {x.shape[axis]} features, an odd number, which cannot "
            "be halved: make it even, or pass gate"
        )
    first, second = jnp.split(x, 2, axis)
    return first, second


def _root_decay(m, gate):
    """exp(-abs(gate) / 2), and 0 where its square has vanished."""
    half = 0.5 * m.absolute(gate)
    limit = -m.lowest(gate)
    return jnp.where(half > limit, 0.0, m.exp(-m.at_most(half, limit)))


def _glu(m, x, gate):
    h = _root_decay(m, gate)
    return jnp.where(gate >= 0, x, x * h * h) / (1 + h * h)


def _glu_by_x(m, x, gate):
    h = _root_decay(m, gate)
    return jnp.where(gate >= 0, 1.0, h * h) / (1 + h * h)


def _glu_by_gate(m, x, gate):
    h = _root_decay(m, gate)
    q = 1 + h * h
    return x * h * h / (q * q)


def _glu_by_x_and_gate(m, x, gate):
    h = _root_decay(m, gate)
    q = 1 + h * h
    return h * h / (q * q)


def _glu_by_gate_twice(m, x, gate):
    h = _root_decay(m, gate)
    q = 1 + h * h
    closing = -m.expm1(-m.at_most(m.absolute(gate), -m.lowest(gate)))
    return m.with_sign(closing, -gate) * x * h * h / (q * q * q)


GLU = Kernel(
    _glu,
    x=Kernel(_glu_by_x, gate=_glu_by_x_and_gate),
    gate=Kernel(_glu_by_gate, x=_glu_by_x_and_gate, gate=_glu_by_gate_twice),
)

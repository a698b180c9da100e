"""What programs are compiled for: a device, which need not be there."""

from collections.abc import Callable
from typing import Any

import jax

TARGETS: dict[str, Callable[[], Any]] = {
    "cpu": lambda: jax.devices("cpu")[0],
}

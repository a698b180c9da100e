"""What derivative rules are made of: primitives of our own, or `jax.checkpoint` alone.

Setting the environment variable JAXACT_RULE=checkpoint before import does without primitives,
should a future JAX move what they are registered with. Values agree within the promised bounds and
derivatives too, but everything is computed by XLA's own functions; under a user's own
`jax.checkpoint` with a saving policy inside a scan the input is kept twice (3.44 arrays a layer
instead of 2.29); and second derivatives through a `lax.scan` are those of the arithmetic of the
value, not of the closed forms.
"""

import os

RULES = ("primitive", "checkpoint")

_rule = os.environ.get("JAXACT_RULE", RULES[0])
if _rule not in RULES:
    raise ValueError(f"JAXACT_RULE is {_rule!r}, but must be one of {', '.join(RULES)}")

HAS_PRIMITIVES = _rule == "primitive"

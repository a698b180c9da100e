"""Programs that JAX traced: their activations found, and run again with something done at each.

`programs` makes a flat list of steps of a trace, `sites` finds the activations among them, which
`recognition` knows by their values, and `running` runs it. Diagnostics read there, and nothing here
knows of them.
"""

__all__: list[str] = []  # nothing here is public

"""Ctrl-C, heeded only where the work can stop."""

import signal
from typing import Any


class Interruption:
    """Notes Ctrl-C while it is entered, in `noted`. A second one is raised at once.

    Raised anywhere, it may come in the midst of a compilation, where JAX loses it or crashes.
    """

    def __init__(self):
        self.noted = False
        self._before: Any = None

    def __enter__(self) -> "Interruption":
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: object) -> None:
        self.noted = True
        signal.signal(signal.SIGINT, self._before)

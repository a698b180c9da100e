"""Tests the door to JAX's inside on releases of JAX that are not installed here.

    python -m tests.on_jax 0.10.0 0.11.2

Each is installed, by pip, in a fresh virtual environment of the Python that runs this.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = ("pytest>=8.4,<9.2", "mpmath>=1.3", "python-flint>=0.7")  # by the file and by conftest.py


def passes(version: str) -> bool:
    """Whether `tests/test_jax_door.py` passes with a release of JAX."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        install = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            f"jax=={version}",
            f"jaxlib=={version}",
        ]
        subprocess.run([*install, *NEEDED], check=True)
        test = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_jax_door.py"]
        return subprocess.run(test, cwd=ROOT).returncode == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.on_jax")
    parser.add_argument("versions", nargs="+", metavar="VERSION")
    failed = [version for version in parser.parse_args().versions if not passes(version)]
    sys.exit(f"fails on jax {', '.join(failed)}" if failed else 0)

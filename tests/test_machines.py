"""The laws hold on other processors: without fused multiply-add, without vector units.

    python -m pytest -m special tests/test_machines.py

A processor with AVX-512 under Linux passes for lesser ones: XLA is told what it may compile for,
numpy and the C library what they may use. That they obey is asserted, for a wrong name is ignored.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.special(needs="AVX-512 under Linux with the GNU C library")
LAWS = (
    *("test_accuracy", "test_gates", "test_simplex", "test_sparse_simplex", "test_oracle"),
    *("test_declare", "test_public_api", "test_pages", "test_every_module"),
)
UNITS = [name for name, has in np._core._multiarray_umath.__cpu_features__.items() if has]
DISPATCHED = [name for name in np._core._multiarray_umath.__cpu_dispatch__ if name in UNITS]

FUSES = """
import jax, numpy
product = jax.jit(lambda a, b: a * b - 1)(*numpy.float32([1 + 2**-13, 1 - 2**-13]))
fuses = float(product) == -(2.0**-26)
"""
NUMPY = """
import numpy
has = numpy._core._multiarray_umath.__cpu_features__
"""
# The diagnostics of the loader: what the C library itself found, and was told to do without.
C_LIBRARY = """
import re, subprocess
loader = "/lib64/ld-linux-x86-64.so.2"
said = subprocess.run([loader, "--list-diagnostics"], capture_output=True, text=True).stdout
bits = {
    (int(leaf, 0), int(register, 0)): int(value, 0)
    for leaf, register, value in re.findall(
        r"cpu_features.features\\[(\\w+)\\].active\\[(\\w+)\\]=(\\w+)", said
    )
}
has = {"FMA": bits[0, 2] >> 12 & 1, "AVX2": bits[1, 1] >> 5 & 1, "AVX512F": bits[1, 1] >> 16 & 1}
"""

# What the environment says, and a program that fails unless it was understood.
MACHINES = {
    "XLA with AVX": ({"XLA_FLAGS": "--xla_cpu_max_isa=AVX"}, FUSES + "assert not fuses"),
    "XLA with AVX2": ({"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}, FUSES + "assert fuses"),
    "XLA with AVX-512": ({"XLA_FLAGS": "--xla_cpu_max_isa=AVX512"}, FUSES + "assert fuses"),
    "numpy without vector units": (
        {"NPY_DISABLE_CPU_FEATURES": " ".join(DISPATCHED)},
        NUMPY + f"assert {DISPATCHED}\nassert not any(has[name] for name in {DISPATCHED})",
    ),
    "a C library without vector units": (
        {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F,-AVX2_Usable,-FMA_Usable"},
        C_LIBRARY + "assert has == dict.fromkeys(has, 0), has",
    ),
}


def run(machine: str, *command: str) -> subprocess.CompletedProcess:
    settings, _ = MACHINES[machine]
    return subprocess.run(
        [sys.executable, *command],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("machine", MACHINES)
def test_the_settings_are_understood(machine):
    result = run(machine, "-c", MACHINES[machine][1])
    assert result.returncode == 0, result.stderr
    assert "Unknown CPU ISA" not in result.stderr  # which XLA says, and goes on


@pytest.mark.parametrize("machine", MACHINES)
def test_the_laws_hold(machine):
    files = [f"tests/{law}.py" for law in LAWS]
    options = ["-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    result = run(machine, "-m", "pytest", *options, "-m", "not special", *files)
    assert result.returncode == 0, result.stdout
